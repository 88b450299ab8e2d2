package demux

import (
	"hash/maphash"
	"strings"

	"smbproxy/acl"
	"smbproxy/session"
)

// routes says where each share's requests go. It is immutable: a reload makes another.
type routes struct {
	cfg    Config
	shares map[string]*Share // by lower-case name
}

// newRoutes indexes a configuration that has been checked.
func newRoutes(cfg Config) *routes {
	r := &routes{cfg: cfg, shares: make(map[string]*Share, len(cfg.Shares))}
	for i := range cfg.Shares {
		s := cfg.Shares[i]
		if s.BackendShare == "" {
			s.BackendShare = s.Name
		}
		s.stripes = newStripes(&s)
		r.shares[strings.ToLower(s.Name)] = &s
	}
	if cfg.PipeBackend != "" {
		r.shares[strings.ToLower(ipcShare)] = &Share{Name: ipcShare, Backends: []string{cfg.PipeBackend}, BackendShare: ipcShare, GuestOK: true}
	}
	if r.cfg.Lookup == nil {
		r.cfg.Lookup = newSystemLookup()
	}
	return r
}

// share finds a share by any spelling of its name, nil if there is none.
func (r *routes) share(name string) *Share { return r.shares[strings.ToLower(name)] }

// lookup answers the questions of the share's policy.
func (r *routes) lookup() acl.Lookup { return r.cfg.Lookup }

// affinity ties all trees of one client session to one lane of a backend: its handles then lie
// in one backend session, which COPYCHUNK needs, and its requests keep their order.
func affinity(s *session.Session) uint64 { return maphash.Comparable(seed, s.ID) }

// user is the name that a session has at the backends; false: it may not use the share at all.
func (r *routes) user(id session.Identity, s *Share) (string, bool) {
	switch {
	case id.Anonymous:
		return r.cfg.GuestAccount, s.GuestOK && r.cfg.GuestAccount != ""
	case id.Guest:
		return id.User, s.GuestOK
	}
	return id.User, id.User != ""
}
