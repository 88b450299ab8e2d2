package backend

import "smbproxy/internal/smb2"

// FileID is a FileId that smbd gave out. It is a type of its own so that a
// client's id cannot be sent to a backend, nor this one to a client, without
// somebody having said so. Good on one lane only.
type FileID struct{ id smb2.FileID }

// FileIDOf takes an id from a backend's reply.
func FileIDOf(wire smb2.FileID) FileID { return FileID{wire} }

// Wire is the id as a request to the same lane wants it.
func (f FileID) Wire() smb2.FileID { return f.id }
