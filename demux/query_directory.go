package demux

import (
	"context"
	"encoding/binary"
	"hash/maphash"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/session"
)

// directoryClasses are the forms of a directory entry that are relayed ([MS-SMB2] 2.2.33); smbd
// 4.17 knows the same.
var directoryClasses = map[smb2.InfoClass]bool{
	smb2.FileDirectoryInformation:       true,
	smb2.FileFullDirectoryInformation:   true,
	smb2.FileBothDirectoryInformation:   true,
	smb2.FileNamesInformation:           true,
	smb2.FileIdBothDirectoryInformation: true,
	smb2.FileIdFullDirectoryInformation: true,
}

// listing is how far the enumeration of a directory is. The backend's handle knows the place; when the open moves, the
// new one starts from the beginning, and the names that the client has are left out.
type listing struct {
	at       *handle  // whose place is the client's; nil: nothing was listed
	pattern  string   // of the scan
	returned []uint64 // hashes of the names that the client has
	skips    bool     // at started from the beginning behind the client's back
}

// queryDirectory serves QUERY_DIRECTORY ([MS-SMB2] 3.3.5.18).
func queryDirectory(r *session.Request) {
	o := openOf(r)
	if o == nil {
		return
	}
	var m smb2.QueryDirectoryRequest
	switch err := m.Decode(r.Message()); {
	case err != nil:
		r.FailErr(err)
	case !directoryClasses[m.FileInformationClass]:
		r.Fail(ntstatus.InvalidInfoClass)
	case !validPattern(m.FileName):
		r.Fail(ntstatus.ObjectNameInvalid)
	case o.scan(&m):
		p := prepareRelay(r, o, o.held(), m.OutputBufferLength, passListing)
		p.call.Frame.Release() // what is sent is made anew
		r.Go(func(ctx context.Context) { p.listAgain(ctx, o.held(), &m) })
	default:
		relay(r, o, m.OutputBufferLength, passListing)
	}
}

// scan notes what a QUERY_DIRECTORY begins; true: the handle does not know how far the client is.
func (o *open) scan(m *smb2.QueryDirectoryRequest) (lost bool) {
	held := o.held()
	o.mu.Lock()
	defer o.mu.Unlock()
	l := o.listing
	if l == nil || l.at == nil || m.Flags&(smb2.QueryDirectoryRestartScans|smb2.QueryDirectoryReopen) != 0 {
		o.listing = &listing{at: held, pattern: m.FileName}
		return false
	}
	return l.skips || l.at != held
}

// passListing is pass for QUERY_DIRECTORY: it remembers the names.
func passListing(p *op, h *smb2.Header, reply *transport.Frame, err error) {
	if err == nil && h.Status == ntstatus.Success && len(p.small) > smb2.HeaderSize+2 {
		p.open.has(smb2.InfoClass(p.small[smb2.HeaderSize+2]), reply.Bytes())
	}
	pass(p, h, reply, err)
}

// has remembers the names of a reply.
func (o *open) has(class smb2.InfoClass, msg []byte) {
	var m smb2.QueryDirectoryResponse
	if m.Decode(msg) != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if l := o.listing; l != nil {
		_ = smb2.RawDirectory(class, m.OutputBuffer, func(_, name []byte) bool { // what is broken is the client's to see
			l.returned = append(l.returned, maphash.Bytes(seed, name))
			return true
		})
	}
}

// listAgain serves a QUERY_DIRECTORY where the handle is not at the client's place: it starts from the beginning, once,
// and leaves out what the client has.
func (p *op) listAgain(ctx context.Context, h *handle, m *smb2.QueryDirectoryRequest) {
	o := p.open
	q := *m
	o.mu.Lock()
	l := o.listing
	if l == nil {
		l = &listing{pattern: m.FileName}
		o.listing = l
	}
	has := make(map[uint64]bool, len(l.returned))
	for _, n := range l.returned {
		has[n] = true
	}
	if l.at != h || q.Flags&smb2.QueryDirectoryRestartScans != 0 {
		q.Flags |= smb2.QueryDirectoryRestartScans
		q.FileName = l.pattern
	}
	l.at, l.skips = h, true
	o.mu.Unlock()
	for {
		q.FileID = h.fid.Wire()
		head, reply, err := ask(ctx, p.req, h.at, newRequest(smb2.CommandQueryDirectory, &q, 96+2*len(q.FileName)), smb2.CreditCharge(int(q.OutputBufferLength)))
		if o.lostOn(h, &head, err) {
			if reply != nil {
				reply.Release()
			}
			if err = p.retry(err); err == nil {
				return
			}
			p.end(nil, nil, err)
			return
		}
		if err == nil && head.Status == ntstatus.Success && leaveOut(m.FileInformationClass, reply, has) {
			reply.Release()
			q.Flags &^= smb2.QueryDirectoryRestartScans | smb2.QueryDirectoryReopen
			continue
		}
		p.end(&head, reply, err)
		if reply != nil {
			reply.Release()
		}
		return
	}
}

// leaveOut takes the entries out of a reply whose names the client has; true: none is left.
func leaveOut(class smb2.InfoClass, reply *transport.Frame, has map[uint64]bool) (empty bool) {
	var m smb2.QueryDirectoryResponse
	if len(has) == 0 || m.Decode(reply.Bytes()) != nil {
		return false
	}
	var kept []byte
	last := -1
	err := smb2.RawDirectory(class, m.OutputBuffer, func(entry, name []byte) bool {
		if has[maphash.Bytes(seed, name)] {
			return true
		}
		if last >= 0 {
			for len(kept)%8 != 0 {
				kept = append(kept, 0)
			}
			binary.LittleEndian.PutUint32(kept[last:], uint32(len(kept)-last))
		}
		last = len(kept)
		kept = append(kept, entry...)
		binary.LittleEndian.PutUint32(kept[last:], 0)
		return true
	})
	if err != nil {
		return false
	}
	if last < 0 {
		return true
	}
	m.OutputBuffer = kept
	reply.SetBytes(m.Append(append([]byte(nil), reply.Bytes()[:smb2.HeaderSize]...)))
	return false
}
