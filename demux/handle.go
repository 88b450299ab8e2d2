package demux

import (
	"context"

	"smbproxy/demux/backend"
	"smbproxy/internal/smb2"
)

// handle is where an open is held at a backend. It never changes: an open that moves to another lane
// or backend gets another one, so that whoever has loaded it has a pair that belongs together.
type handle struct {
	at   *attachment // through which it was opened; one reference is the handle's
	fid  backend.FileID
	name string // under which the backend knows it
}

// putID writes the backend's id into a request on its way there.
func (h *handle) putID(msg []byte, off int) { smb2.SetRawFileID(msg, off, h.fid.Wire()) }

// close closes it at the backend, which nobody waits for, and gives the reference back.
func (h *handle) close() { closeAtBackend(h.at, h.fid) }

// closeNow closes it and waits: what is open is in the way of renames and deletions at its backend.
func (h *handle) closeNow(ctx context.Context) {
	head, reply, err := h.at.Do(ctx, smb2.CommandClose, &smb2.CloseRequest{FileID: h.fid.Wire()}, 1)
	_ = decodeDone(head, reply, err, &smb2.CloseResponse{}) // where it fails, it is closed with its lane
	h.at.drop()
}

// held is an open's handle for its name and everything that is not data of another backend: one
// atomic load.
func (o *open) held() *handle { return o.names.Load() }

// backendName is where it is held, empty for what is no backend's.
func (o *open) backendName() string {
	h := o.held()
	if o.local != nil || h == nil {
		return ""
	}
	return h.at.pool.Name()
}
