package ntlm_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/session/auth/internal/ntlmclient"
	"smbproxy/session/auth/ntlm"
)

// oneUser is an account database of one.
type oneUser struct {
	name, password string
	guest          bool // everybody else is a guest
}

// Verify implements ntlm.Verifier.
func (u oneUser) Verify(_ context.Context, r *ntlm.Response) (ntlm.Account, error) {
	hash := ntlm.NTOWFv1(u.password)
	base, ok := r.Check(&hash)
	if !strings.EqualFold(u.name, r.User) && u.guest {
		return ntlm.Account{User: "nobody", Guest: true}, nil
	}
	if !ok || !strings.EqualFold(u.name, r.User) {
		return ntlm.Account{}, fmt.Errorf("no: %w", ntstatus.LogonFailure)
	}
	return ntlm.Account{User: u.name, Domain: "SRV", BaseKey: base}, nil
}

// config is a server with the user alice.
func config() *ntlm.Config {
	return &ntlm.Config{
		Target: "SRV", Info: ntlm.TargetInfo{NbComputer: "SRV", NbDomain: "SRV", DNSComputer: "srv.test", DNSDomain: "test"},
		Verifier: oneUser{name: "Alice", password: "secret"}, Now: func() time.Time { return time.Unix(1700000000, 0) },
	}
}

// logon runs a client against a server; tamper may change its last message.
func logon(cfg *ntlm.Config, c *ntlmclient.Client, tamper func([]byte) []byte) (*ntlm.Exchange, *ntlm.Result, error) {
	x := ntlm.Begin(cfg)
	challenge, done, err := x.Step(context.Background(), c.Negotiate())
	if err != nil || done != nil {
		return x, done, err
	}
	msg := c.Authenticate(challenge)
	if tamper != nil {
		msg = tamper(msg)
	}
	reply, done, err := x.Step(context.Background(), msg)
	if err == nil && reply != nil {
		err = errors.New("a reply to AUTHENTICATE")
	}
	return x, done, err
}

