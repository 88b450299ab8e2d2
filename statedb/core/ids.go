package core

import (
	"strings"
	"time"

	"smbproxy/internal/smb2"
)

// Instant is a point in time in nanoseconds of the driver's monotonic clock. Zero means
// "never" where an Instant is a deadline.
type Instant int64

// Add returns the instant d later.
func (t Instant) Add(d time.Duration) Instant { return t + Instant(d) }

// RequestID names one request that may have to wait. The driver chooses it; it must not
// be in use by another waiting request. Zero is not valid.
type RequestID uint64

// OpenID names an open: the persistent part of its FileId. Whoever asks for an open
// chooses it, so that asking twice is the same as asking once. The node number stands in
// its high bits.
type OpenID uint64

// SessionID names whom opens belong to and are released with: one session of a client.
type SessionID uint64

// GUID is the wire form of a GUID.
type GUID = smb2.GUID

// FileKey is the identity of a file or directory, without the stream.
type FileKey struct {
	Volume   uint64 // the file system that the share lies on
	ID       uint64 // inode
	Birth    uint64 // creation time: an inode number is used again
	Snapshot uint64 // @GMT time, 0 for the live file
}

// Name is a path in a volume: folded (equal names are equal strings), components parted
// by one backslash, none at either end, "" for the root, no stream.
type Name struct {
	Volume uint64
	Path   string
}

// parent returns the directory that holds n; the root has none.
func (n Name) parent() (Name, bool) {
	if n.Path == "" {
		return Name{}, false
	}
	if i := strings.LastIndexByte(n.Path, '\\'); i >= 0 {
		return Name{n.Volume, n.Path[:i]}, true
	}
	return Name{n.Volume, ""}, true
}

// LeaseID names a lease: keys are only unique within a client ([MS-SMB2] 3.3.1.4, the
// lease table of a ClientGuid).
type LeaseID struct {
	Client GUID
	Key    smb2.LeaseKey
}

// createID names a CREATE for replay: CreateGuid within a client ([MS-SMB2] 3.3.5.9.10).
type createID struct {
	client GUID
	guid   GUID
}
