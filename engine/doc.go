// Package engine serves WebSockets on raw epoll and kqueue descriptors: the
// server API that Node's ws made familiar, without a goroutine or a buffer for
// a connection that is idle.
//
// Go programs call it, and so does Roost's push server. It never knows channel
// names, authentication, JSON, flags or a vendor of metrics.
//
// # How it works
//
// An [Engine] runs loops. Each loop owns a poller, a timing wheel and a mailbox,
// and hands the connections that became ready to worker goroutines, one hand-off
// a turn of the loop. A worker gives a connection its turn: one read into the
// worker's buffer, frames decoded in place, the handler called for each message,
// and all that the handler sent written with one system call at the end.
//
// # Rules that hold
//
// They are quoted by number where something relies on them; tests carry their
// names.
//
//	R1  Idle is free. An idle connection holds its Conn and nothing else: no
//	    goroutine, buffer, outbox, window, timer or map entry.
//	R2  One turn at a time. A connection is on the run queue at most once. So
//	    its handler calls never overlap and keep the order of the wire, and the
//	    queue is bounded by the number of connections. Queueing never blocks.
//	R3  Two owners. The read side belongs to whoever holds the connection's
//	    turn. The write side is under Conn.mu. Under it come system calls on
//	    the connection's own descriptor, compression, TLS, the logger, and
//	    the locks of the wheel, the poller, the run queue and the mailbox,
//	    of a topic's part and of a message that many get; never user code.
//	R4  Events are hints. Readiness only says that a system call is worth
//	    trying; what happened is what the call returned. So an event that was
//	    meant for a closed connection costs the next owner of that descriptor
//	    number one vain read and nothing else.
//	R5  One closer. close(2) is called by the holder of the turn, under Conn.mu,
//	    after the connection left the table: no read or write can be under way,
//	    and none can follow.
//	R6  Pause unregisters. epoll reports hang-ups even for an empty interest
//	    set, so a paused, hung-up descriptor would spin. Reasons to pause are a
//	    set; reading goes on when it is empty.
//	R7  Read to the end before acting on a hang-up: the last message and the FIN
//	    may arrive together, also on a paused connection.
//	R8  No callback under a lock. A handler that panics closes its connection
//	    with 1011 and nothing else.
//	R9  Bounded first. What comes from the peer is bounded before memory is
//	    taken for it: header block, frame, message, fragments, handshake time,
//	    connections of an address, output queued.
//	R10 Open is the first call of a handler, Close the last, once each.
package engine
