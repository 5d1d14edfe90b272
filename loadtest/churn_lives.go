package loadtest

// die ends a life, if there is one. Its message comes first.
func (s *churn) die(c *conn) {
	switch st := &s.state[c.slot]; st.stage {
	case stageLiving:
		s.leaveNow(c)
	case stageAsking:
		st.stage, st.since = stageLeaving, s.now
		s.waits.add(s.now+int64(closeWait), c.slot)
	}
}

// leaveNow ends a connection in one of the two ways.
func (s *churn) leaveNow(c *conn) {
	st := &s.state[c.slot]
	if s.c.Abort > 0 && s.uniform() < s.c.Abort {
		s.uncounted().aborted++
		s.reborn(c)
		return
	}
	st.stage, st.since = stageParting, s.now
	s.waits.add(s.now+int64(closeWait), c.slot)
	s.due = min(s.due, s.waits.next())
	s.part(c)
}

// reborn ends a connection with an RST and dials the next.
func (s *churn) reborn(c *conn) {
	st := &s.state[c.slot]
	st.stage = stageNone
	st.seq++
	s.abort(c)
	s.redial(c)
}

// giveUp ends what the server did not end, or answer, in time.
func (s *churn) giveUp(c *conn) {
	st := &s.state[c.slot]
	if s.now-st.since < int64(closeWait) {
		return // a later life of that slot
	}
	switch st.stage {
	case stageLeaving:
		s.uncounted().silent++
	case stageParting:
		s.uncounted().lingering++
	default:
		return
	}
	s.reborn(c)
}
