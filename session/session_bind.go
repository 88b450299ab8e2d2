package session

import (
	"smbproxy/crypto"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session/auth"
)

// bindChannel finds the session of a SESSION_SETUP with SMB2_SESSION_FLAG_BINDING ([MS-SMB2] 3.3.5.5) and enters
// the connection as a channel that is not ready yet.
//
// Samba: the order of the checks, and what differing algorithms give (4.17).
func (r *Request) bindChannel() (*channel, ntstatus.Status) {
	c := r.Connection
	if r.Header.SessionID == 0 {
		return nil, ntstatus.InvalidParameter
	}
	sess := c.server.session(r.Header.SessionID)
	if sess == nil {
		return nil, ntstatus.UserSessionDeleted
	}
	if st := c.mayBind(r, sess); st != ntstatus.Success {
		return nil, st
	}
	if r.channel != nil {
		if r.channel.ready.Load() {
			return nil, ntstatus.RequestNotAccepted
		}
		return r.channel, ntstatus.Success // a further leg
	}
	ch := &channel{conn: c, session: sess}
	if st := sess.addChannel(ch); st != ntstatus.Success {
		return nil, st
	}
	if !c.addChannel(ch) {
		c.server.dropChannel(ch)
		return nil, ntstatus.InsufficientResources
	}
	return ch, ntstatus.Success
}

// mayBind compares the connection with the session.
func (c *Connection) mayBind(r *Request, sess *Session) ntstatus.Status {
	const gmac = crypto.SigningAESGMAC
	switch {
	case sess.signingAlg == gmac && c.neg.signing != gmac:
		return ntstatus.RequestOutOfSequence
	case c.neg.signing == gmac && sess.signingAlg != gmac:
		return ntstatus.NotSupported
	case c.neg.dialect < smb2.Dialect300 || !c.cfg.MultiChannel:
		return ntstatus.RequestNotAccepted
	case r.Header.Flags&smb2.FlagSigned == 0 && !r.sealed:
		return ntstatus.InvalidParameter
	case sess.dialect != c.neg.dialect || sess.cipher != c.neg.cipher:
		return ntstatus.InvalidParameter
	case sess.clientGUID != c.neg.clientGUID:
		return ntstatus.UserSessionDeleted
	case !sess.authenticated():
		return ntstatus.RequestNotAccepted
	case sess.Expired():
		return ntstatus.NetworkSessionExpired
	case sess.signer == nil:
		return ntstatus.NotSupported // guest or anonymous
	case r.badSig:
		return ntstatus.AccessDenied
	}
	return ntstatus.Success
}

// acceptBinding makes the channel ready, with a signing key of its own ([MS-SMB2] 3.3.5.5.3).
func (r *Request) acceptBinding(su *setup, done *auth.Result) error {
	c, ch := r.Connection, r.channel
	sess := ch.session
	if !sameUser(sess.Identity(), done.Identity) {
		return errorStatus{ntstatus.AccessDenied, "binding to a session of another user"}
	}
	keys := crypto.DeriveKeys(uint16(c.neg.dialect), done.SessionKey, su.preauth, crypto.CipherNone, c.neg.signing)
	signer, err := crypto.NewSigner(keys.SigningAlgorithm, keys.SigningKey)
	if err != nil {
		return err
	}
	ch.signer.Store(signer)
	if !c.makeReady(ch) {
		return ntstatus.UserSessionDeleted
	}
	c.log.Info("channel bound", "session", sess.ID, "user", done.Identity.User)
	return nil
}
