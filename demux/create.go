package demux

import (
	"context"
	"time"

	"smbproxy/demux/backend"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/session"
	"smbproxy/statedb/core"
)

// creation is a CREATE on its way (DESIGN 7): on the goroutines that bring it news, as long as no step waits
// (create_quick.go), then on one of its own. The steps:
//
//	plan        1  validate, normalise the name, sort the contexts
//	begin          the name's turn among those that are being created, renamed or deleted
//	look        2  open at the backend as the user, harmlessly: create_backend.go
//	arbitrate   3  ask the state of open files: create_state.go
//	settle      4  carry out at the backend what step 2 left out
//	reply       5  our FileId, the oplock or lease, the contexts that were asked for
type creation struct {
	d    *Demux
	r    *session.Request
	t    *tree
	at   *attachment // one reference is ours
	req  core.RequestID
	name string // normalised
	base core.Name

	asked       smb2.CreateRequest // what the client may have; contexts for the backend
	readOnly    func(st ntstatus.Status, opened bool) ntstatus.Status
	oplock      smb2.OplockLevel // asked for, as far as the share grants any
	lease       *core.LeaseRequest
	wantsID     bool // QFid
	wantsAccess bool // MxAc
	answered    []smb2.CreateContext
	durable     durability

	id        core.OpenID       // of the open that may come of it
	call      backend.Call      // of quick
	began     time.Time         // when it was sent
	answer    chan core.Result  // of the state, where it waits; capacity 1, at most one command at a time
	gotAnswer func(core.Result) // what sends there
	found     look
	ahead     ahead
	doubt     time.Time // when a CREATE was sent that may have made the file and that has no answer; zero: none was
}

// create serves CREATE ([MS-SMB2] 3.3.5.9).
func (d *Demux) create(r *session.Request) {
	t := treeOf(r)
	if t.session.full() {
		r.Fail(ntstatus.TooManyOpenedFiles)
		return
	}
	if t.pipes {
		d.createPipe(r, t)
		return
	}
	r.Retain() // the contexts lie in the message
	c := &creation{d: d, r: r, t: t}
	if err := c.prepare(); err != nil {
		r.FailErr(err)
		return
	}
	if !c.quick() {
		r.Go(c.run)
	}
}

// prepare is step 1.
func (c *creation) prepare() error {
	if err := c.asked.Decode(c.r.Message()); err != nil {
		return err
	}
	if err := c.planDurable(&c.asked); err != nil || c.durable.resume != nil {
		return err
	}
	if err := c.plan(&c.asked); err != nil {
		return err
	}
	c.planState()
	return nil
}

// run goes through the other steps and ends the request.
func (c *creation) run(ctx context.Context) {
	if err := c.steps(ctx); err != nil {
		c.r.FailErr(err)
	}
}

// steps goes through them, from where quick has left off. An error is what the request ends with.
func (c *creation) steps(ctx context.Context) error {
	if c.durable.resume != nil {
		return c.reconnect(ctx)
	}
	if c.id == 0 {
		c.id = c.d.state.NewOpenID()
		c.holdBreaks()
	}
	defer c.letBreaksGo()
	o, grant, err := c.openSomewhere(ctx)
	if err != nil {
		return err
	}
	if o == nil {
		defer c.at.drop()
		return c.replayed(ctx, &grant)
	}
	return c.enter(o, &grant)
}

// enter gives the client its open.
func (c *creation) enter(o *open, grant *core.Result) error {
	if err := c.t.session.add(o); err != nil {
		o.closeAtBackend(c.d.release(o, &core.Close{Open: o.state}))
		return err
	}
	if c.found.destroys {
		o.changedData(destroyChange)
	}
	c.reply(o, grant)
	return nil
}

// attach finds the attachment for the name, with a reference for the CREATE.
func (c *creation) attach(ctx context.Context) error {
	at, err := c.t.reach(ctx, c.r, c.base.Path)
	if err != nil {
		c.r.SetFault(session.FaultBackend)
		return c.unattached(err)
	}
	c.at = at
	return nil
}

// maxTries bounds how often a CREATE begins again because its name went to another file meanwhile.
const maxTries = 8

