package push

import "net"

// refused logs who could not prove what, and never the proof: a signature, token or
// key that is wrong here may be right elsewhere, or the secret in the wrong place.
// There may be as many lines as there are clients; they have one message each, by which
// a log can be sampled.
func (s *Server) refused(what string, a *app, remote, why string) {
	id := ""
	if a != nil {
		id = a.ID
	}
	s.opts.Logger.Warn(what+" refused", "app", id, "remote", remote, "why", why)
}

// addressOf is how logs have an address; it is empty for none.
func addressOf(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}
