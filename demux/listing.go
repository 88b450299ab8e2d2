package demux

import (
	"cmp"
	"slices"
	"time"

	"smbproxy/internal/smb2"
	"smbproxy/session"
	"smbproxy/statedb/core"
)

// Session is one line of the admin's list of sessions that use shares.
type Session struct {
	session.SessionStatus
	Opens int
}

// Open is one line of the admin's list of open files.
type Open struct {
	SessionID, FileID uint64 // SessionID 0: disconnected, a durable handle
	TreeID            uint32
	User              string // as the client authenticated; of a disconnected one as the backend knows him
	Client            string // address of the connection that made the session
	Share, Path       string // Path with `\`, `:` before a stream; empty: the share's root
	Pipe, Directory   bool
	Access            smb2.AccessMask // as asked for
	Granted           smb2.AccessMask // GrantedAccess; Access where that is not known
	ShareAccess       smb2.ShareAccess
	Backend           string
	Since             time.Time      // zero if opened before the last restart
	State             *core.OpenInfo // nil: the state of open files has nothing to do with it
}

// Tree is one line of the admin's list of tree connects.
type Tree struct {
	SessionID   uint64
	TreeID      uint32
	User        string // as the client authenticated
	Client      string // address of the connection that made the session
	BackendUser string // as whom the backend sees him
	Share       string
	Backends    []string // that it is connected to
	ReadOnly    bool
	Encrypted   bool
	Connected   bool // to one at least; false: lost, until the next CREATE
	Opens       int
	Since       time.Time
}

// Sessions lists the sessions that have connected to a share, oldest first.
func (d *Demux) Sessions() []Session {
	var list []Session
	for _, cs := range d.clientSessions() {
		list = append(list, Session{cs.session.Status(), cs.count()})
	}
	slices.SortFunc(list, func(a, b Session) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID)) })
	return list
}

// Opens lists what clients have open, durable handles without a client included, oldest first.
func (d *Demux) Opens() []Open {
	infos := map[core.OpenID]*core.OpenInfo{}
	for _, i := range d.state.Opens() {
		infos[i.Open] = &i
	}
	var list []Open
	for _, cs := range d.clientSessions() {
		user, client := cs.session.Identity().User, cs.session.Address()
		for _, o := range cs.list() {
			l := o.listed(infos[o.state])
			l.SessionID, l.TreeID, l.User, l.Client = cs.session.ID, o.tree.connect.ID, user, client
			list = append(list, l)
			delete(infos, o.state)
		}
	}
	for _, i := range infos {
		if i.Session == 0 {
			list = append(list, d.disconnected(i))
		} // else its CREATE or CLOSE is on its way
	}
	slices.SortFunc(list, func(a, b Open) int { return cmp.Compare(a.FileID, b.FileID) })
	return list
}

// Counts says how many tree connects and opens there are, durable handles without a client included. It costs no lists.
func (d *Demux) Counts() (trees, opens int) {
	for _, cs := range d.clientSessions() {
		trees += len(cs.session.Trees())
		opens += cs.count()
	}
	return trees, opens + d.state.Stats().Disconnected
}

// count is how much the session has open.
func (cs *clientSession) count() int {
	cs.mu.RLock()
	defer cs.mu.RUnlock()
	return len(cs.opens)
}

// listed describes an open, but for its session: a detached one has none, and one that has outlived a restart never had.
func (o *open) listed(i *core.OpenInfo) Open {
	l := Open{
		FileID: o.id.Volatile, Share: o.tree.share.Name, Path: o.Name(), Pipe: o.tree.pipes, Directory: o.directory,
		Access: o.access, Granted: o.access, Backend: o.backendName(), Since: o.born, State: i,
	}
	if o.arbitrated {
		l.Granted = o.granted
	}
	if i != nil {
		l.ShareAccess = i.Share
		if path, stream := splitStream(l.Path); foldName(path) != i.Name.Path {
			l.Path = i.Name.Path + stream // renamed by another handle
		}
	}
	return l
}

// disconnected describes an open that has no session. One of before the last restart may have no handle either.
func (d *Demux) disconnected(i *core.OpenInfo) Open {
	if o := d.detached.find(i.Open); o != nil {
		l := o.listed(i)
		l.User = i.User
		return l
	}
	l := Open{
		FileID: uint64(i.Open), User: i.User, Path: cmp.Or(i.Display, i.Name.Path), Directory: i.Directory, Access: i.Access, Granted: i.Access,
		ShareAccess: i.Share, State: i,
	}
	if i.Stream != "" {
		l.Path += ":" + i.Stream
	}
	if s := d.routes.Load().named(i.Name.Volume); s != nil {
		l.Share = s.Name
	}
	return l
}

// named finds the first share whose names are the volume's, nil if there is none.
func (r *routes) named(volume uint64) *Share {
	for i := range r.cfg.Shares {
		if s := r.share(r.cfg.Shares[i].Name); s.volume() == volume {
			return s
		}
	}
	return nil
}

// ShareOf is the name of the first share that a volume of core.Name is, empty if there is none.
func (d *Demux) ShareOf(volume uint64) string {
	if s := d.routes.Load().named(volume); s != nil {
		return s.Name
	}
	return ""
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
				SessionID: cs.session.ID, TreeID: tc.ID, User: cs.session.Identity().User, Client: cs.session.Address(), BackendUser: t.backendUser(),
				Share: t.share.Name, Backends: t.backends(), ReadOnly: t.readOnly, Encrypted: tc.EncryptData || cs.session.Encrypted(),
				Connected: t.connected(), Opens: opens[t], Since: t.born,
			})
		}
	}
	slices.SortFunc(list, func(a, b Tree) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.SessionID, b.SessionID), cmp.Compare(a.TreeID, b.TreeID))
	})
	return list
}

// backends are the names of those that the tree has a living tree at.
func (t *tree) backends() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var names []string
	for p, a := range t.at {
		if a.Alive() {
			names = append(names, p.Name())
		}
	}
	slices.Sort(names)
	return names
}

// connected says whether a backend's tree is still there.
func (t *tree) connected() bool { return len(t.backends()) > 0 }

// CloseSession ends a session with all that it has open, durable handles too ([MS-SMB2] 3.3.4.12); false:
// no session with that id has connected to a share.
func (d *Demux) CloseSession(id uint64) bool {
	cs := d.clientSession(id)
	if cs == nil {
		return false
	}
	opens := cs.list()
	cs.session.Close()
	for _, o := range opens {
		d.CloseOpen(o.id.Persistent) // if it has outlived the session
	}
	return true
}

// CloseOpen closes an open (Open.FileID) as its client's CLOSE would, which learns of it when it next
// uses the FileId: FILE_CLOSED. False: there is none of that id, or its own CLOSE is on its way.
//
// Samba: smbd's close of a file for an admin (MSG_SMB_CLOSE_FILE) is the same (4.17).
func (d *Demux) CloseOpen(id uint64) bool {
	for _, cs := range d.clientSessions() {
		if o := cs.find(smb2.FileID{Persistent: id, Volatile: id}); o != nil {
			if !cs.remove(o) {
				return false
			}
			o.abandon()
			return true
		}
	}
	r := d.tell(&core.Query{Open: core.OpenID(id)})
	return r.Info != nil && r.Info.Session == 0 && d.tell(&core.ForceClose{Open: core.OpenID(id)}).Open != 0
}

// HasShare says whether a share has that name, in any spelling; IPC$ is one.
func (d *Demux) HasShare(name string) bool { return d.routes.Load().share(name) != nil }
