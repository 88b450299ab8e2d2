package core

import "smbproxy/internal/ntstatus"

// watchOf finds the registration of an open directory, or makes it from the first request.
func (s *State) watchOf(o *open, c *Notify) *watch {
	x := o.more()
	if x.watch == nil {
		x.watch = &watch{filter: c.Filter, tree: c.Tree, limit: c.Limit}
		s.watches++
		o.node.watching++
		s.audience.Add(1)
	}
	return x.watch
}

// Noticed brings what a backend's own CHANGE_NOTIFY on the same directory has told to the
// registration of an open: changes that others make behind us come this way. What is done
// through us the backend tells as well; see behind. Lost: something was missed, so the
// client must look for itself (STATUS_NOTIFY_ENUM_DIR).
type Noticed struct {
	Open    OpenID
	Changes []Change
	Lost    bool
}

func (c *Noticed) apply(s *State, now Instant) Result {
	o := s.opens[c.Open]
	if o == nil || o.watch() == nil {
		return refuse(ntstatus.FileClosed)
	}
	w := o.watch()
	if w.behind == nil {
		w.behind = &behind{w: w, touches: map[string]*touch{}}
	}
	for _, x := range c.Changes {
		w.behind.noticed(s, now, x)
	}
	if c.Lost {
		clear(w.behind.touches) // their echoes may be what is lost
		w.behind.order = nil
		w.changes, w.bytes, w.overflow = nil, 0, true
		w.answer(s)
	}
	return Result{}
}

// Concerned says whether a change of a file has to be told with Changed: somebody may watch
// a directory above it or hold a lease of its own. It may be asked at any time by anybody,
// and costs two loads. A file is looked at once after the audience has changed.
func (s *State) Concerned(h *Hint) bool { return s.audience.Load() != h.heard.Load() }
