package session

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"smbproxy/crypto"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session/auth"
)

// Identity says on whose behalf a session acts.
type Identity = auth.Identity

// sessionState is Session.State ([MS-SMB2] 3.3.1.8) but for Expired, which is a matter of the clock.
type sessionState int32

// The states; see the package comment.
const (
	sessionInProgress sessionState = iota
	sessionValid
	sessionClosed
)

// Session is an authenticated user ([MS-SMB2] 3.3.1.8). It lives on one connection or, bound, on several.
type Session struct {
	ID uint64
	// Upper belongs to the layer above; it is set and read there only.
	Upper any

	server  *Server
	cfg     *Config
	born    time.Time
	address string // of the connection that made it

	// Written once, before state becomes Valid.
	dialect         smb2.Dialect
	clientGUID      smb2.GUID
	cipher          crypto.Cipher
	signingAlg      crypto.SigningAlgorithm
	signer          *crypto.Signer // Session.SigningKey; nil for guest and anonymous
	opener, sealer  *crypto.Sealer // nil where the client cannot encrypt
	applicationKey  []byte
	signingRequired bool
	encryptData     bool // SMB2_SESSION_FLAG_ENCRYPT_DATA: every reply is sealed
	rejectPlain     bool // and plain requests are refused

	state    atomic.Int32 // sessionState
	reauth   atomic.Bool  // a reauthentication is under way
	expiry   atomic.Int64 // Session.ExpirationTime in Unix nanoseconds; 0: never
	identity atomic.Pointer[Identity]

	mu       sync.RWMutex // guards all below
	channels []*channel
	trees    map[uint32]*TreeConnect
	lastTree uint32
}

// channel is a session's being on a connection (Channel, [MS-SMB2] 3.3.1.14, and the entry of
// Connection.SessionTable).
type channel struct {
	conn    *Connection
	session *Session
	signer  atomic.Pointer[crypto.Signer] // Channel.SigningKey; nil until ready, and for guest and anonymous
	ready   atomic.Bool                   // the session may be used on this connection
	setup   *setup                        // guarded by conn.mu; SESSION_SETUP in progress, else nil
}

// Identity is whom the client has proved to be, last time it did.
func (s *Session) Identity() Identity {
	if id := s.identity.Load(); id != nil {
		return *id
	}
	return Identity{}
}

// Address is the client's address on the connection that made the session.
func (s *Session) Address() string { return s.address }

// ApplicationKey is Session.ApplicationKey, which named pipes use; nil for guest and anonymous.
func (s *Session) ApplicationKey() []byte { return s.applicationKey }

// Encrypted tells whether the session is one whose messages are all sealed.
func (s *Session) Encrypted() bool { return s.encryptData }

// CanEncrypt tells whether the client has negotiated a cipher: a share that requires encryption is for these only.
func (s *Session) CanEncrypt() bool { return s.sealer != nil }

// Closed tells whether the session has been logged off or lost.
func (s *Session) Closed() bool { return sessionState(s.state.Load()) == sessionClosed }

// Expired tells whether the client must authenticate again ([MS-SMB2] 3.3.5.2.9).
func (s *Session) Expired() bool { return s.expiredAt(s.cfg.Now()) }

// expiredAt is Expired with the time at hand.
func (s *Session) expiredAt(now time.Time) bool {
	e := s.expiry.Load()
	return e != 0 && now.UnixNano() >= e
}

// authenticated tells whether the session is Valid or Expired.
func (s *Session) authenticated() bool { return sessionState(s.state.Load()) == sessionValid }

// newSessionID is a random id of 32 bits with the node in the high ones. It is no secret: without the keys it is of no
// use. Samba: ids have 32 bits too, and smbtorture's smb2.session-id counts on it (4.17).
func (s *Server) newSessionID(cfg *Config) (uint64, error) {
	var b [4]byte
	if _, err := io.ReadFull(cfg.Rand, b[:]); err != nil {
		return 0, fmt.Errorf("random session id: %w", err)
	}
	id := uint64(le.Uint32(b[:]))
	if id == 0 || id == 0xFFFFFFFF {
		id = 1
	}
	return id | uint64(cfg.Node)<<48, nil
}

