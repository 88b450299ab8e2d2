package session

import (
	"errors"
	"slices"
	"time"

	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// Notify sends a message that answers no request, an oplock or lease break ([MS-SMB2] 3.3.4.6, 3.3.4.7), on the
// first of the session's channels that takes it, and says which connection that was. It is not signed (3.3.4.1.1); it is
// sealed where the session is, or sealed asks for it (its share is) and the client can. Nil: there is no channel left.
// Never waits for the client.
func (s *Session) Notify(cmd smb2.Command, body smb2.Body, sealed bool) *Connection {
	s.mu.RLock()
	channels := slices.Clone(s.channels)
	s.mu.RUnlock()
	for _, ch := range channels {
		if ch.ready.Load() && ch.notify(cmd, body, s.encryptData || sealed && s.CanEncrypt()) {
			if ch.conn.unacked.Load() {
				time.AfterFunc(unackedTimeout, func() { ch.conn.terminate(errUnacked) })
			}
			return ch.conn
		}
	}
	return nil
}

// unackedTimeout is how long a notification may stay without TCP's acknowledgement on a connection that pretends to get none.
const unackedTimeout = 500 * time.Millisecond

// errUnacked ends such a connection.
var errUnacked = errors.New("a notification is not acknowledged by TCP")

// PretendUnacked has the connection take what it notifies the client of for lost, and itself too: smbtorture asks for that to
// test what becomes of breaks then (FSCTL_SMBTORTURE_FORCE_UNACKED_TIMEOUT).
func (c *Connection) PretendUnacked() { c.unacked.Store(true) }

// notify is Notify on one channel.
func (ch *channel) notify(cmd smb2.Command, body smb2.Body, sealed bool) bool {
	f := transport.NewFrame(replySize)
	defer f.Release()
	h := smb2.Header{Command: cmd, Flags: smb2.FlagServerToRedir, MessageID: smb2.UnsolicitedMessageID}
	f.SetBytes(body.Append(h.Append(f.Bytes())))
	var err error
	if sealed {
		err = ch.conn.tc.Send(f, ch.session.sealer, ch.session.ID)
	} else {
		err = ch.conn.tc.Send(f, nil, 0)
	}
	if err != nil {
		ch.conn.log.Debug("notification not sent", "command", cmd.String(), "error", err)
		ch.conn.terminate(err)
	}
	return err == nil
}

// ClientGUID is the client that the session belongs to ([MS-SMB2] 3.3.1.7, Connection.ClientGuid): leases are its.
func (s *Session) ClientGUID() smb2.GUID { return s.clientGUID }
