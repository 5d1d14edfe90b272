package push

import (
	"reflect"
	"slices"

	"github.com/roost-ws/roost/push/protocol"
)

// tenants are the apps being served. The value never changes: UpdateApps makes
// another.
type tenants struct {
	list  []*app // the console's first
	byID  map[string]*app
	byKey map[string]*app
}

// tenants may be called from any goroutine.
func (s *Server) tenants() *tenants { return s.apps.Load() }

// newTenants takes over from before, which may be nil, the apps that have the same
// id and key: their channels and connections go on.
func (s *Server) newTenants(apps []App, limits *Limits, before *tenants) *tenants {
	t := &tenants{byID: map[string]*app{}, byKey: map[string]*app{}}
	for i := range apps {
		c := &apps[i]
		c.Limits.inherit(limits)
		a := before.find(c)
		if a == nil {
			a = newApp(c, s)
		}
		t.list, t.byID[a.ID], t.byKey[a.Key] = append(t.list, a), a, a
	}
	return t
}

func (t *tenants) find(c *App) *app {
	if t == nil || t.byID[c.ID] == nil || t.byID[c.ID].Key != c.Key {
		return nil
	}
	return t.byID[c.ID]
}

// UpdateApps replaces the apps, the console's first, and the limits of those that
// have none of their own. It checks everything first: an error means that nothing
// has changed. Connections go on and from then on obey what is new, but for those
// of an app that is gone or has another key, which are closed with 4001, and of one
// that is now disabled, with 4003. History holds for what is
// published and subscribed to after it, the rest of a pattern for channels that
// become occupied after it. A webhook that is left
// out gives up what it has not delivered. What changed is logged, without secrets.
// It may be called from any goroutine, until Close.
func (s *Server) UpdateApps(apps []App, limits Limits) error {
	o := Options{Apps: apps, Limits: limits}
	if err := o.fillApps(); err != nil {
		return err
	}
	if err := o.Limits.fill(); err != nil {
		return err
	}
	s.updating.Lock()
	defer s.updating.Unlock()
	before := s.tenants()
	after := s.newTenants(o.Apps, &o.Limits, before)
	changed, patterns := after.adopt(o.Apps)
	s.apps.Store(after)
	for _, a := range after.list {
		a.hooks.update(a, &s.counts, s.opts.Logger)
	}
	for _, c := range s.conns.all() {
		if ss := sessionOf(c); ss != nil {
			if code, msg := s.verdict(ss.app); code != 0 {
				s.disconnect(c, ss.legacy, code, msg)
			} else if patterns[ss.app] {
				ss.resumes.Store(true) // perhaps not: its channels are the handler's to read
			}
		}
	}
	gone := missing(before, after)
	s.fleet.appsChanged(gone, missing(after, before))
	for _, a := range gone {
		a.hooks.stop()
	}
	s.warnOfLists()
	s.opts.Logger.Info("apps updated", "added", names(missing(after, before)), "removed", names(gone), "changed", changed)
	return nil
}

// adopt gives each app its configuration and returns the ids of those for which it
// differs from the one before, and which of them have other patterns of channels.
func (t *tenants) adopt(apps []App) (changed []string, patterns map[*app]bool) {
	patterns = map[*app]bool{}
	for i, a := range t.list {
		if c := &apps[i]; !reflect.DeepEqual(a.now(), c) {
			patterns[a] = !reflect.DeepEqual(a.now().Channels, c.Channels)
			a.cfg.Store(c)
			changed = append(changed, a.ID)
		}
	}
	return changed, patterns
}

// verdict is the close code for connections of a, 0 while they may stay.
func (s *Server) verdict(a *app) (code int, msg string) {
	switch {
	case s.tenants().byKey[a.Key] != a:
		return protocol.CodeUnknownApp, "the app is gone: check the app key"
	case a.now().Disabled:
		return protocol.CodeAppDisabled, "the app is disabled: enable it"
	}
	return 0, ""
}

// missing are the apps of t that other has not.
func missing(t, other *tenants) (list []*app) {
	for _, a := range t.list {
		if other.byID[a.ID] != a {
			list = append(list, a)
		}
	}
	return list
}

func names(list []*app) (ids []string) {
	for _, a := range list {
		ids = append(ids, a.ID)
	}
	slices.Sort(ids)
	return ids
}
