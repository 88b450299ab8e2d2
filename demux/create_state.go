package demux

import (
	"context"
	"hash/fnv"
	"strings"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/statedb/core"
)

// planState sorts out what the state will be asked for.
func (c *creation) planState() {
	c.req = c.d.state.NewRequestID()
	for _, x := range c.asked.CreateContexts {
		c.wantsID = c.wantsID || string(x.Name) == smb2.CreateQueryOnDiskID
		c.wantsAccess = c.wantsAccess || string(x.Name) == smb2.CreateQueryMaximalAccessRequest
	}
	path, _ := splitStream(c.name)
	c.base = core.Name{Volume: c.t.volume(), Path: foldName(path)}
}

// leaseOf takes the oplock or lease that the client asks for out of its request, as far as the share
// grants it: with other writers nothing but caching of reads. Directories are not leased.
//
// Samba: a lease without context, or of version 2 before 3.0, is none (4.17).
func (c *creation) leaseOf(m *smb2.CreateRequest) error {
	c.oplock = m.RequestedOplockLevel
	if c.oplock == smb2.OplockLevelLease {
		c.oplock = smb2.OplockLevelNone
		for _, x := range m.CreateContexts {
			if string(x.Name) != smb2.CreateRequestLease {
				continue
			}
			var l smb2.RequestLease
			if l.Decode(x.Data) != nil {
				return ntstatus.InvalidParameter
			}
			if dialect := c.r.Connection.Dialect(); dialect < smb2.Dialect210 || l.V2 && dialect < smb2.Dialect300 {
				continue
			}
			c.oplock, c.lease = smb2.OplockLevelLease, leaseRequest(&l)
		}
	}
	if c.t.share.OtherWriters {
		if c.lease != nil {
			c.lease.State &= smb2.LeaseReadCaching
		} else if c.oplock != smb2.OplockLevelNone {
			c.oplock = smb2.OplockLevelII
		}
	}
	return nil
}

// leaseRequest is a lease context in the state's words.
func leaseRequest(l *smb2.RequestLease) *core.LeaseRequest {
	q := &core.LeaseRequest{Key: l.LeaseKey, State: l.LeaseState, Version: 1}
	if l.V2 {
		q.Version, q.Epoch = 2, l.Epoch
		q.HasParent, q.Parent = l.LeaseFlags&smb2.LeaseFlagParentLeaseKeySet != 0, l.ParentLeaseKey
	}
	return q
}

// leaseContext is the context of the reply ([MS-SMB2] 2.2.14.2.10, 2.2.14.2.11).
func leaseContext(g *core.LeaseGrant) smb2.CreateContext {
	l := smb2.RequestLease{V2: g.Version == 2, LeaseKey: g.Key, LeaseState: g.State, Epoch: g.Epoch}
	if g.Breaking {
		l.LeaseFlags |= smb2.LeaseFlagBreakInProgress
	}
	if g.HasParent {
		l.LeaseFlags |= smb2.LeaseFlagParentLeaseKeySet
		l.ParentLeaseKey = g.Parent
	}
	return smb2.CreateContext{Name: []byte(smb2.CreateRequestLease), Data: l.Append(nil)}
}

// holdBreaks keeps breaks back of what this CREATE may be granted, letBreaksGo ends that. Who asks for no caching
// has nothing to break.
func (c *creation) holdBreaks() {
	if c.oplock != smb2.OplockLevelNone {
		c.d.sink.hold(c.id)
	}
	if c.lease != nil {
		c.d.sink.hold(c.leaseID())
	}
}

func (c *creation) letBreaksGo() {
	if c.oplock != smb2.OplockLevelNone {
		c.d.sink.release(c.id)
	}
	if c.lease != nil {
		c.d.sink.release(c.leaseID())
	}
}

func (c *creation) leaseID() core.LeaseID {
	return core.LeaseID{Client: c.r.Session.ClientGUID(), Key: c.lease.Key}
}

// give gives the state the command of a step; a result that is pending is for await.
func (c *creation) give(cmd core.Command) core.Result {
	if c.answer == nil {
		answer := make(chan core.Result, 1)
		c.answer, c.gotAnswer = answer, func(res core.Result) { answer <- res }
	}
	return c.d.state.Do(context.Background(), cmd, c.gotAnswer)
}

// await is what the state says in the end.
func (c *creation) await(ctx context.Context, res core.Result) core.Result {
	if res.Status != ntstatus.Pending {
		return res
	}
	return c.d.awaitAnswer(ctx, c.r, c.req, c.answer, c.keep)
}

