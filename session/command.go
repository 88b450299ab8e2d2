package session

import (
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// Needs says what must exist before a command may run ([MS-SMB2] 3.3.5.2.9, 3.3.5.2.11).
type Needs uint8

// The preconditions that the table of commands can ask for.
const (
	// NeedsSession wants an authenticated session of this connection.
	NeedsSession Needs = 1 << iota
	// NeedsTree wants a tree connect of that session.
	NeedsTree
	// NeedsFile says that the request names an open; FileIDOffset says where. Whether the open exists
	// is for Run to see: opens are not session's.
	NeedsFile
	// AllowExpired lets the command pass when the session has expired: LOGOFF, CLOSE, and LOCK, which
	// must then itself refuse everything but unlocking ([MS-SMB2] 3.3.5.2.9).
	AllowExpired
)

// Command is one row of the table of commands: preconditions as data, and what to run.
type Command struct {
	Name          string
	StructureSize uint16 // of the request's body; a wrong one is STATUS_INVALID_PARAMETER; 0: Run looks itself
	Needs         Needs
	// Free, where it is there, says of a request without a session that it needs nothing of what Needs says. What it looks at
	// has not been checked.
	Free         func(*Request) bool
	FileIDOffset int // of the FileId in the request, from the header's start; 0: none
	// Run answers the request. It must not block, and ends the request sooner or later, on any
	// goroutine, by exactly one of Reply, ReplyFrame, Fail, FailData and Disconnect.
	Run func(*Request)
}

// commandCount is the number of SMB2 commands, [MS-SMB2] 2.2.1.
const commandCount = 19

// Upper is told what has gone, so that it can close the opens. Called without locks, must not block
// for long. A session that ends, by LOGOFF, with its last connection or for a new one, is announced
// first, while its trees are still known: its durable opens outlive it ([MS-SMB2] 3.3.7.1), those of
// a tree that is disconnected (3.3.5.8) do not. Its trees follow, then the session itself.
type Upper interface {
	SessionEnds(*Session)
	SessionClosed(*Session)
	TreeClosed(*TreeConnect)
	ConnectionClosed(*Connection)
}

// Fault says who is to blame for a request's status, for the metric.
type Fault string

// The values of Fault.
const (
	FaultNone    Fault = ""
	FaultClient  Fault = "client"
	FaultProxy   Fault = "proxy"
	FaultBackend Fault = "backend"
)

// Observer is told once about every request that has ended. It must not block.
type Observer func(cmd smb2.Command, st ntstatus.Status, fault string, d time.Duration)
