package session

import (
	"context"
	"errors"
	"time"

	"smbproxy/crypto"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session/auth"
)

// setup is one SESSION_SETUP sequence of several legs: a first logon, a reauthentication, or a binding. It belongs to
// one channel, so that two connections of a session can each have one.
type setup struct {
	exchange auth.Exchange
	preauth  crypto.PreauthHash // Session.PreauthIntegrityHashValue, or that of PreauthSessionTable when binding
	binding  bool
	busy     bool // a leg is being worked on
}

// SessionSetup serves SESSION_SETUP ([MS-SMB2] 3.3.5.5).
func SessionSetup(r *Request) {
	c := r.Connection
	m := new(smb2.SessionSetupRequest)
	if err := m.Decode(r.Message()); err != nil {
		r.FailErr(err)
		return
	}
	if c.cfg.Encryption == EncryptionRequired && c.neg.cipher == crypto.CipherNone {
		c.log.Info("client cannot encrypt, which is required", "dialect", c.neg.dialect.String())
		r.Fail(ntstatus.AccessDenied)
		return
	}
	ch, st := r.setupChannel(m)
	if st != ntstatus.Success {
		r.Fail(st)
		return
	}
	su := c.beginLeg(ch, m.Flags&smb2.SessionSetupFlagBinding != 0)
	if su == nil {
		r.Fail(ntstatus.RequestNotAccepted)
		return
	}
	r.Session, r.channel, r.Header.SessionID = ch.session, ch, ch.session.ID
	if c.neg.dialect == smb2.Dialect311 {
		su.preauth.Update(r.Message())
	}
	if c.cfg.Authenticator.Blocking() {
		r.Go(func(ctx context.Context) {
			if err := m.Decode(r.Message()); err != nil { // the token has moved with the message
				r.FailErr(err)
				return
			}
			r.leg(ctx, su, m)
		})
		return
	}
	r.leg(c.ctx, su, m)
}

// setupChannel finds or makes what the SESSION_SETUP is about.
func (r *Request) setupChannel(m *smb2.SessionSetupRequest) (*channel, ntstatus.Status) {
	switch {
	case m.Flags&smb2.SessionSetupFlagBinding != 0:
		return r.bindChannel()
	case r.Header.SessionID == 0:
		return r.Connection.server.newSession(r.Connection)
	case r.channel == nil || r.Session.Closed():
		return nil, ntstatus.UserSessionDeleted
	case r.badSig:
		return nil, ntstatus.AccessDenied
	case r.Session.authenticated() && !r.channel.ready.Load():
		return nil, ntstatus.UserSessionDeleted // a binding goes on with the flag
	}
	return r.channel, ntstatus.Success
}

// beginLeg takes the channel's setup, or starts one; nil: the leg before is still being worked on.
func (c *Connection) beginLeg(ch *channel, binding bool) *setup {
	c.mu.Lock()
	defer c.mu.Unlock()
	su := ch.setup
	if su == nil {
		su = &setup{exchange: c.cfg.Authenticator.Begin(c.RemoteAddr()), preauth: c.neg.preauth, binding: binding}
		ch.setup = su
		if ch.ready.Load() {
			ch.session.reauth.Store(true)
		}
	}
	if su.busy || su.binding != binding {
		return nil
	}
	su.busy = true
	return su
}

// endLeg lets the next leg in, or forgets the setup when it was the last.
func (c *Connection) endLeg(ch *channel, su *setup, last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	su.busy = false
	if last {
		ch.setup = nil
		ch.session.reauth.Store(false)
	}
}

// leg gives the token to the authenticator and answers.
func (r *Request) leg(ctx context.Context, su *setup, m *smb2.SessionSetupRequest) {
	c, ch := r.Connection, r.channel
	token, done, err := su.exchange.Step(ctx, m.SecurityBuffer)
	switch {
	case err != nil:
		r.refused(su, err)
	case done == nil:
		if c.neg.dialect == smb2.Dialect311 {
			r.hash = &su.preauth
		}
		r.ready = func() { c.endLeg(ch, su, false) }
		r.Reply(ntstatus.MoreProcessingRequired, &smb2.SessionSetupResponse{SecurityBuffer: token})
	default:
		flags, err := r.accepted(su, m, done)
		if err != nil {
			r.refused(su, err)
			return
		}
		c.endLeg(ch, su, true)
		r.Reply(ntstatus.Success, &smb2.SessionSetupResponse{SessionFlags: flags, SecurityBuffer: token})
	}
}

// refused ends a failed SESSION_SETUP: a first logon's session goes, and so does one that has failed to
// authenticate anew; a binding leaves the session as it is on its other connections.
func (r *Request) refused(su *setup, err error) {
	c, ch := r.Connection, r.channel
	st := squash(ntstatus.From(err))
	if line, unlogged := c.server.logons.log(c.cfg.Now(), c.address); line {
		c.log.Warn("authentication refused", "session", ch.session.ID, "status", st.Error(), "error", err, "unlogged", unlogged)
	}
	c.endLeg(ch, su, true)
	if su.binding {
		c.server.dropChannel(ch)
	} else {
		c.server.closeSession(ch.session)
	}
	r.Fail(st)
}