// TestLogon lets in who should be let in, with the client's key.
func TestLogon(t *testing.T) {
	upper, none := "WORKGROUP", ""
	for name, c := range map[string]*ntlmclient.Client{
		"plain":                {User: "alice", Password: "secret", Domain: "workgroup"},
		"no domain":            {User: "ALICE", Password: "secret"},
		"hashes upper domain":  {User: "alice", Password: "secret", Domain: "workgroup", HashDomain: &upper},
		"hashes no domain":     {User: "alice", Password: "secret", Domain: "workgroup", HashDomain: &none},
		"old client, no MIC":   {User: "alice", Password: "secret", OldClient: true},
		"without key exchange": {User: "alice", Password: "secret", Flags: ntlmclient.DefaultFlags &^ ntlm.NegotiateKeyExchange},
		"without 128":          {User: "alice", Password: "secret", Flags: ntlmclient.DefaultFlags &^ ntlm.Negotiate128},
		"without 128 and 56":   {User: "alice", Password: "secret", Flags: ntlmclient.DefaultFlags &^ (ntlm.Negotiate128 | ntlm.Negotiate56)},
	} {
		x, r, err := logon(config(), c, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if r.User != "Alice" || r.Anonymous || r.Guest || !bytes.Equal(r.SessionKey, c.Exported[:]) {
			t.Errorf("%s: got user %q, key equal %v, want Alice with the client's key", name, r.User, bytes.Equal(r.SessionKey, c.Exported[:]))
		}
		mic := ntlm.MAC(&c.Exported, c.Flags, true, []byte("mechs"))
		if !x.Verify([]byte("mechs"), mic[:]) || x.Verify([]byte("mech"), mic[:]) {
			t.Errorf("%s: mechListMIC is not checked right", name)
		}
		if want := !c.OldClient; x.MustSignMechList() != want {
			t.Errorf("%s: MustSignMechList got %v, want %v", name, !want, want)
		}
		if _, _, err := x.Step(context.Background(), c.Negotiate()); !errors.Is(err, ntstatus.InvalidParameter) {
			t.Errorf("%s: token after the end: got %v, want InvalidParameter", name, err)
		}
	}
}

// TestRefused names what must not get in, and with which status.
func TestRefused(t *testing.T) {
	flip := func(flag ntlm.Flags) func([]byte) []byte {
		return func(m []byte) []byte {
			binary.LittleEndian.PutUint32(m[60:], binary.LittleEndian.Uint32(m[60:])^uint32(flag))
			return m
		}
	}
	for _, c := range []struct {
		name   string
		client ntlmclient.Client
		tamper func([]byte) []byte
		want   ntstatus.Status
		reason string
	}{
		{"wrong password", ntlmclient.Client{Password: "Secret"}, nil, ntstatus.LogonFailure, ""},
		{"unknown user", ntlmclient.Client{User: "bob"}, nil, ntstatus.LogonFailure, ""},
		{"NTLMv1", ntlmclient.Client{V1: true}, nil, ntstatus.LogonFailure, "NTLMv1"},
		{"LM only", ntlmclient.Client{LMOnly: true}, nil, ntstatus.LogonFailure, "LM-only"},
		{"stripped MIC", ntlmclient.Client{StripMIC: true}, nil, ntstatus.InvalidParameter, "missing"},
		{"wrong MIC", ntlmclient.Client{WrongMIC: true}, nil, ntstatus.InvalidParameter, "MIC is wrong"},
		{"anonymous", ntlmclient.Client{Anonymous: true}, nil, ntstatus.AccessDenied, "anonymous"},
		{"anonymous as Samba sends it", ntlmclient.Client{Anonymous: true, OldClient: true, Flags: ntlmclient.DefaultFlags &^ ntlm.NegotiateExtendedSec}, nil, ntstatus.AccessDenied, "anonymous"},
		{"no extended session security", ntlmclient.Client{Flags: ntlmclient.DefaultFlags &^ ntlm.NegotiateExtendedSec}, nil, ntstatus.LogonFailure, "extended"},
		{"no Unicode", ntlmclient.Client{Flags: ntlmclient.DefaultFlags &^ ntlm.NegotiateUnicode}, nil, ntstatus.InvalidParameter, "Unicode"},
		{"flags: sign taken out", ntlmclient.Client{}, flip(ntlm.NegotiateSign), ntstatus.InvalidParameter, "MIC is wrong"},
		{"flags: 128 taken out", ntlmclient.Client{}, flip(ntlm.Negotiate128), ntstatus.InvalidParameter, "MIC is wrong"},
		{"flags: key exchange taken out", ntlmclient.Client{}, flip(ntlm.NegotiateKeyExchange), ntstatus.InvalidParameter, "MIC is wrong"},
		{"flags: extended security taken out", ntlmclient.Client{OldClient: true}, flip(ntlm.NegotiateExtendedSec), ntstatus.LogonFailure, "extended"},
		{"AV_FLAGS taken out", ntlmclient.Client{}, func(m []byte) []byte {
			i := bytes.LastIndex(m, []byte{6, 0, 4, 0, 2, 0, 0, 0})
			m[i+4] = 0
			return m
		}, ntstatus.LogonFailure, ""},
		{"blob without an end", ntlmclient.Client{EditBlob: func(b []byte) []byte { return append(b[:len(b)-8], 1, 0, 9, 0, 0, 0, 0, 0) }}, nil, ntstatus.InvalidParameter, ""},
		{"blob of another version", ntlmclient.Client{EditBlob: func(b []byte) []byte { b[0] = 2; return b }}, nil, ntstatus.InvalidParameter, ""},
		{"NEGOTIATE again", ntlmclient.Client{}, func([]byte) []byte { return (&ntlmclient.Client{}).Negotiate() }, ntstatus.InvalidParameter, ""},
	} {
		if c.client.User == "" {
			c.client.User = "alice"
		}
		if c.client.Password == "" {
			c.client.Password = "secret"
		}
		x, r, err := logon(config(), &c.client, c.tamper)
		if r != nil || !errors.Is(err, c.want) || !strings.Contains(fmt.Sprint(err), c.reason) {
			t.Errorf("%s: got %+v, %v; want %v with %q", c.name, r, err, c.want, c.reason)
		}
		if strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("%s: the error tells the password: %v", c.name, err)
		}
		if _, _, err := x.Step(context.Background(), (&ntlmclient.Client{}).Negotiate()); !errors.Is(err, ntstatus.InvalidParameter) {
			t.Errorf("%s: token after the refusal: got %v, want InvalidParameter", c.name, err)
		}
	}
}

