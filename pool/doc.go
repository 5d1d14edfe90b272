// Package pool runs handlers: goroutines drawn from ants that drain run
// queues. The engine's loops hand it batches of ready connections; it gives
// each of them to one worker, contains what panics and counts.
//
// It never blocks who submits, never takes a task aside while another waits
// for a worker, and never learns what a task is.
//
// ants supplies the goroutines and keeps idle ones; it never sees a task. A
// hand-off through ants costs a lock, a channel and a wake-up each, so here an
// ants task is a worker's whole shift: it drains its queue until nothing is
// left. One worker per queue stays behind, warm, and is woken without ants.
// Importing ants starts its default pool, whose tickers wake a process three times a
// second: a program that has no use for that pool may call ants.Release.
// While handlers are short it is the only one; a monitor adds others when
// tasks stand still, and they leave when the queue is empty.
package pool