// begin asks for the name's turn, and finds whether this CREATE was answered before.
func (c *creation) begin() core.Result {
	disposition := c.asked.CreateDisposition
	b := &core.Begin{
		Req: c.req, Session: core.SessionID(c.r.Session.ID), Name: c.base, Client: c.r.Session.ClientGUID(),
		Create: c.durable.createGUID(), Replay: c.durable.replay, User: c.t.backendUser(),
		MayCreate: disposition != smb2.FileOpen && disposition != smb2.FileOverwrite,
	}
	if c.lease != nil {
		b.Lease = &c.lease.Key
	}
	return c.give(b)
}

// arbitrate is step 3.
func (c *creation) arbitrate() core.Result {
	f := &c.found
	path, stream := splitStream(c.name)
	q := &core.Open{
		Req: c.req, ID: c.id, Session: core.SessionID(c.r.Session.ID), Client: c.r.Session.ClientGUID(),
		User: c.t.backendUser(),
		File: c.fileKey(),
		Name: c.base, Display: path, Stream: foldStream(stream), Spelt: speltStream(stream), Directory: f.directory(), Held: true,
		Access: f.granted, Share: c.asked.ShareAccess, Options: c.asked.CreateOptions,
		Created: f.created, WithBase: f.madeBase(), Overwrite: f.destroys, ImpliedDelete: c.asked.DesiredAccess&smb2.Delete == 0, Oplock: c.oplock, Lease: c.lease,
	}
	q.Durable, q.App = c.durable.request, c.durable.app
	if q.Directory {
		c.planDirectory(q)
	}
	return c.give(q)
}

// planDirectory leaves of what is asked for what a directory may have: a lease of version 2 where nothing changes behind us
// ([MS-SMB2] 3.3.5.9.11). Its handle is durable only if it is persistent: where a listing stands is lost with the session.
func (c *creation) planDirectory(q *core.Open) {
	if q.Lease == nil || q.Lease.Version < 2 || c.t.share.OtherWriters {
		q.Oplock, q.Lease = smb2.OplockLevelNone, nil
	}
	if q.Durable != nil && !q.Durable.Persistent {
		q.Durable = nil
	}
}

// fileKey is the identity of the file that step 2 has found.
func (c *creation) fileKey() core.FileKey {
	return core.FileKey{Volume: c.found.volume, ID: c.found.disk.DiskFileID, Snapshot: c.snapshot()}
}

// snapshot is the time of the snapshot that is opened, 0 for the live file.
func (c *creation) snapshot() uint64 {
	for _, x := range c.asked.CreateContexts {
		var t smb2.TimewarpToken
		if string(x.Name) == smb2.CreateTimewarpToken && t.Decode(x.Data) == nil {
			return uint64(t.Timestamp)
		}
	}
	return 0
}

// volume is the space of names that the tree's share is.
func (t *tree) volume() uint64 { return t.share.volume() }

// volume is the space of names that the share is; shares of one backend share have the same.
func (s *Share) volume() uint64 { return hashed(s.space(), 0) }

// hashed makes one number of a backend's word and a number of its.
func hashed(word string, n uint64) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(word))
	return h.Sum64() ^ n*0x9E3779B97F4A7C15
}

// foldName makes names equal that differ in case only.
func foldName(name string) string { return strings.ToUpper(name) }

// foldStream is the folded name of a stream, empty for the file's own data.
func foldStream(stream string) string {
	s := foldName(strings.TrimPrefix(stream, ":"))
	return strings.TrimSuffix(strings.TrimSuffix(s, ":$DATA"), ":")
}

// speltStream is the name of a stream as it is spelt, empty for the file's own data.
func speltStream(stream string) string {
	s := strings.TrimPrefix(stream, ":")
	if n := len(s) - len(":$DATA"); n >= 0 && strings.EqualFold(s[n:], ":$DATA") {
		s = s[:n]
	}
	return strings.TrimSuffix(s, ":")
}

// specific maps generic rights to those that they stand for on files ([MS-SMB2] 2.2.13.1.1).
func specific(a smb2.AccessMask) smb2.AccessMask {
	for _, g := range [...]struct{ generic, rights smb2.AccessMask }{
		{smb2.GenericRead, 0x00120089}, {smb2.GenericWrite, 0x00120116},
		{smb2.GenericExecute, 0x001200A0}, {smb2.GenericAll, smb2.FileAllAccess},
	} {
		if a&g.generic != 0 {
			a = a&^g.generic | g.rights
		}
	}
	return a
}
