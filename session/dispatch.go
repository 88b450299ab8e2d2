package session

import (
	"encoding/binary"
	"errors"

	"smbproxy/crypto"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// le reads the few fields that the preconditions need in place.
var le = binary.LittleEndian

// dispatch checks the preconditions of one request, in the order of [MS-SMB2] 3.3.5.2, and runs it.
func (c *Connection) dispatch(r *Request) {
	if err := c.admissible(r); err != nil {
		r.release() // Run's reference
		r.Disconnect(err)
		return
	}
	st := r.check()
	if st != ntstatus.Success {
		if r.Header.Command == smb2.CommandCancel {
			r.vanishUnrun()
			return
		}
		r.release() // Run's reference
		r.Fail(st)
		return
	}
	if r.unprotectedTreeConnect() {
		r.release() // Run's reference
		r.Disconnect(errUnprotected)
		return
	}
	r.run()
}

// errUnprotected is why a connection ends at an unsigned TREE_CONNECT.
var errUnprotected = errors.New("neither signed nor sealed, which 3.1.1 demands")

// unprotectedTreeConnect tells whether this is a TREE_CONNECT of 3.1.1 that is neither signed nor sealed: what was
// negotiated could have been forged, and so it ends the connection ([MS-SMB2] 3.3.5.7).
func (r *Request) unprotectedTreeConnect() bool {
	return r.Header.Command == smb2.CommandTreeConnect && r.Connection.neg.dialect == smb2.Dialect311 &&
		r.Session != nil && r.Session.signer != nil && !r.sealed && r.signer == nil
}

// vanishUnrun ends a CANCEL that must not be heeded.
func (r *Request) vanishUnrun() {
	r.release() // Run's reference
	r.vanish()
}

// admissible finds what ends the connection: NEGOTIATE must be first and once ([MS-SMB2] 3.3.5.2, 3.3.5.4), and a
// sealed message must be for the session it was sealed with (3.3.5.2.1.1).
func (c *Connection) admissible(r *Request) error {
	h := &r.Header
	if (h.Command == smb2.CommandNegotiate) == c.neg.done {
		return violation("%v at the wrong time", h.Command)
	}
	if r.sealed && !r.Related() {
		if id, _ := r.frame.Sealed(); id != h.SessionID {
			return violation("message for session 0x%x sealed by session 0x%x", h.SessionID, id)
		}
	}
	return nil
}

// check goes through the preconditions that fail a request.
func (r *Request) check() ntstatus.Status {
	c, h := r.Connection, &r.Header
	if h.Command < commandCount {
		r.row = &c.server.table[h.Command]
	}
	st := r.findSession()
	switch {
	case r.sealed && r.Session == nil:
		// opener found it on another connection of the client. Not what the header says: a related request's is unchecked.
		id, _ := r.frame.Sealed()
		r.sealFor = c.server.session(id)
	case r.sealed:
		r.sealFor = r.Session
	case r.Session != nil && r.Session.authenticated() && r.Session.encryptData && h.Command != smb2.CommandSessionSetup:
		r.sealFor = r.Session
		if r.Session.rejectPlain {
			return ntstatus.AccessDenied
		}
	}
	if r.row == nil || r.row.Run == nil {
		return ntstatus.InvalidParameter
	}
	if h.Flags&^c.allowedFlags(h.Command) != 0 {
		return ntstatus.InvalidParameter
	}
	if r.Related() && st == ntstatus.UserSessionDeleted {
		return ntstatus.InvalidParameter // Samba: what a compound inherits must be there (4.17)
	}
	if st := r.checkSignature(); st != ntstatus.Success {
		return st
	}
	needs := r.row.Needs
	if h.SessionID == 0 && r.row.Free != nil && r.row.Free(r) {
		needs = 0
	}
	if needs&NeedsSession != 0 {
		if st != ntstatus.Success {
			return st
		}
		if st := r.checkExpiry(); st != ntstatus.Success {
			return st
		}
	}
	if needs&NeedsTree != 0 {
		if st := r.findTree(); st != ntstatus.Success {
			return st
		}
	}
	return r.checkBody()
}

// allowedFlags are the header flags that a request may carry.
//
// Samba: others fail with STATUS_INVALID_PARAMETER (4.17).
func (c *Connection) allowedFlags(cmd smb2.Command) smb2.Flags {
	flags := smb2.FlagRelated | smb2.FlagSigned | smb2.FlagDFS
	if c.neg.dialect >= smb2.Dialect300 {
		flags |= smb2.FlagReplay
	}
	if c.neg.dialect == smb2.Dialect311 || cmd == smb2.CommandNegotiate {
		flags |= smb2.FlagPriorityMask
	}
	if cmd == smb2.CommandCancel {
		flags |= smb2.FlagAsync
	}
	return flags
}

// findSession looks in Connection.SessionTable ([MS-SMB2] 3.3.5.2.9). Its status counts only for commands that need
// a session.
//
// Samba: a session in progress has no handle yet, one that is authenticating anew refuses some commands (4.17).
func (r *Request) findSession() ntstatus.Status {
	if !r.Related() {
		if r.channel = r.Connection.channel(r.Header.SessionID); r.channel != nil {
			r.Session = r.channel.session
		}
	}
	switch {
	case r.channel == nil || r.Session.Closed():
		return ntstatus.UserSessionDeleted
	case !r.Session.authenticated():
		return ntstatus.InvalidHandle
	case !r.channel.ready.Load():
		return ntstatus.UserSessionDeleted
	case r.Session.reauth.Load():
		switch r.Header.Command {
		case smb2.CommandTreeConnect, smb2.CommandCreate, smb2.CommandQueryInfo, smb2.CommandSetInfo:
			return ntstatus.InvalidHandle
		default:
		}
	}
	return ntstatus.Success
}

// checkSignature verifies the signature, or that there need not be one ([MS-SMB2] 3.3.5.2.4). From here on the reply
// is signed too.
func (r *Request) checkSignature() ntstatus.Status {
	h := &r.Header
	signed := h.Flags&smb2.FlagSigned != 0
	required := r.Session != nil && r.Session.authenticated() && r.Session.signingRequired
	switch {
	case r.sealed:
		return ntstatus.Success
	case !signed && !required:
		return ntstatus.Success
	case h.Command == smb2.CommandNegotiate:
		return ntstatus.InvalidParameter
	case h.Command == smb2.CommandCancel && !signed:
		return ntstatus.Success // Samba: CANCEL may go unsigned (4.17); it has no effect on data
	}
	if r.channel == nil && h.Command != smb2.CommandSessionSetup {
		return ntstatus.UserSessionDeleted
	}
	signer := r.findSigner()
	if h.Command != smb2.CommandCancel {
		r.signer = signer
	}
	switch {
	case signed && signer != nil && transport.VerifyMessage(r.Message(), signer):
		return ntstatus.Success
	case h.Command == smb2.CommandSessionSetup && (r.channel == nil || !r.channel.ready.Load()):
		r.badSig = true // for setupChannel to judge, after what says more
		return ntstatus.Success
	}
	return ntstatus.AccessDenied
}

// findSigner is the key by which the request should be signed: the channel's, else the session's, which a SESSION_SETUP
// that binds uses ([MS-SMB2] 3.3.5.5): the session is then one of another connection.
func (r *Request) findSigner() *crypto.Signer {
	sess := r.Session
	if r.channel == nil {
		sess = r.Connection.server.session(r.Header.SessionID)
	} else if s := r.channel.signer.Load(); s != nil {
		return s
	}
	if sess == nil || !sess.authenticated() {
		return nil
	}
	return sess.signer
}

// checkExpiry refuses what an expired session may not do.
func (r *Request) checkExpiry() ntstatus.Status {
	if r.row.Needs&AllowExpired == 0 && r.Session.expiredAt(r.start) {
		return ntstatus.NetworkSessionExpired
	}
	return ntstatus.Success
}

// findTree looks in Session.TreeConnectTable ([MS-SMB2] 3.3.5.2.11) and sees that the share's messages are sealed.
func (r *Request) findTree() ntstatus.Status {
	if !r.Related() {
		r.Tree = r.Session.tree(r.Header.TreeID)
	}
	if r.Tree == nil || r.Tree.Closed() {
		r.Tree = nil
		return ntstatus.NetworkNameDeleted
	}
	if r.Tree.EncryptData {
		if r.Session.CanEncrypt() {
			r.sealFor = r.Session
		}
		if !r.sealed {
			return ntstatus.AccessDenied
		}
	}
	return ntstatus.Success
}

// checkBody checks the body's size, what it costs in credits, and finds the FileId.
func (r *Request) checkBody() ntstatus.Status {
	msg, row := r.Message(), r.row
	// StructureSize counts one byte of a variable part where it is odd; that byte need not be there.
	if row.StructureSize != 0 &&
		(len(msg) < smb2.HeaderSize+int(row.StructureSize&^1) || le.Uint16(msg[smb2.HeaderSize:]) != row.StructureSize) {
		return ntstatus.InvalidParameter
	}
	if st := r.checkPayload(msg); st != ntstatus.Success {
		return st
	}
	if row.FileIDOffset == 0 {
		return ntstatus.Success
	}
	if len(msg) < row.FileIDOffset+16 {
		return ntstatus.InvalidParameter
	}
	id := smb2.RawFileID(msg, row.FileIDOffset)
	if r.chain != nil {
		return r.chain.resolveFile(r, id)
	}
	r.FileID = id
	return ntstatus.Success
}

// checkPayload checks sizes against what was negotiated and against CreditCharge ([MS-SMB2] 3.3.5.2.5). Fields are
// within the fixed part, which has been checked.
func (r *Request) checkPayload(msg []byte) ntstatus.Status {
	c := r.Connection
	var size, limit uint64
	limit = uint64(c.neg.maxTransact)
	field := func(off int) uint64 { return uint64(le.Uint32(msg[off:])) }
	switch r.Header.Command {
	case smb2.CommandRead:
		size, limit = field(68), uint64(c.neg.maxRead)
	case smb2.CommandWrite:
		size, limit = field(68), uint64(c.neg.maxWrite)
	case smb2.CommandIoctl:
		in, out := field(92)+field(104), field(96)+field(108)
		if max(field(92), field(96), field(104), field(108)) > limit {
			return ntstatus.InvalidParameter
		}
		size, limit = max(in, out), 2*limit
	case smb2.CommandQueryDirectory:
		size = field(92)
	case smb2.CommandChangeNotify:
		size = field(68)
	case smb2.CommandQueryInfo:
		size = max(field(68), field(76))
	case smb2.CommandSetInfo:
		size = field(68)
	default:
		return ntstatus.Success
	}
	if size > limit {
		return ntstatus.InvalidParameter
	}
	if size > oneCredit && c.neg.multiCredit {
		if uint64(max(r.Header.CreditCharge, 1))*oneCredit < size {
			return ntstatus.InvalidParameter
		}
	}
	if cmd := r.Header.Command; cmd == smb2.CommandRead || cmd == smb2.CommandWrite {
		r.owed = int64(size)
		c.readGate.add(r.owed)
	}
	return ntstatus.Success
}
