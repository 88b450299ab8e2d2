package demux

import (
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/statedb/core"
)

// durability is what a CREATE says about outliving its session: the contexts DHnQ, DHnC, DH2Q, DH2C
// and AppInstanceId(Version), [MS-SMB2] 3.3.5.9.6, .7, .10, .12, .13, .16.
type durability struct {
	request *core.DurableRequest // DHnQ, DH2Q; nil: none
	resume  *resume              // DHnC, DH2C; nil: this is a CREATE of its own
	app     *core.AppInstance
	replay  bool // SMB2_FLAGS_REPLAY_OPERATION
}

// resume is what a client that reconnects shows.
type resume struct {
	open       core.OpenID
	v2         bool
	create     core.GUID // v2
	persistent bool      // v2
	lease      *smb2.LeaseKey
}

// durableContexts are those contexts of a CREATE, by name; nil: not there.
type durableContexts struct {
	dhnq, dhnc, dh2q, dh2c, lease, app, version []byte
	count                                       int // of all contexts
}

// sortDurable finds them. Those of version 2 mean nothing to clients before 3.0.
func sortDurable(list []smb2.CreateContext, dialect smb2.Dialect) (x durableContexts) {
	x.count = len(list)
	for _, c := range list {
		data := c.Data
		if data == nil {
			data = []byte{}
		}
		switch string(c.Name) {
		case smb2.CreateDurableHandleRequest:
			x.dhnq = data
		case smb2.CreateDurableHandleReconnect:
			x.dhnc = data
		case smb2.CreateRequestLease:
			x.lease = data
		}
		if dialect < smb2.Dialect300 {
			continue
		}
		switch string(c.Name) {
		case smb2.CreateDurableHandleRequestV2:
			x.dh2q = data
		case smb2.CreateDurableHandleReconnectV2:
			x.dh2c = data
		case smb2.CreateAppInstanceID:
			x.app = data
		case smb2.CreateAppInstanceVersion:
			x.version = data
		}
	}
	return x
}

// check says which contexts do not go together.
//
// Samba: the statuses; a reconnect carries nothing else but a lease, and DHnQ beside DHnC (4.17).
func (x *durableContexts) check() ntstatus.Status {
	reconnects := 0
	for _, c := range [...][]byte{x.dhnc, x.dh2c} {
		if c != nil {
			reconnects++
		}
	}
	switch {
	case reconnects == 2, x.dhnc != nil && x.dh2q != nil, x.dh2c != nil && (x.dhnq != nil || x.dh2q != nil), x.dhnq != nil && x.dh2q != nil:
		return ntstatus.InvalidParameter
	case reconnects == 0:
		return ntstatus.Success
	}
	allowed := 1
	if x.lease != nil {
		allowed++
	}
	if x.dhnc != nil && x.dhnq != nil {
		allowed++
	}
	if x.count != allowed {
		return ntstatus.ObjectNameNotFound
	}
	return ntstatus.Success
}

// planDurable takes the contexts out of the client's request. Nobody in particular keeps nothing: whoever comes
// back as a guest need not be who has left.
func (c *creation) planDurable(m *smb2.CreateRequest) error {
	dialect := c.r.Connection.Dialect()
	x := sortDurable(m.CreateContexts, dialect)
	if st := x.check(); st != ntstatus.Success {
		return st
	}
	id := c.r.Session.Identity()
	c.durable.replay = c.r.Header.Flags&smb2.FlagReplay != 0
	if err := c.planResume(&x); err != nil || c.durable.resume != nil {
		return err
	}
	if id.Guest || id.Anonymous {
		return nil
	}
	if x.dhnq != nil {
		c.durable.request = &core.DurableRequest{}
		return (smb2.DurableHandleRequest{}).Decode(x.dhnq)
	}
	if x.dh2q != nil {
		var q smb2.DurableHandleRequestV2
		if q.Decode(x.dh2q) != nil {
			return ntstatus.InvalidParameter
		}
		c.durable.request = &core.DurableRequest{
			V2: true, Create: q.CreateGUID, Timeout: time.Duration(q.Timeout) * time.Millisecond,
			Persistent: q.Flags&smb2.DurableFlagPersistent != 0 && c.t.available(c.r.Connection),
		}
	}
	if q := c.durable.request; q != nil && q.Persistent {
		m.CreateOptions |= smb2.FileWriteThrough // what is acknowledged there is on disk: DESIGN 8
	}
	return c.planApp(&x)
}

