package loadtest

// do has f run by the loop, between two turns, and returns when it has. Once the
// loop's goroutine is gone it runs here. It is how a scenario changes stages and
// collects figures; only Run's goroutine calls it.
func (l *loop) do(f func(*loop)) {
	done := make(chan struct{})
	l.mu.Lock()
	if l.gone {
		l.mu.Unlock()
		f(l)
		return
	}
	l.mail = append(l.mail, func(l *loop) {
		f(l)
		close(done)
	})
	l.mu.Unlock()
	// It fails only on a closed poller, and then the mail was read at the end.
	_ = l.poll.Wake()
	<-done
}

func (l *loop) readMail() {
	l.mu.Lock()
	mail := l.mail
	l.mail = nil
	l.mu.Unlock()
	for _, f := range mail {
		f(l)
	}
}
