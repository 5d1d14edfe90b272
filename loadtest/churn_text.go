package loadtest

func (r *ChurnReport) writeText(line liner) {
	line("churn", "%s connections opened anew in %s: %s a second (lives of %s on average, %s %% ended by RST), %s open at the end",
		count(r.Opened), span(r.Measured), rate(r.PerSecond), span(r.Lifetime), trimmed(r.Abort*100), count(r.Standing))
	line("redials", "%s", r.Handshake.text())
	line("ended", "%s by a close handshake, %s by our RST, %s by the server; %s dials failed",
		count(r.Closed), count(r.Aborted), count(r.Lost), count(r.Failed))
	if r.Close.Count > 0 {
		line("close", "%s", r.Close.text())
		line("", "from our close frame to the end of the stream; %s ended without the server's close frame, %s not within %s",
			count(r.Unanswered), count(r.Lingering), span(closeWait))
	}
	if e := r.Echo; e != nil {
		line("messages", "%s echoed, one a life; %s silent", count(e.Messages), count(e.Silent))
		line("latency", "%s", e.Latency.text())
	}
	if s := r.Server; s != nil {
		s.writeText(line)
	}
	if c := r.ServerCPU; c != nil {
		line("server CPU", "%s a connection, %.2f cores", span(c.PerMessage), c.Cores)
	}
	line("client CPU", "%s a connection, %.2f cores", span(r.ClientCPU.PerMessage), r.ClientCPU.Cores)
}

func (u *ServerUse) writeText(line liner) {
	for _, x := range []struct {
		what string
		of   func(Holding) string
	}{
		{"RSS", func(h Holding) string { return orUnknown(h.RSS, size) }},
		{"descriptors", func(h Holding) string { return orUnknown(h.Descriptors, count[int]) }},
	} {
		line("holds", "%s: %s before, %s with all open, %s after the churn, %s with none",
			x.what, x.of(u.Before), x.of(u.Opened), x.of(u.Churned), x.of(u.After))
	}
}

func orUnknown[T int | int64](n T, text func(T) string) string {
	if n < 0 {
		return "?"
	}
	return text(n)
}

func (r *ChurnReport) figures(add func(string, float64)) {
	add("churn-rate", r.PerSecond)
	add("churn-failed", float64(r.Failed))
	add("churn-lost", float64(r.Lost))
	add("unclean", float64(r.Unanswered+r.Lingering))
	if h := &r.Handshake; h.Count > 0 {
		add("redial-p50", float64(h.P50))
		add("redial-p99", float64(h.P99))
		add("redial-max", float64(h.Max))
	}
	if c := &r.Close; c.Count > 0 {
		add("close-p50", float64(c.P50))
		add("close-p99", float64(c.P99))
		add("close-max", float64(c.Max))
	}
	if e := r.Echo; e != nil {
		add("messages", float64(e.Messages))
		if all := e.Messages + e.Silent; all > 0 {
			add("loss", float64(e.Silent)/float64(all))
		}
		e.Latency.figures(add)
	}
	if u := r.Server; u != nil {
		u.figures(add)
	}
	if s := r.ServerCPU; s != nil && r.Opened > 0 {
		add("server-cpu", float64(s.PerMessage))
		add("server-cores", s.Cores)
	}
	add("client-cores", r.ClientCPU.Cores)
}

func (u *ServerUse) figures(add func(string, float64)) {
	if u.Before.Descriptors >= 0 && u.After.Descriptors >= 0 {
		add("leaked-descriptors", float64(u.After.Descriptors-u.Before.Descriptors))
	}
	if u.Before.RSS >= 0 && u.After.RSS >= 0 {
		add("grown-bytes", float64(u.Churned.RSS-u.Opened.RSS))
		add("kept-bytes", float64(u.After.RSS-u.Before.RSS))
	}
}
