package core

import "smbproxy/internal/ntstatus"

// AppInstance is the AppInstanceId of a CREATE and its version ([MS-SMB2] 3.3.5.9.13,
// 3.3.5.9.16).
type AppInstance struct {
	ID         GUID
	HasVersion bool
	High, Low  uint64
}

// appInstance is AppInstance of an open that has one.
type appInstance struct{ AppInstance }

// register notes an open's AppInstanceId.
func (s *State) register(a *AppInstance, o *open) {
	o.more().app = &appInstance{*a}
	s.apps[a.ID] = append(s.apps[a.ID], o)
}

// unregister forgets it.
func (s *State) unregister(o *open) {
	if o.extra == nil || o.extra.app == nil {
		return
	}
	id := o.extra.app.ID
	list := s.apps[id]
	for i, x := range list {
		if x == o {
			list = append(list[:i], list[i+1:]...)
			break
		}
	}
	if len(list) == 0 {
		delete(s.apps, id)
	} else {
		s.apps[id] = list
	}
	o.extra.app = nil
}

// supersede closes what another client of the same user has open of this file under the
// same AppInstanceId: the application has moved. An older version is refused instead.
func (s *State) supersede(now Instant, c *Open) ntstatus.Status {
	var old []*open
	for _, o := range s.apps[c.App.ID] {
		if o.clientOf() == c.Client || o.userOf() != c.User || o.file.key != c.File || o.file.stream != c.Stream {
			continue
		}
		if a := o.extra.app; a.HasVersion && c.App.HasVersion && !a.olderThan(c.App) {
			return ntstatus.FileForcedClosed
		}
		old = append(old, o)
	}
	for _, o := range old {
		s.closeUnasked(now, o, ClosedByAppInstance)
	}
	return ntstatus.Success
}

// olderThan compares versions, high part first.
func (a *appInstance) olderThan(b *AppInstance) bool {
	return a.High < b.High || a.High == b.High && a.Low < b.Low
}

// userOf returns who made the open, also when it is disconnected.
func (o *open) userOf() string {
	if o.session != nil {
		return o.session.user
	}
	if d := o.durable(); d != nil {
		return d.user
	}
	return ""
}
