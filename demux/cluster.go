package demux

import (
	"context"
	"net"

	"smbproxy/acl"
	"smbproxy/demux/rpc"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// cluster is what the pipes that speak for the cluster tell of it (rpc.Cluster).
type cluster struct{ demux *Demux }

var _ rpc.Cluster = cluster{}

// Identity is the server's.
func (c cluster) Identity() rpc.Identity { return c.demux.routes.Load().cfg.Identity }

// Shares are those of the configuration, and IPC$.
func (c cluster) Shares() []rpc.Share {
	uses := map[string]uint32{}
	for _, t := range c.demux.Trees() {
		uses[t.Share]++
	}
	r := c.demux.routes.Load()
	list := make([]rpc.Share, 0, len(r.cfg.Shares)+1)
	for i := range r.cfg.Shares {
		s := &r.cfg.Shares[i]
		list = append(list, rpc.Share{Name: s.Name, Comment: s.Comment, Hidden: !s.Browseable, Uses: uses[s.Name]})
	}
	if s := r.share(ipcShare); s != nil {
		list = append(list, rpc.Share{Name: ipcShare, Comment: "IPC Service (" + r.cfg.Identity.Comment + ")", Pipes: true, Uses: uses[ipcShare]})
	}
	return list
}

// Sessions are those that use a share.
func (c cluster) Sessions() []rpc.Session {
	list := c.demux.Sessions()
	out := make([]rpc.Session, len(list))
	for i := range list {
		s := &list[i]
		out[i] = rpc.Session{
			ID: s.ID, Client: host(s.Client), User: s.User, Opens: uint32(s.Opens), Since: s.Since, Used: s.Since,
			Guest: s.Guest || s.Anonymous, Dialect: s.Dialect,
		}
	}
	return out
}

// Files are what sessions have open in shares with files.
func (c cluster) Files() []rpc.File {
	const writes = smb2.FileWriteData | smb2.FileAppendData
	var out []rpc.File
	for _, o := range c.demux.Opens() {
		if o.Pipe {
			continue
		}
		f := rpc.File{
			ID: o.FileID, User: o.User, Path: `C:\` + o.Share, Read: o.Granted&smb2.FileReadData != 0,
			Write: o.Granted&writes != 0, Make: o.Granted&smb2.Delete != 0,
		}
		if o.Path != "" {
			f.Path += `\` + o.Path
		}
		if o.State != nil {
			f.Locks = uint32(o.State.Locks)
		}
		out = append(out, f)
	}
	return out
}

// Connections are the tree connects.
func (c cluster) Connections() []rpc.Connection {
	list := c.demux.Trees()
	out := make([]rpc.Connection, len(list))
	for i := range list {
		t := &list[i]
		out[i] = rpc.Connection{
			ID: t.TreeID, User: t.User, Client: host(t.Client), Share: t.Share, Pipes: t.Share == ipcShare, Opens: uint32(t.Opens), Since: t.Since,
		}
	}
	return out
}

// CloseSession ends a session. It may be the caller's own, and waits for nothing.
func (c cluster) CloseSession(id uint64) { go c.demux.CloseSession(id) }

// CloseFile ends an open.
func (c cluster) CloseFile(id uint64) { c.demux.CloseOpen(id) }

// host is the address without its port, as names of clients are shown.
func host(addr string) string {
	if h, _, err := net.SplitHostPort(addr); err == nil {
		return h
	}
	return addr
}

// administers says whether a session may list and close what others have open (`admin users`). It may block.
func (r *routes) administers(ctx context.Context, s *session.Request) bool {
	if r.cfg.Admins.Empty() {
		return false
	}
	id := s.Session.Identity()
	policy := acl.Policy{ValidUsers: r.cfg.Admins}
	subject := acl.Subject{User: id.User, Domain: id.Domain, Addr: address(s.Connection.RemoteAddr())}
	return !id.Anonymous && !id.Guest && policy.Admit(ctx, subject, r.lookup()) == nil
}
