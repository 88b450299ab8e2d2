package core

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// Result answers a command. Status is Success, Pending (a Complete effect with the same
// RequestID follows) or the refusal; the other fields are set where a command says so.
type Result struct {
	Status ntstatus.Status

	// Retry comes with a refused Open whose name changed while it waited (its file was
	// unlinked): a disposition that may create begins again at step 2 of CREATE.
	Retry bool

	Open   OpenID
	Oplock smb2.OplockLevel // granted: none, II, exclusive, batch, lease
	Lease  LeaseGrant       // valid when Oplock is lease
	Hint   *Hint            // of the open's file, for CheckIO without the mutex

	Durable   bool   // a durable handle was granted, [MS-SMB2] 3.3.5.9.6, 3.3.5.9.10
	Persist   bool   // ... and a persistent one
	TimeoutMS uint32 // durable timeout that holds, milliseconds
	Replayed  bool   // Begin: this CREATE was answered before, Open says with what
	Detached  bool   // ... and its open has lost its session since: Reconnect

	// Delete is set by the last Close of a delete-pending file or stream: delete it at the
	// backend, then say Unlinked.
	Delete *Deletion

	// Needed is set by a Close that leaves the file delete-pending, of the open that made it so: nobody else may be able
	// to delete it at the backend, so its handle there is kept until Delete names it.
	Needed bool

	From    Name      // Rename: the name that it takes away, for Renamed
	Info    *OpenInfo // Query
	Changes []Change  // Notify: what happened since the last one
	Level   smb2.OplockLevel
	State   smb2.LeaseState // AckLease: the state that the lease has now
}

// LeaseGrant is what the response's lease context says ([MS-SMB2] 2.2.14.2.10, .11).
type LeaseGrant struct {
	Key       smb2.LeaseKey
	State     smb2.LeaseState
	Breaking  bool // SMB2_LEASE_FLAG_BREAK_IN_PROGRESS
	Epoch     uint16
	Version   uint8
	Parent    smb2.LeaseKey
	HasParent bool
}

// Deletion is a file to be deleted. By is the open that asked for it, whose handle at the
// backend has the right to.
type Deletion struct {
	File   FileKey
	Stream string
	Name   Name
	By     OpenID
	Parent LeaseID // directory lease that the last closer held for its own changes
}

// refuse is a Result that is only a status.
func refuse(st ntstatus.Status) Result { return Result{Status: st} }

// pending is the Result of a command that waits.
var pending = Result{Status: ntstatus.Pending}
