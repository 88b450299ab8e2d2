package backend

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"smbproxy/crypto"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// session is one user on one connection: MS-SMB2's Session of the client side,
// 3.2.1.3. All clients on the lane that are this user share it.
//
//	          setup ok              unused for IdleTimeout
//	setting up ─────> in use/idle ───────────────────────> LOGOFF sent ──> forgotten
//	   │ fails          │  ▲ │
//	   ▼                └──┘ │ USER_SESSION_DELETED, lane lost
//	forgotten        renewed └────────────────────────────> gone
type session struct {
	conn *connection
	user string
	// previous is the SessionId of the session that this one fences, 0: none.
	previous uint64
	// key seals the ticket, nil: the newest of the keytab.
	key *serviceKey

	ready chan struct{} // closed when set up or failed
	// Fixed once ready is closed. err says that there is no session.
	err     error
	id      uint64
	signer  *crypto.Signer
	sealer  *crypto.Sealer // to the backend
	opener  *crypto.Sealer // from it
	encrypt bool           // everything is sealed
	flags   smb2.SessionFlags

	// Guarded by conn.mu.
	trees    map[string]*treeConnect // by folded share name
	holders  int                     // Connects at work on it
	gone     bool                    // smbd does not know it any more
	idle     int64                   // since when it has no trees
	renewAt  int64                   // when it is to be reauthenticated, by Pool.now
	renewing bool
}

// seals tells whether a message of the session is encrypted, [MS-SMB2] 3.2.4.1.8.
// The first SESSION_SETUP cannot be, for there is no key; Samba's 4.17 refuses a
// reauthentication in the clear where the session is encrypted.
func (s *session) seals(tc *treeConnect) bool {
	return s.sealer != nil && (s.encrypt || tc != nil && tc.encrypt)
}

// session returns the user's session on the connection, set up if need be.
// leave has to be called in the end.
func (cn *connection) session(ctx context.Context, user string) (*session, error) {
	cn.mu.Lock()
	if cn.err != nil {
		defer cn.mu.Unlock()
		return nil, cn.err
	}
	s := cn.users[user]
	if s == nil {
		s = &session{conn: cn, user: user, ready: make(chan struct{}), trees: make(map[string]*treeConnect)}
		if !cn.pool.spawn(s.setup) {
			defer cn.mu.Unlock()
			return nil, errClosed
		}
		cn.users[user] = s
	}
	s.holders++
	cn.mu.Unlock()
	err := await(ctx, s.ready)
	if err == nil {
		err = s.err
	}
	if err != nil {
		s.leave()
		return nil, err
	}
	return s, nil
}

// leave ends what session began.
func (s *session) leave() {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	s.holders--
	s.idle = s.conn.pool.now()
}

