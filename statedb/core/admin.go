package core

import "smbproxy/internal/ntstatus"

// ForceClose closes an open for an admin: as if its client had, and a Closed effect says
// so to its owner.
type ForceClose struct{ Open OpenID }

func (c *ForceClose) apply(s *State, now Instant) Result {
	o := s.opens[c.Open]
	if o == nil {
		return refuse(ntstatus.FileClosed)
	}
	s.closeUnasked(now, o, ClosedByAdmin)
	return Result{Open: c.Open}
}

// Query answers Result.Info: what the state says of an open, delete-pending above all
// ([MS-FSCC] 2.4.41, FileStandardInformation).
type Query struct{ Open OpenID }

func (c *Query) apply(s *State, _ Instant) Result {
	o := s.opens[c.Open]
	if o == nil {
		return refuse(ntstatus.FileClosed)
	}
	i := o.info()
	return Result{Open: c.Open, Info: &i}
}
