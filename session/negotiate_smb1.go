package session

import (
	"slices"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// negotiateSMB1 answers the multi-protocol NEGOTIATE of SMB1 ([MS-SMB2] 3.3.5.3) with SMB2: a client that knows more
// than 2.0.2 is told 0x02FF and negotiates again, one that does not gets 2.0.2. Clients of SMB1 only are told that no
// dialect fits ([MS-CIFS] 3.3.5.43) and dropped, and so is every other SMB1 message, without an answer.
func (c *Connection) negotiateSMB1(b []byte) error {
	var m smb2.SMB1NegotiateRequest
	if err := m.Decode(b); err != nil {
		return violation("SMB1: %v", err)
	}
	if c.neg.done || !c.window.consume(0, 1) {
		return violation("SMB1 NEGOTIATE at the wrong time")
	}
	neg := negotiated{}
	switch {
	case c.cfg.MaxDialect >= smb2.Dialect210 && slices.Contains(m.Dialects, smb1DialectWildcard):
		neg.dialect = smb2.DialectWildcard
	case c.cfg.MinDialect <= smb2.Dialect202 && slices.Contains(m.Dialects, smb1Dialect202):
		neg.dialect = smb2.Dialect202
		neg.done = true
	default:
		c.refuseSMB1(&m)
		return nil
	}
	c.settle(&neg)
	resp := &smb2.NegotiateResponse{}
	c.fillNegotiate(&neg, resp)
	if neg.done {
		c.neg = neg
		c.mu.Lock()
		c.shownDialect = neg.dialect.String()
		c.mu.Unlock()
	}
	f := transport.NewFrame(replySize)
	defer f.Release()
	f.SetBytes(resp.Append(append(f.Bytes(), emptyHeader[:]...)))
	h := smb2.Header{
		Command: smb2.CommandNegotiate, Status: ntstatus.Success, Flags: smb2.FlagServerToRedir, Credits: c.window.grant(1, 1, false),
	}
	h.Put(f.Bytes())
	c.send(f, nil)
	return nil
}

// refuseSMB1 says that no dialect fits, and hangs up once that is out.
func (c *Connection) refuseSMB1(m *smb2.SMB1NegotiateRequest) {
	c.log.Info("client speaks SMB1 only", "dialects", m.Dialects)
	f := transport.NewFrame(replySize)
	defer f.Release()
	f.SetBytes(m.AppendRefusal(f.Bytes()))
	c.send(f, nil)
	c.tc.CloseAfterFlush()
}

// The two dialects of the multi-protocol NEGOTIATE that mean SMB2 ([MS-SMB2] 3.3.5.3).
const (
	smb1Dialect202      = "SMB 2.002"
	smb1DialectWildcard = "SMB 2.???"
)