// await waits for ch or ctx.
func await(ctx context.Context, ch <-chan struct{}) error {
	select {
	case <-ch:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// setup runs the first SESSION_SETUP and tells who waits.
func (s *session) setup() {
	cn := s.conn
	err := s.authenticate(context.Background()) // the watcher ends a lane that does not answer
	if err == nil {
		err = s.begun()
	}
	cn.mu.Lock()
	if err == nil {
		err = cn.err
	}
	if err != nil {
		s.err, s.gone = err, true
		if cn.users[s.user] == s {
			delete(cn.users, s.user)
		}
	} else {
		cn.sessions[s.id] = s
	}
	cn.mu.Unlock()
	close(s.ready)
	if err != nil && s.id != 0 {
		cn.pool.forgetSessions([]OldSession{s.old()}) // nothing was asked of it
	}
}

// begun tells the log of the session before anything is asked of it.
func (s *session) begun() error {
	p := s.conn.pool
	if p.cfg.Sessions == nil {
		return nil
	}
	err := p.cfg.Sessions.Begun(p.cfg.Name, s.old())
	if err != nil {
		s.logoff()
		return fmt.Errorf("backend %q: session of %q is not logged: %w: %w", p.cfg.Name, s.user, ntstatus.InsufficientResources, err)
	}
	return nil
}

// authenticate mints a ticket and runs SESSION_SETUP with it, [MS-SMB2] 3.2.4.2.3,
// 3.2.5.3. On a session that has an id already it renews that.
func (s *session) authenticate(ctx context.Context) error {
	cn, p := s.conn, s.conn.pool
	t, err := p.mint(s.user, s.key)
	if err != nil {
		return err
	}
	g := &initiator{ticket: t}
	token, err := g.token()
	if err != nil {
		return fmt.Errorf("backend %q: %w: %w", p.cfg.Name, ntstatus.InternalError, err)
	}
	hash := cn.neg.preauth
	w := &waiter{done: make(chan struct{})}
	w.session, w.unverified = s, true
	w.hook = func(msg []byte) { hash.Update(msg) }
	w.Frame = NewRequest(smb2.CommandSessionSetup, &smb2.SessionSetupRequest{
		PreviousSessionID: s.previous,
		SecurityMode:      uint8(smb2.NegotiateSigningEnabled), SecurityBuffer: token,
	}, smallBody)
	h, reply, err := cn.wait(ctx, w)
	if err != nil {
		return err
	}
	defer reply.Release()
	if h.Status != ntstatus.Success {
		return p.refused(s.user, t, h.Status)
	}
	var resp smb2.SessionSetupResponse
	if err := resp.Decode(reply.Bytes()); err != nil {
		return s.distrust(err)
	}
	key, err := g.finish(resp.SecurityBuffer)
	if err != nil {
		return s.distrust(err)
	}
	if s.signer == nil {
		if err := s.install(h.SessionID, resp.SessionFlags, key, hash); err != nil {
			return s.distrust(err)
		}
	}
	if id, sealed := reply.Sealed(); h.SessionID != s.id || sealed && id != s.id ||
		!sealed && (h.Flags&smb2.FlagSigned == 0 || !transport.VerifyMessage(reply.Bytes(), s.signer)) {
		return s.distrust(errSignature)
	}
	cn.mu.Lock()
	s.renewAt = p.now() + int64(p.cfg.TicketLife)/2
	cn.mu.Unlock()
	return nil
}

// install derives the keys of a new session.
func (s *session) install(id uint64, flags smb2.SessionFlags, key []byte, hash crypto.PreauthHash) error {
	neg, p := &s.conn.neg, s.conn.pool
	if flags&(smb2.SessionFlagIsGuest|smb2.SessionFlagIsNull) != 0 {
		return errors.New("it made the session a guest's")
	}
	keys := crypto.DeriveKeys(dialect311, key, hash, neg.cipher, neg.signing)
	signer, err := crypto.NewSigner(keys.SigningAlgorithm, keys.SigningKey)
	if err != nil {
		return err
	}
	if neg.cipher != crypto.CipherNone {
		if s.sealer, err = crypto.NewSealer(neg.cipher, keys.EncryptionKey); err != nil {
			return err
		}
		if s.opener, err = crypto.NewSealer(neg.cipher, keys.DecryptionKey); err != nil {
			return err
		}
	}
	s.encrypt = s.sealer != nil && (p.cfg.Encrypt || flags&smb2.SessionFlagEncryptData != 0)
	s.id, s.signer, s.flags = id, signer, flags
	return nil
}

// distrust ends the lane: its other end does not know the key it accepted.
func (s *session) distrust(err error) error {
	err = fmt.Errorf("backend %q: session of %q: %w", s.conn.pool.cfg.Name, s.user, err)
	s.conn.kill(err)
	return s.conn.reason()
}

// renew reauthenticates the session under its SessionId, [MS-SMB2] 3.2.4.2.3.1: a
// new session would lose its opens. smbd takes the user's groups anew.
func (s *session) renew() {
	cn := s.conn
	err := s.authenticate(context.Background()) // the watcher ends a lane that does not answer
	cn.mu.Lock()
	s.renewing = false
	if err != nil {
		s.renewAt = cn.pool.now() + int64(min(30*time.Second, cn.pool.cfg.TicketLife/10))
	}
	gone := s.gone || cn.err != nil
	cn.mu.Unlock()
	if err != nil && !gone {
		cn.pool.log.Warn("session is not reauthenticated", slog.Int("lane", cn.lane), slog.String("user", s.user), slog.Any("error", err))
	}
}

// dropLocked makes the session and its trees unusable: smbd has forgotten them.
// It stays in conn.sessions, since replies may still come sealed with its key.
func (s *session) dropLocked() {
	s.gone = true
	if s.conn.users[s.user] == s {
		delete(s.conn.users, s.user)
	}
	for _, tc := range s.trees {
		tc.dropLocked()
	}
}

// logoff is a LOGOFF on its way.
type logoff struct {
	forget
	s *session
}

// Complete implements Completion: now no reply can need the key.
func (l logoff) Complete(_ *Call, _ *smb2.Header, _ *transport.Frame, err error) {
	cn := l.s.conn
	cn.mu.Lock()
	l.s.gone = true
	_, known := cn.sessions[l.s.id]
	if err == nil {
		delete(cn.sessions, l.s.id)
	}
	cn.mu.Unlock()
	if err == nil && known {
		cn.pool.spawn(func() { cn.pool.forgetSessions([]OldSession{l.s.old()}) })
	}
}

// logoff ends a session that cn.users does not name any more.
func (s *session) logoff() {
	c := &Call{Done: logoff{s: s}, Frame: NewRequest(smb2.CommandLogoff, &smb2.LogoffRequest{}, smallBody)}
	c.session = s
	s.conn.submit(c)
}