// open does steps 2 to 4; no open and no error: it was done before, and the result says which open it made. While it
// waits, and until the reply, breaks of what it is granted are held.
func (c *creation) open(ctx context.Context) (*open, core.Result, error) {
	var err error
	for range maxTries {
		if !c.ahead.begun {
			c.ahead.begin = c.begin()
		}
		if before := c.await(ctx, c.ahead.begin); before.Status != ntstatus.Success {
			c.ahead = ahead{}
			return nil, before, before.Status
		} else if before.Replayed {
			return nil, before, nil
		}
		if !c.ahead.seen {
			if err = c.look(ctx); err != nil {
				c.ahead = ahead{}
				c.d.tell(&core.End{Req: c.req, Name: c.base})
				break
			}
			c.ahead.grant = c.arbitrate()
		}
		r := c.await(ctx, c.ahead.grant)
		c.ahead = ahead{}
		if r.Status != ntstatus.Success {
			c.discard(true)
			if err = c.refusedFirst(r.Status); r.Retry {
				continue
			}
			c.unmake(ctx)
			break
		}
		if err = c.settle(ctx); err != nil {
			c.d.giveBack(c.id)
			break
		}
		return c.opened(&r), r, nil
	}
	return nil, core.Result{}, err
}

// opened makes the open.
func (c *creation) opened(r *core.Result) *open {
	o := &open{
		tree: c.t, name: c.name, access: c.asked.DesiredAccess,
		directory: c.found.directory(), born: time.Now(), state: c.id, hint: r.Hint, arbitrated: true, granted: c.found.granted, action: c.found.reply.CreateAction,
		deleteOnClose: c.asked.CreateOptions&smb2.FileDeleteOnClose != 0, file: c.fileKey(), options: c.asked.CreateOptions, share: c.asked.ShareAccess,
	}
	o.names.Store(&handle{at: c.at, fid: c.found.fid, name: c.name})
	o.data = c.spread(o)
	if c.found.destroys {
		c.d.kept.forget(o.key()) // what was in it is nobody's any more
	}
	o.unseen.Store(c.durable.createGUID() != core.GUID{})
	return o
}

// plan makes of the client's request the one that the backend may see.
func (c *creation) plan(m *smb2.CreateRequest) error {
	if !c.t.present() {
		return ntstatus.NetworkNameDeleted
	}
	if m.CreateOptions&smb2.FileOpenByFileID != 0 {
		return ntstatus.NotSupported // the name is an id then. Samba: the same (4.17)
	}
	if c.t.pipes && !knownPipe(m.Name) {
		return ntstatus.ObjectNameNotFound
	}
	name, err := createName(m.Name, c.r.Header.Flags&smb2.FlagDFS != 0)
	if err != nil {
		return err
	}
	if err := c.leaseOf(m); err != nil {
		return err
	}
	if !c.t.pipes {
		if c.answered, err = answeredContexts(m.CreateContexts); err != nil {
			return err
		}
	}
	if m.CreateContexts, err = requestContexts(m.CreateContexts); err != nil {
		return err
	}
	m.Name, c.name = name, name
	if c.t.readOnly {
		return c.planReadOnly(m)
	}
	return nil
}

// unattached logs why the share cannot be used, and is what the client is told.
func (c *creation) unattached(err error) error {
	c.r.Connection.Log().Warn("share cannot be used", "share", c.t.share.Name, "backends", c.t.share.Backends, "error", err)
	return connectError(err)
}

// reply is step 5: the backend's view of the file, and our FileId and grant.
func (c *creation) reply(o *open, grant *core.Result) {
	m := &c.found.reply
	replyContexts(m, c.t.readOnly)
	m.CreateContexts = without(m.CreateContexts, smb2.CreateQueryOnDiskID)
	if c.wantsID { // the file system's number as it is at every backend
		id := smb2.QueryOnDiskIDResponse{DiskFileID: c.found.disk.DiskFileID, VolumeID: c.found.volume}
		m.CreateContexts = append(m.CreateContexts, smb2.CreateContext{Name: []byte(smb2.CreateQueryOnDiskID), Data: id.Append(nil)})
	}
	if !c.wantsAccess {
		m.CreateContexts = without(m.CreateContexts, smb2.CreateQueryMaximalAccessRequest)
	}
	m.FileID, m.OplockLevel = o.id, grant.Oplock
	if grant.Oplock == smb2.OplockLevelLease {
		m.CreateContexts = append(m.CreateContexts, leaseContext(&grant.Lease))
	}
	m.CreateContexts = append(m.CreateContexts, c.answerDurable(grant)...)
	m.CreateContexts = append(m.CreateContexts, c.answered...)
	c.r.SetFileID(o.id)
	c.r.Reply(ntstatus.Success, m)
}

// without drops the contexts of a name.
func without(list []smb2.CreateContext, name string) []smb2.CreateContext {
	kept := list[:0]
	for _, x := range list {
		if string(x.Name) != name {
			kept = append(kept, x)
		}
	}
	return kept
}

// backendReply is a reply of a CREATE that stays good.
func backendReply(reply *transport.Frame) (m smb2.CreateResponse, fid backend.FileID, err error) {
	err = m.Decode(append([]byte(nil), reply.Bytes()...))
	return m, backend.FileIDOf(m.FileID), err
}