// TestAnonymousAndGuest are let in only where the configuration says so.
func TestAnonymousAndGuest(t *testing.T) {
	cfg := config()
	cfg.Anonymous = true
	c := &ntlmclient.Client{Anonymous: true, OldClient: true}
	_, r, err := logon(cfg, c, nil)
	if err != nil || !r.Anonymous || r.User != "" || !bytes.Equal(r.SessionKey, c.Exported[:]) {
		t.Errorf("anonymous: got %+v, %v", r, err)
	}
	cfg.Verifier = oneUser{name: "Alice", password: "secret", guest: true}
	_, r, err = logon(cfg, &ntlmclient.Client{User: "bob", Password: "x"}, nil)
	if err != nil || !r.Guest || r.User != "nobody" || r.SessionKey != nil {
		t.Errorf("guest: got %+v, %v", r, err)
	}
}

// TestChallenge says what the server tells of itself.
func TestChallenge(t *testing.T) {
	cfg := config()
	cfg.Domain, cfg.Target = true, "DOM"
	x := ntlm.Begin(cfg)
	m, _, err := x.Step(context.Background(), (&ntlmclient.Client{}).Negotiate())
	if err != nil {
		t.Fatal(err)
	}
	flags := ntlm.Flags(binary.LittleEndian.Uint32(m[20:]))
	if flags&ntlm.TargetTypeDomain == 0 || flags&ntlm.TargetTypeServer != 0 || flags&ntlm.NegotiateTargetInfo == 0 {
		t.Errorf("flags %08x: want target type domain and target info", flags)
	}
	for _, name := range []string{"DOM", "SRV", "srv.test", "test"} {
		if !bytes.Contains(m, ntlmclient.UTF16(name)) {
			t.Errorf("challenge does not name %q", name)
		}
	}
	stamp := binary.LittleEndian.AppendUint64([]byte{7, 0, 8, 0}, 133444736000000000) // 2023-11-14 22:13:20
	if !bytes.Contains(m, stamp) {
		t.Error("challenge has no time stamp of the server's clock")
	}
	m2, _, _ := ntlm.Begin(cfg).Step(context.Background(), (&ntlmclient.Client{}).Negotiate())
	if bytes.Equal(m[24:32], m2[24:32]) {
		t.Error("two challenges are equal")
	}
}

// TestTruncations cuts both messages everywhere: never a panic, never a logon.
func TestTruncations(t *testing.T) {
	full := (&ntlmclient.Client{}).Negotiate()
	for n := range full {
		if _, _, err := ntlm.Begin(config()).Step(context.Background(), full[:n]); n < 16 && err == nil {
			t.Errorf("NEGOTIATE of %d bytes was accepted", n)
		}
	}
	for n := 0; ; n++ {
		longer := false
		_, r, err := logon(config(), &ntlmclient.Client{User: "alice", Password: "secret"}, func(m []byte) []byte {
			longer = n < len(m)
			return m[:min(n, len(m))]
		})
		if !longer {
			if err != nil {
				t.Errorf("whole message: %v", err)
			}
			break
		}
		if err == nil || r != nil {
			t.Errorf("AUTHENTICATE cut to %d bytes was accepted", n)
		}
	}
}

// FuzzNegotiate feeds the first message.
func FuzzNegotiate(f *testing.F) {
	f.Add((&ntlmclient.Client{}).Negotiate())
	f.Fuzz(func(t *testing.T, b []byte) {
		if reply, done, err := ntlm.Begin(config()).Step(context.Background(), b); done != nil || (reply == nil) == (err == nil) {
			t.Fatalf("got reply %x, done %v, err %v", reply, done, err)
		}
	})
}

// FuzzAuthenticate feeds the second message. No input is a logon: the challenge is random.
func FuzzAuthenticate(f *testing.F) {
	c := &ntlmclient.Client{User: "alice", Password: "secret"}
	challenge, _, err := ntlm.Begin(config()).Step(context.Background(), c.Negotiate())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(c.Authenticate(challenge))
	c.OldClient = true
	f.Add(c.Authenticate(challenge))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, r, err := logon(config(), &ntlmclient.Client{}, func([]byte) []byte { return b })
		if r != nil || err == nil {
			t.Fatalf("got %+v, %v", r, err)
		}
	})
}
