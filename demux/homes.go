package demux

import (
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"

	"smbproxy/demux/backend"
	"smbproxy/internal/ntstatus"
)

// Homes. The names of a subtree are served by one backend at a time, its home (DESIGN 9): smbd knows
// an open file by the name that it was opened under, so names that change must not be held by two.
//
//	path ── a route of the share covers it? ──yes──> the first of its backends that can serve
//	            │ no
//	            └─> of the share's backends that can serve, the one whose hash with the folded first
//	                component of the path is highest (rendezvous): a backend that comes or goes moves
//	                only what it serves

// homeSeed is fixed: all nodes and every restart come to the same homes.
const homeSeed = 0xcbf29ce484222325

// weight is the rendezvous hash of a subtree and a backend (FNV-1a, then mixed).
func weight(subtree, name string) uint64 {
	h := uint64(homeSeed)
	for _, s := range [...]string{subtree, "\x00", name} {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * 0x100000001b3
		}
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// route is the longest of the share's routes that covers a path, nil if none does.
func (s *Share) route(path string) *Route {
	var best *Route
	for i := range s.Routes {
		if r := &s.Routes[i]; below(path, r.Path) && (best == nil || len(r.Path) > len(best.Path)) {
			best = r
		}
	}
	return best
}

// below says whether path is dir or below it, without case.
func below(path, dir string) bool {
	return len(path) >= len(dir) && strings.EqualFold(path[:len(dir)], dir) && (len(path) == len(dir) || path[len(dir)] == separator)
}

// shared says whether the route's backends have the share's file system: it is a rule for homes then
// and no border.
func (s *Share) shared(r *Route) bool {
	return r == nil || !slices.ContainsFunc(r.Backends, func(name string) bool { return !slices.Contains(s.Backends, name) })
}

// border is the path of the route that leads to another file system and covers a path, empty on the
// share's own.
func (s *Share) border(path string) string {
	if r := s.route(path); !s.shared(r) {
		return r.Path
	}
	return ""
}

// crosses says whether a rename or link from one path to another would leave its file system, or take
// a border with it ([MS-FSA] 2.1.5.15.11: STATUS_NOT_SAME_DEVICE).
func (s *Share) crosses(from, to string) bool {
	if !strings.EqualFold(s.border(from), s.border(to)) {
		return true
	}
	return slices.ContainsFunc(s.Routes, func(r Route) bool {
		return !s.shared(&r) && (below(r.Path, from) || below(r.Path, to))
	})
}

// serving are the names of the backends that can serve a path: the only ones that an open of it may move
// to.
func (s *Share) serving(path string) []string {
	if r := s.route(path); !s.shared(r) {
		return r.Backends
	}
	return s.Backends
}

// home is the backend to serve the names at path, without those that except says; nil: there is none
// left. One that is down or being drained is taken only where there is no other.
func (r *routes) home(s *Share, path string, except func(*backend.Pool) bool) *backend.Pool {
	if rt := s.route(path); rt != nil {
		for _, name := range rt.Backends {
			if p := r.cfg.Backends[name]; p != nil && p.Usable() && (except == nil || !except(p)) {
				return p
			}
		}
	}
	subtree, _, _ := strings.Cut(path, string(separator))
	subtree, _ = splitStream(subtree)
	subtree = foldName(subtree)
	var best *backend.Pool
	var usable bool
	var high uint64
	for _, name := range s.serving(path) {
		p := r.cfg.Backends[name]
		if p == nil || except != nil && except(p) {
			continue
		}
		u, w := p.Usable(), weight(subtree, name)
		if best == nil || u && !usable || u == usable && w > high {
			best, usable, high = p, u, w
		}
	}
	return best
}

// unreachable says whether a backend could not be reached at all, rather than refused something:
// another may do.
func unreachable(err error) bool {
	return errors.Is(err, ntstatus.UnexpectedNetworkError) || errors.Is(err, errNoShare)
}

// errNoShare is for a backend that has not the share: its file system is not mounted there, or not any more.
var errNoShare = errors.New("the backend has not the share")

// connectFault marks an error of a connect that says that the backend is of no use for the share, while another may be.
func (s *Share) connectFault(err error) error {
	if len(s.Backends) > 1 && (errors.Is(err, ntstatus.BadNetworkName) || errors.Is(err, ntstatus.NetworkNameDeleted)) {
		return fmt.Errorf("%w: %w", errNoShare, err)
	}
	return err
}

// seed makes affinities differ between processes, so that the same clients do not always share
// the same lanes.
var seed = maphash.MakeSeed()
