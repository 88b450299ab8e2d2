package demux

import (
	"cmp"
	"slices"
	"time"

	"smbproxy/internal/smb2"
)

// Open is one line of the admin's list of open files.
type Open struct {
	SessionID, FileID uint64
	TreeID            uint32
	User              string // as the client authenticated
	Share, Path       string // Path with `\`; empty: the share's root
	Directory         bool
	Access            smb2.AccessMask // as asked for
	Backend           string
	Since             time.Time
}

// Tree is one line of the admin's list of tree connects.
type Tree struct {
	SessionID   uint64
	TreeID      uint32
	User        string // as the client authenticated
	BackendUser string // as whom the backend sees him
	Share       string
	Backend     string
	ReadOnly    bool
	Connected   bool // to the backend; false: lost, until the next CREATE
	Opens       int
	Since       time.Time
}

// Opens lists what clients have open, oldest first.
func (d *Demux) Opens() []Open {
	var list []Open
	for _, cs := range d.clientSessions() {
		user := cs.session.Identity().User
		for _, o := range cs.list() {
			list = append(list, Open{
				SessionID: cs.session.ID, FileID: o.id.Volatile, TreeID: o.tree.connect.ID, User: user,
				Share: o.tree.share.Name, Path: o.Name(), Directory: o.directory, Access: o.access,
				Backend: o.tree.share.Backend, Since: o.born,
			})
		}
	}
	slices.SortFunc(list, func(a, b Open) int { return cmp.Compare(a.FileID, b.FileID) })
	return list
}

// Trees lists the tree connects, oldest first.
func (d *Demux) Trees() []Tree {
	var list []Tree
	for _, cs := range d.clientSessions() {
		opens := map[*tree]int{}
		for _, o := range cs.list() {
			opens[o.tree]++
		}
		for _, tc := range cs.session.Trees() {
			t, ok := tc.Upper.(*tree)
			if !ok {
				continue
			}
			list = append(list, Tree{
				SessionID: cs.session.ID, TreeID: tc.ID, User: cs.session.Identity().User, BackendUser: t.backendUser(),
				Share: t.share.Name, Backend: t.share.Backend, ReadOnly: t.readOnly, Connected: t.connected(),
				Opens: opens[t], Since: t.born,
			})
		}
	}
	slices.SortFunc(list, func(a, b Tree) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.SessionID, b.SessionID), cmp.Compare(a.TreeID, b.TreeID))
	})
	return list
}

// connected says whether the backend's tree is still there.
func (t *tree) connected() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.at != nil && t.at.Alive()
}