// newSession makes a session in progress on c ([MS-SMB2] 3.3.5.5.1).
func (s *Server) newSession(c *Connection) (*channel, ntstatus.Status) {
	sess := &Session{
		server: s, cfg: c.cfg, born: c.cfg.Now(), address: c.RemoteAddr().String(),
		dialect: c.neg.dialect, clientGUID: c.neg.clientGUID, cipher: c.neg.cipher, signingAlg: c.neg.signing,
		trees: map[uint32]*TreeConnect{},
	}
	ch := &channel{conn: c, session: sess}
	sess.channels = []*channel{ch}
	for {
		id, err := s.newSessionID(c.cfg)
		if err != nil {
			c.log.Error("no session id", "error", err)
			return nil, ntstatus.InsufficientResources
		}
		sess.ID = id
		s.mu.Lock()
		_, taken := s.sessions[id]
		if !taken {
			s.sessions[id] = sess
		}
		s.mu.Unlock()
		if !taken {
			break
		}
	}
	if !c.addChannel(ch) {
		s.closeSession(sess)
		return nil, ntstatus.InsufficientResources
	}
	return ch, ntstatus.Success
}

// session looks in the GlobalSessionTable.
func (s *Server) session(id uint64) *Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[id]
}

// maxChannels is how many connections one session may have, those that are being bound included.
//
// Samba: the same (4.17).
const maxChannels = 32

// addChannel enters a further connection.
func (s *Session) addChannel(ch *channel) ntstatus.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.Closed():
		return ntstatus.UserSessionDeleted
	case len(s.channels) >= maxChannels:
		return ntstatus.InsufficientResources
	}
	s.channels = append(s.channels, ch)
	return ntstatus.Success
}

// activate makes the session Valid; false: it was closed meanwhile.
func (s *Session) activate(id Identity, expiry time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Closed() {
		return false
	}
	s.setIdentity(id, expiry)
	s.state.Store(int32(sessionValid))
	return true
}

// setIdentity notes what an authentication has shown.
func (s *Session) setIdentity(id Identity, expiry time.Time) {
	s.identity.Store(&id)
	if expiry.IsZero() {
		s.expiry.Store(0)
	} else {
		s.expiry.Store(expiry.UnixNano())
	}
}

// sameUser tells whether both act for the same proven user: what PreviousSessionId, binding and reconnecting
// demand ([MS-SMB2] 3.3.5.5.3). Nobody in particular is never the same.
func sameUser(a, b Identity) bool {
	return a == b && !a.Anonymous && !a.Guest
}

// closeSession ends a session on all its connections ([MS-SMB2] 3.3.4.12 and 3.3.5.6): cancels its requests,
// closes its trees. Only the first call does anything.
func (s *Server) closeSession(sess *Session) {
	sess.mu.Lock()
	was := sessionState(sess.state.Swap(int32(sessionClosed)))
	channels, trees := sess.channels, sess.trees
	sess.channels, sess.trees = nil, nil
	for _, t := range trees {
		t.closed.Store(true)
	}
	sess.mu.Unlock()
	if was == sessionClosed {
		return
	}
	s.mu.Lock()
	if s.sessions[sess.ID] == sess {
		delete(s.sessions, sess.ID)
	}
	s.mu.Unlock()
	for _, ch := range channels {
		ch.conn.removeChannel(ch)
		ch.conn.cancelWhere(func(r *Request) bool { return r.onSession == sess })
	}
	if was == sessionInProgress {
		return // nobody above has heard of it
	}
	s.upper.SessionEnds(sess)
	for _, t := range trees {
		s.upper.TreeClosed(t)
	}
	s.upper.SessionClosed(sess)
}

// dropChannel takes a session off a connection; with its last one the session ends ([MS-SMB2] 3.3.7.1).
func (s *Server) dropChannel(ch *channel) {
	sess := ch.session
	ch.conn.removeChannel(ch)
	sess.mu.Lock()
	for i, other := range sess.channels {
		if other == ch {
			sess.channels = append(sess.channels[:i:i], sess.channels[i+1:]...)
			break
		}
	}
	last := len(sess.channels) == 0
	sess.mu.Unlock()
	if last {
		s.closeSession(sess)
	}
}
