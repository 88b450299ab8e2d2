package demux

import (
	"context"
	"net"
	"net/netip"
	"time"

	"smbproxy/acl"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// treeConnect serves TREE_CONNECT ([MS-SMB2] 3.3.5.7). It asks the system's user database and
// the backend, both of which may block.
func (d *Demux) treeConnect(r *session.Request) {
	var m smb2.TreeConnectRequest
	if err := m.Decode(r.Message()); err != nil {
		r.FailErr(err)
		return
	}
	name, ok := shareName(m.Path)
	if !ok {
		r.Fail(ntstatus.BadNetworkName)
		return
	}
	r.Go(func(ctx context.Context) { d.connectShare(ctx, r, name) })
}

// connectShare is treeConnect's blocking part.
func (d *Demux) connectShare(ctx context.Context, r *session.Request, name string) {
	routes := d.routes.Load()
	log := r.Connection.Log().With("share", name, "user", r.Session.Identity().User)
	share := routes.share(name)
	if share == nil {
		log.Info("no such share")
		r.Fail(ntstatus.BadNetworkName)
		return
	}
	id := r.Session.Identity() // before admit looks: a later one is admitted by attach
	user, encrypt, err := d.admit(ctx, r, routes, share)
	if err != nil {
		if ctx.Err() != nil {
			r.Fail(ntstatus.Cancelled)
			return
		}
		log.Warn("share refused", "error", err)
		r.Fail(ntstatus.AccessDenied)
		return
	}
	t := &tree{
		demux: d, session: d.sessionOf(r.Session), share: share, identity: id, user: user,
		readOnly: share.Policy.ReadOnly, pipes: share.Name == ipcShare, born: time.Now(),
	}
	t.admin = t.pipes && routes.administers(ctx, r)
	if err := d.recovered(ctx, share); err != nil {
		r.FailErr(err)
		return
	}
	var at *attachment
	if t.pipes {
		at, err = t.reach(ctx, r, "")
	} else {
		at, err = t.reachInTime(ctx, r, "")
	}
	if err != nil && t.pipes { // those that speak for the cluster need no backend, and others ask again
		log.Warn("no backend connects the share; only srvsvc and wkssvc are served", "backends", share.Backends, "backend_user", user, "error", err)
	} else if err != nil {
		log.Warn("no backend connects the share", "backends", share.Backends, "backend_user", user, "error", err)
		r.SetFault(session.FaultBackend)
		r.Fail(connectError(err))
		return
	}
	if at != nil {
		defer at.drop()
	}
	if t.connect, err = r.Session.AddTree(share.Name, encrypt, t); err != nil {
		t.close()
		r.FailErr(err)
		return
	}
	r.SetTree(t.connect)
	r.Reply(ntstatus.Success, t.connectResponse(r, at, encrypt))
}

// admit says as whom the backend shall see the session and whether the tree's messages are
// sealed; an error is why the share is not for this client.
func (d *Demux) admit(ctx context.Context, r *session.Request, routes *routes, share *Share) (user string, encrypt bool, err error) {
	id := r.Session.Identity()
	user, ok := routes.user(id, share)
	if !ok {
		return "", false, &acl.Denied{Parameter: "guest ok", Subject: acl.Subject{User: id.User}}
	}
	subject := acl.Subject{User: user, Domain: id.Domain, Addr: address(r.Connection.RemoteAddr())}
	if err := share.Policy.Admit(ctx, subject, routes.lookup()); err != nil {
		return "", false, err
	}
	encrypt = share.Encrypt != EncryptionOff && r.Session.CanEncrypt()
	if share.Encrypt == EncryptionRequired && !encrypt {
		// [MS-SMB2] 3.3.5.7: STATUS_ACCESS_DENIED where the client cannot.
		return "", false, &acl.Denied{Parameter: "server smb encrypt", Subject: subject}
	}
	return user, encrypt, nil
}

// relayedShareFlags are what the backend may say of a share to our clients. The others promise
// what is ours to promise, or nobody's: DFS, encryption, compression.
const relayedShareFlags = smb2.ShareFlagCachingMask | smb2.ShareFlagAccessBasedDirectory

// pipesAccess is what a client may do on IPC$. Samba: the rights (4.17).
const pipesAccess = smb2.AccessMask(0x001F00A9)

// connectResponse tells the client what it has got: the backend's rights and view of the share,
// and no capabilities.
func (t *tree) connectResponse(r *session.Request, at *attachment, encrypt bool) *smb2.TreeConnectResponse {
	m := &smb2.TreeConnectResponse{ShareType: smb2.ShareTypeDisk, ShareFlags: smb2.ShareFlagNoCaching, MaximalAccess: pipesAccess}
	if at != nil {
		m.ShareFlags, m.MaximalAccess = at.ShareFlags()&relayedShareFlags, at.MaximalAccess()
	}
	if t.pipes {
		m.ShareType = smb2.ShareTypePipe
	}
	if encrypt {
		m.ShareFlags |= smb2.ShareFlagEncryptData
	}
	if t.available(r.Connection) {
		m.Capabilities |= smb2.ShareCapContinuousAvailability
	}
	if t.readOnly {
		m.MaximalAccess &^= writeAccess
	}
	return m
}

// address is the IP address of one end of a connection, the zero address where there is none.
func address(a net.Addr) netip.Addr {
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr()
}
