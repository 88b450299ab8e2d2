package core

import "smbproxy/internal/smb2"

// Effect is something that the driver does after Apply, outside any lock and in order.
type Effect interface{ effect() }

// BreakOplock asks for an oplock break notification on an open ([MS-SMB2] 3.3.4.6).
// To is II or none. No acknowledgement is expected when a level II oplock is broken.
type BreakOplock struct {
	Open    OpenID
	Session SessionID
	To      smb2.OplockLevel
	Ack     bool
}

// BreakLease asks for a lease break notification ([MS-SMB2] 3.3.4.7). Session is one of
// the sessions with an open on the lease; any channel of that client will do. After, if
// not zero, is the acknowledgement that led to it: its response goes first.
type BreakLease struct {
	Lease   LeaseID
	Session SessionID
	Epoch   uint16 // 0 for a version 1 lease
	Current smb2.LeaseState
	New     smb2.LeaseState
	Ack     bool
	After   RequestID

	Directory bool // a directory's: nobody waits for it
}

// Complete ends a request that was answered StatusPending.
type Complete struct {
	Req    RequestID
	Result Result
}

// CloseReason says why the core closed an open by itself.
type CloseReason uint8

// Reasons of Closed.
const (
	ClosedBySession     CloseReason = iota // its session ended and it was not durable
	ClosedByTimeout                        // disconnected for too long
	ClosedByConflict                       // disconnected and in the way of another open
	ClosedByAppInstance                    // another client came with its AppInstanceId
	ClosedByAdmin                          // ForceClose
)

// Closed tells that the core closed an open that its owner did not close: the backend's
// handles of it must go. Delete as in Result.
type Closed struct {
	Open    OpenID
	Reason  CloseReason
	Session SessionID // zero when it was disconnected
	Delete  *Deletion
	Needed  bool   // as of Result
	User    string // whose open it was
	Display string // of a persistent open: its path as it was spelt
}

// Persist asks for a record to be on disk. It comes before the Complete or is returned
// with the result that promises it.
type Persist struct{ Record Record }

// Forget asks for the record of a persistent open to be removed.
type Forget struct{ Open OpenID }

func (BreakOplock) effect() {}
func (BreakLease) effect()  {}
func (Complete) effect()    {}
func (Closed) effect()      {}
func (Persist) effect()     {}
func (Forget) effect()      {}
