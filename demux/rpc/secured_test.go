package rpc

import (
	"bytes"
	"context"
	"testing"

	"smbproxy/internal/ntstatus"
)

// fakeAuth is an exchange of one token, whose protection adds bytes up.
type fakeAuth struct{ user string }

func (a fakeAuth) Step(_ context.Context, token []byte) ([]byte, *Authenticated, error) {
	if string(token) != "password" {
		return nil, nil, ntstatus.LogonFailure
	}
	return []byte("welcome"), &Authenticated{User: a.user, Protection: fakeProtection{}}, nil
}

type fakeProtection struct{}

func (fakeProtection) Sign(msg []byte) (sum [16]byte) {
	for i, b := range msg {
		sum[i%16] += b + byte(i)
	}
	return sum
}

func (p fakeProtection) Verify(msg, signature []byte) bool {
	sum := p.Sign(msg)
	return bytes.Equal(sum[:], signature)
}

func (p fakeProtection) Seal(data, msg []byte) [16]byte {
	sum := p.Sign(msg)
	flip(data)
	return sum
}

func (p fakeProtection) Unseal(data, msg, signature []byte) bool {
	flip(data)
	return p.Verify(msg, signature)
}

func flip(b []byte) {
	for i := range b {
		b[i] ^= 0xAA
	}
}

// fakeUpstream echoes stubs, and keeps what it got.
type fakeUpstream struct{ got [][]byte }

func (u *fakeUpstream) Write(_ context.Context, pdu []byte) error {
	u.got = append(u.got, bytes.Clone(pdu))
	return nil
}

func (u *fakeUpstream) Transceive(_ context.Context, pdu []byte) ([]byte, error) {
	u.got = append(u.got, bytes.Clone(pdu))
	h, err := decodeHeader(pdu)
	if err != nil {
		return nil, err
	}
	if h.kind == packetBind {
		return finishPDU(appendBindAck(appendHeader(nil, packetBindAck, 3, h.call), 4280, 4280, 1, "x", []outcome{{transfer: ndr20}}), 0), nil
	}
	out := le.AppendUint32(appendHeader(nil, packetResponse, 3, h.call), 0)
	out = append(le.AppendUint16(out, 0), 0, 0)
	return finishPDU(append(out, pdu[stubOffset:]...), 0), nil
}

func (u *fakeUpstream) Read(context.Context) ([]byte, error) { return nil, errProtocol }

// withAuth adds a trailer and a value to a PDU.
func withAuth(pdu []byte, level uint8, value []byte) []byte {
	t := trailer{kind: authNTLM, level: level, context: 7}
	out := append(t.append(bytes.Clone(pdu), le), value...)
	setLengths(out, le, len(value))
	return out
}

// sealedRequest is a request as the client seals it.
func sealedRequest(stub []byte) []byte {
	out := withAuth(requestPDU(2, flagFirst|flagLast, 1, stub), levelPrivacy, make([]byte, signatureSize))
	sum := fakeProtection{}.Seal(out[stubOffset:stubOffset+len(stub)], out[:len(out)-signatureSize])
	copy(out[len(out)-signatureSize:], sum[:])
	return out
}

// TestSecured: a client that authenticates inside RPC is unsealed and sealed for; the backend sees plain PDUs, without
// the promise that headers are signed.
func TestSecured(t *testing.T) {
	bindFor := withAuth(bindPDU(packetBind, 1, srvsvcSyntax), levelPrivacy, []byte("password"))
	bindFor[3] |= flagHeaderSigning
	stub := append(append([]byte("0123456789abcdef"), verification...), 1, 0x40, 4, 0, 1, 0, 0, 0) // 32 bytes
	start := func(user string, first []byte) (*Secured, *fakeUpstream) {
		u := &fakeUpstream{}
		p := Secure("anna", func() Exchange { return fakeAuth{user} }, u)
		p.Write(t.Context(), first)
		return p, u
	}
	t.Run("served", func(t *testing.T) {
		p, u := start("anna", bindFor)
		ack, _, _ := p.Read(5000)
		if !bytes.HasSuffix(ack, []byte("welcome")) || ack[3]&flagHeaderSigning == 0 {
			t.Fatalf("bind was answered by %x", ack)
		}
		p.Write(t.Context(), sealedRequest(stub))
		reply, _, st := p.Read(5000)
		if st != ntstatus.Success {
			t.Fatal(st)
		}
		plain := u.got[1]
		if len(plain) != stubOffset+len(stub) || le.Uint16(plain[10:]) != 0 || plain[len(plain)-4] != 0 {
			t.Errorf("the backend got %x", plain)
		}
		end := len(reply) - signatureSize
		if data := reply[stubOffset : stubOffset+len(stub)]; (fakeProtection{}).Unseal(data, reply[:end], reply[end:]) == false || !bytes.Equal(data[:16], stub[:16]) {
			t.Errorf("the response is %x", reply)
		}
	})
	changed := sealedRequest(stub)
	changed[stubOffset] ^= 1
	plain := requestPDU(2, flagFirst|flagLast, 1, stub)
	for _, tt := range []struct {
		name, user string
		bind, then []byte
		reached    int // PDUs that the backend got
	}{
		{"another user's password", "bert", bindFor, sealedRequest(stub), 0},
		{"a wrong password", "anna", withAuth(bindPDU(packetBind, 1, srvsvcSyntax), levelPrivacy, []byte("guess")), sealedRequest(stub), 0},
		{"a changed request", "anna", bindFor, changed, 1},
		{"a request without protection", "anna", bindFor, plain, 1},
		{"a request before the bind", "anna", sealedRequest(stub), nil, 0},
		{"a level that is none", "anna", withAuth(bindPDU(packetBind, 1, srvsvcSyntax), 1, []byte("password")), plain, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, u := start(tt.user, tt.bind)
			p.Write(t.Context(), tt.then)
			if len(u.got) != tt.reached {
				t.Errorf("%d PDUs reached the backend, want %d", len(u.got), tt.reached)
			}
			for {
				b, _, st := p.Read(5000)
				if st == ntstatus.PipeBroken {
					return
				}
				if b == nil {
					t.Fatal("the pipe goes on")
				}
			}
		})
	}
}
