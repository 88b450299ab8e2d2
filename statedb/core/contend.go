package core

import "smbproxy/internal/ntstatus"

// Contend says that an open is about to change the file's data or size (WRITE,
// FSCTLs that write, end of file, allocation): what others cache of it is broken
// ([MS-FSA] 2.1.4.12). It never waits: only writers' caching would have to be waited for,
// and the open itself has ended that. Needed where Hint.ReadCached says so.
type Contend struct{ Open OpenID }

func (c *Contend) apply(s *State, now Instant) Result {
	o := s.opens[c.Open]
	if o == nil {
		return refuse(ntstatus.FileClosed)
	}
	s.contend(now, o.file, contention{opener: o.lease, by: o, overwrite: true, first: true})
	return Result{}
}