// planApp reads AppInstanceId and AppInstanceVersion.
func (c *creation) planApp(x *durableContexts) error {
	if x.app == nil {
		return nil
	}
	var a smb2.AppInstanceID
	if a.Decode(x.app) != nil {
		return ntstatus.InvalidParameter
	}
	c.durable.app = &core.AppInstance{ID: a.ID}
	if x.version == nil {
		return nil
	}
	var v smb2.AppInstanceVersion
	if v.Decode(x.version) != nil {
		return ntstatus.InvalidParameter
	}
	c.durable.app.HasVersion, c.durable.app.High, c.durable.app.Low = true, v.High, v.Low
	return nil
}

// planResume reads DHnC or DH2C and the lease beside it, which counts whatever oplock level is asked for.
func (c *creation) planResume(x *durableContexts) error {
	var s resume
	switch {
	case x.dhnc != nil:
		var q smb2.DurableHandleReconnect
		if q.Decode(x.dhnc) != nil {
			return ntstatus.InvalidParameter
		}
		s.open = core.OpenID(q.FileID.Persistent)
	case x.dh2c != nil:
		var q smb2.DurableHandleReconnectV2
		if q.Decode(x.dh2c) != nil {
			return ntstatus.InvalidParameter
		}
		s.open, s.v2, s.create = core.OpenID(q.FileID.Persistent), true, q.CreateGUID
		s.persistent = q.Flags&smb2.DurableFlagPersistent != 0
	default:
		return nil
	}
	if x.lease != nil {
		var l smb2.RequestLease
		if l.Decode(x.lease) != nil {
			return ntstatus.InvalidParameter
		}
		if dialect := c.r.Connection.Dialect(); dialect >= smb2.Dialect300 || !l.V2 && dialect >= smb2.Dialect210 {
			c.lease = leaseRequest(&l)
			s.lease = &c.lease.Key
		}
	}
	c.durable.resume = &s
	return nil
}

// answerDurable are the contexts of the reply ([MS-SMB2] 2.2.14.2.3, 2.2.14.2.12).
//
// Samba: a replay that asks for less than a batch oplock or a lease is not told (4.17).
func (c *creation) answerDurable(grant *core.Result) []smb2.CreateContext {
	q := c.durable.request
	switch {
	case q == nil || !grant.Durable:
		return nil
	case !q.V2:
		return []smb2.CreateContext{{Name: []byte(smb2.CreateDurableHandleRequest), Data: (smb2.DurableHandleResponse{}).Append(nil)}}
	case grant.Replayed && c.asked.RequestedOplockLevel != smb2.OplockLevelBatch && c.asked.RequestedOplockLevel != smb2.OplockLevelLease:
		return nil
	}
	a := smb2.DurableHandleResponseV2{Timeout: grant.TimeoutMS}
	if grant.Persist {
		a.Flags |= smb2.DurableFlagPersistent
	}
	return []smb2.CreateContext{{Name: []byte(smb2.CreateDurableHandleRequestV2), Data: a.Append(nil)}}
}

// seen ends the replay of the open's CREATE: the client uses the handle, so it has seen the answer.
//
// Samba: any request that names the open ends it (4.17).
func (o *open) seen() {
	if o.unseen.Swap(false) {
		o.tree.demux.tell(&core.Seen{Open: o.state})
	}
}

// createGUID is the CreateGuid by which the CREATE may be replayed, zero without.
func (d *durability) createGUID() core.GUID {
	if d.request == nil {
		return core.GUID{}
	}
	return d.request.Create
}