// squash hides whether it was the user's name or the password.
//
// Samba: nt_status_squash (4.17).
func squash(st ntstatus.Status) ntstatus.Status {
	if st == ntstatus.NoSuchUser || st == ntstatus.WrongPassword {
		return ntstatus.LogonFailure
	}
	return st
}

// accepted puts an authentication into effect ([MS-SMB2] 3.3.5.5.3) and returns the flags of the response, which is
// signed with the key that is then in force.
func (r *Request) accepted(su *setup, m *smb2.SessionSetupRequest, done *auth.Result) (smb2.SessionFlags, error) {
	c, ch := r.Connection, r.channel
	sess := ch.session
	var err error
	switch {
	case su.binding:
		err = r.acceptBinding(su, done)
	case sess.authenticated():
		sess.setIdentity(done.Identity, done.Expiry)
		c.log.Debug("authenticated anew", "session", sess.ID, "user", done.Identity.User)
	default:
		err = r.acceptLogon(su, m, done)
	}
	if err != nil {
		return 0, err
	}
	r.signer = ch.signer.Load()
	if prev := m.PreviousSessionID; prev != 0 && prev != sess.ID && !su.binding {
		c.closePrevious(prev, done.Identity)
	}
	var flags smb2.SessionFlags
	switch {
	case done.Identity.Anonymous:
		flags |= smb2.SessionFlagIsNull
	case done.Identity.Guest:
		flags |= smb2.SessionFlagIsGuest
	}
	if sess.encryptData {
		flags |= smb2.SessionFlagEncryptData
	}
	return flags, nil
}

// acceptLogon makes a session in progress Valid.
func (r *Request) acceptLogon(su *setup, m *smb2.SessionSetupRequest, done *auth.Result) error {
	c, ch := r.Connection, r.channel
	sess, id := ch.session, done.Identity
	guest := id.Guest || id.Anonymous
	if guest && c.cfg.Encryption == EncryptionRequired {
		return errGuestEncryption // Samba: reject guest session as encryption is required (4.17)
	}
	if !guest && len(done.SessionKey) > 0 {
		if err := sess.setKeys(c, su, done.SessionKey); err != nil {
			return err
		}
		ch.signer.Store(sess.signer)
		sess.signingRequired = c.cfg.SigningRequired ||
			smb2.SecurityMode(m.SecurityMode)&smb2.NegotiateSigningRequired != 0 ||
			c.neg.clientSecurityMode&smb2.NegotiateSigningRequired != 0
	}
	if sess.sealer != nil {
		sess.encryptData = c.cfg.Encryption >= EncryptionDesired
		sess.rejectPlain = c.cfg.Encryption == EncryptionRequired
	}
	if !c.makeReady(ch) || !sess.activate(id, done.Expiry) {
		return ntstatus.UserSessionDeleted
	}
	c.log.Info("session", "session", sess.ID, "user", id.User, "domain", id.Domain, "guest", id.Guest,
		"anonymous", id.Anonymous, "dialect", sess.dialect.String(), "signed", sess.signingRequired, "encrypted", sess.encryptData)
	return nil
}

// errGuestEncryption refuses who has no key for the encryption that is required.
var errGuestEncryption = errorStatus{ntstatus.AccessDenied, "guest or anonymous where encryption is required"}

// errorStatus is a status with a reason for the log.
type errorStatus struct {
	st     ntstatus.Status
	reason string
}

// Error is the reason.
func (e errorStatus) Error() string { return e.reason }

// Unwrap is the status.
func (e errorStatus) Unwrap() error { return e.st }

// setKeys derives the session's keys ([MS-SMB2] 3.3.5.5.3).
func (s *Session) setKeys(c *Connection, su *setup, key []byte) error {
	keys := crypto.DeriveKeys(uint16(c.neg.dialect), key, su.preauth, c.neg.cipher, c.neg.signing)
	var err, err1, err2 error
	s.signer, err = crypto.NewSigner(keys.SigningAlgorithm, keys.SigningKey)
	if keys.Cipher != crypto.CipherNone {
		s.opener, err1 = crypto.NewSealer(keys.Cipher, keys.EncryptionKey)
		s.sealer, err2 = crypto.NewSealer(keys.Cipher, keys.DecryptionKey)
	}
	s.applicationKey = keys.ApplicationKey
	return errors.Join(err, err1, err2)
}

// closePrevious ends the session that the client says it had before its connection broke, if it is the same
// user's ([MS-SMB2] 3.3.5.5.3).
func (c *Connection) closePrevious(id uint64, who Identity) {
	prev := c.server.session(id)
	if prev == nil || !prev.authenticated() {
		return
	}
	if !sameUser(prev.Identity(), who) {
		c.log.Warn("previous session is another user's", "session", id, "user", who.User)
		return
	}
	c.server.closeSession(prev)
}

// expiresAt is the session's expiry for listings; zero: never.
func (s *Session) expiresAt() time.Time {
	if e := s.expiry.Load(); e != 0 {
		return time.Unix(0, e)
	}
	return time.Time{}
}
