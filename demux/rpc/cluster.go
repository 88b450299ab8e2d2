package rpc

import "time"

// Caller is who has opened a pipe.
type Caller struct {
	User  string
	Admin bool // may list and close what others have open
}

// Cluster is what the one server that clients see has and does. Its methods must not block.
type Cluster interface {
	// Identity is who the server says it is.
	Identity() Identity
	// Shares are all shares, IPC$ included, in the order of the configuration.
	Shares() []Share
	// Sessions are the clients that have logged on.
	Sessions() []Session
	// Files are the open files and directories.
	Files() []File
	// Connections are the tree connects.
	Connections() []Connection
	// CloseSession ends a session, which may be gone.
	CloseSession(id uint64)
	// CloseFile ends an open, which may be gone.
	CloseFile(id uint64)
}

// Identity is what the server tells of itself.
type Identity struct {
	Name    string // NetBIOS name
	Domain  string // workgroup
	Comment string
}

// Share is one share.
type Share struct {
	Name, Comment string
	Pipes         bool // IPC$
	Hidden        bool // not browseable
	Uses          uint32
}

// Session is one session.
type Session struct {
	ID           uint64
	Client, User string
	Opens        uint32
	Since, Used  time.Time
	Guest        bool
	Dialect      string
}

// File is one open file.
type File struct {
	ID    uint64
	User  string
	Path  string // as the client sees it, share first, with backslashes
	Write bool   // was opened for writing
	Read  bool
	Make  bool // was opened for creating in it, or deleting it
	Locks uint32
}

// Connection is one tree connect.
type Connection struct {
	ID                  uint32
	User, Client, Share string
	Pipes               bool
	Opens               uint32
	Since               time.Time
}
