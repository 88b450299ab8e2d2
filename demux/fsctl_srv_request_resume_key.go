package demux

import (
	"crypto/rand"
	"encoding/binary"

	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/session"
)

// resumeKeySize is the length of SRV_REQUEST_RESUME_KEY's ResumeKey, [MS-SMB2] 2.2.32.3.
const resumeKeySize = 24

// resumeKey names an open as the source of a server-side copy. The client's key is our own: the
// client's FileId and eight random bytes, so that a key outlives no open and cannot be guessed.
// The backend's is what smbd gave for its handle.
type resumeKey struct {
	client, backend [resumeKeySize]byte
	held            *handle // that the backend's is of
}

// requestResumeKey serves FSCTL_SRV_REQUEST_RESUME_KEY ([MS-SMB2] 3.3.5.15.5).
func requestResumeKey(_ *Demux, r *session.Request, o *open, m *smb2.IoctlRequest) {
	relay(r, o, ioctlPayload(m), mapResumeKey)
}

// mapResumeKey puts our key in the place of the backend's.
func mapResumeKey(p *op, h *smb2.Header, reply *transport.Frame, err error) {
	var m smb2.IoctlResponse
	if !fsctlCarries(p, h, reply, err, &m) {
		return
	}
	if len(m.Output) >= resumeKeySize {
		key := p.open.resumeKeyFor([resumeKeySize]byte(m.Output), p.held)
		copy(m.Output, key[:])
	}
	p.answerFsctl(h, reply)
}

// resumeKeyFor keeps the backend's key and returns the client's, which stays the same for the
// life of the open.
func (o *open) resumeKeyFor(backend [resumeKeySize]byte, held *handle) [resumeKeySize]byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.resumeKey == nil {
		k := &resumeKey{}
		binary.LittleEndian.PutUint64(k.client[:], o.id.Persistent)
		binary.LittleEndian.PutUint64(k.client[8:], o.id.Volatile)
		rand.Read(k.client[16:])
		o.resumeKey = k
	}
	o.resumeKey.backend, o.resumeKey.held = backend, held
	return o.resumeKey.client
}

// findResumeKey is the open that a client's key names and the backend's key for it with the handle that
// it is good for, if the session has such an open and has asked for its key.
func (cs *clientSession) findResumeKey(key []byte) (o *open, backend [resumeKeySize]byte, held *handle) {
	o = cs.find(smb2.FileID{Persistent: binary.LittleEndian.Uint64(key), Volatile: binary.LittleEndian.Uint64(key[8:])})
	if o == nil {
		return nil, backend, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.resumeKey == nil || o.resumeKey.client != [resumeKeySize]byte(key) {
		return nil, backend, nil
	}
	return o, o.resumeKey.backend, o.resumeKey.held
}
