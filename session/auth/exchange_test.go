package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/session/auth/internal/ntlmclient"
	"smbproxy/session/auth/ntlm"
	"smbproxy/session/auth/spnego"
)

// accounts is an smbpasswd file; every password is "secret" where there is one.
const accounts = `Alice:1001:XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX:878D8014606CDA29677A44EFA1353FC7:[U          ]:LCT-65530A40:
off:1002:XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX:878D8014606CDA29677A44EFA1353FC7:[UD         ]:LCT-65530A40:
locked:1003:XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX:878D8014606CDA29677A44EFA1353FC7:[UL         ]:LCT-65530A40:
ws$:1004:XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX:878D8014606CDA29677A44EFA1353FC7:[W          ]:LCT-65530A40:
dc$:1005:XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX:878D8014606CDA29677A44EFA1353FC7:[S          ]:LCT-65530A40:
trust$:1006:XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX:878D8014606CDA29677A44EFA1353FC7:[I          ]:LCT-65530A40:
nopw:1007:NO PASSWORDXXXXXXXXXXXXXXXXXXXXX:NO PASSWORDXXXXXXXXXXXXXXXXXXXXX:[NU         ]:LCT-65530A40:
nflag:1008:XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX:878D8014606CDA29677A44EFA1353FC7:[NU         ]:LCT-65530A40:
nohash:1009:XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX:XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX:[U          ]:LCT-65530A40:
`

// newAcceptor makes an acceptor on the accounts; edit may change its configuration.
func newAcceptor(t testing.TB, edit func(*Config)) *Acceptor {
	t.Helper()
	path := filepath.Join(t.TempDir(), "smbpasswd")
	if err := os.WriteFile(path, []byte(accounts), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := Config{ServerName: "srv", Workgroup: "wg", DNSName: "srv.example.test", PassdbFile: path}
	if edit != nil {
		edit(&cfg)
	}
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// talk is a SPNEGO client around ntlmclient.
type talk struct {
	client  ntlmclient.Client
	mechs   []spnego.OID // empty: NTLM only
	signed  []spnego.OID // what mechListMIC is computed over, if not mechs
	noMIC   bool         // never send mechListMIC
	lateMIC bool         // send it one token later than it could be
	noToken bool         // no optimistic token
}

// run talks to the end and gives the states that the server answered with.
func (c *talk) run(x Exchange) (states []spnego.State, done *Result, err error) {
	if c.mechs == nil {
		c.mechs = []spnego.OID{spnego.OIDNTLMSSP}
	}
	honest := c.signed == nil
	if honest {
		c.signed = c.mechs
	}
	list := spnego.MechList(c.signed...)
	init := spnego.NegTokenInit{MechTypes: c.mechs, MechToken: []byte("of a mechanism that the server does not have")}
	negotiate := c.client.Negotiate()
	if c.mechs[0] == spnego.OIDNTLMSSP {
		init.MechToken = negotiate
	}
	if c.noToken {
		init.MechToken = nil
	}
	token := init.Append(nil)
	for range 6 {
		var reply []byte
		if reply, done, err = x.Step(context.Background(), token); err != nil {
			return states, nil, err
		}
		var resp spnego.NegTokenResp
		if err := resp.Decode(reply); err != nil {
			return states, nil, err
		}
		if states = append(states, resp.State); len(states) == 1 && resp.SupportedMech != spnego.OIDNTLMSSP {
			return states, nil, fmt.Errorf("first answer names mechanism %v", resp.SupportedMech)
		}
		if len(resp.MechListMIC) > 0 && honest {
			if want := ntlm.MAC(&c.client.Exported, c.client.Flags, false, list); !bytes.Equal(want[:], resp.MechListMIC) {
				return states, nil, errors.New("the server's mechListMIC is wrong")
			}
		}
		if done != nil {
			return states, done, nil
		}
		mac := func() []byte { m := ntlm.MAC(&c.client.Exported, c.client.Flags, true, list); return m[:] }
		out := spnego.NegTokenResp{State: spnego.StateAbsent}
		switch {
		case len(resp.ResponseToken) > 0:
			out.ResponseToken = c.client.Authenticate(resp.ResponseToken)
			if !c.noMIC && !c.lateMIC && !c.client.Anonymous {
				out.MechListMIC = mac()
			}
		case c.client.Challenge == nil:
			out.ResponseToken = negotiate
		case !c.noMIC:
			out.MechListMIC = mac()
		default:
			out.State = spnego.AcceptCompleted
		}
		token = out.Append(nil)
	}
	return states, nil, errors.New("no end")
}

// TestNegotiation lets in who should be let in, by each road.
func TestNegotiation(t *testing.T) {
	const incomplete, request, completed = spnego.AcceptIncomplete, spnego.RequestMIC, spnego.AcceptCompleted
	foreign := []spnego.OID{spnego.OIDNegoEx, spnego.OIDNTLMSSP}
	a := newAcceptor(t, nil)
	for _, c := range []struct {
		name   string
		talk   talk
		states []spnego.State
	}{
		{"NTLM first", talk{}, []spnego.State{incomplete, completed}},
		{"no optimistic token", talk{noToken: true}, []spnego.State{incomplete, incomplete, completed}},
		{"NTLM second", talk{mechs: foreign}, []spnego.State{request, incomplete, completed}},
		{"MIC in a token of its own", talk{lateMIC: true}, []spnego.State{incomplete, incomplete, completed}},
		{"NTLM second, MIC in a token of its own", talk{mechs: foreign, lateMIC: true}, []spnego.State{request, incomplete, incomplete, completed}},
		{"old client without any MIC", talk{noMIC: true, client: ntlmclient.Client{OldClient: true}}, []spnego.State{incomplete, completed}},
		{"client that does not sign", talk{noMIC: true, client: ntlmclient.Client{Flags: ntlmclient.DefaultFlags &^ ntlm.NegotiateSign}}, []spnego.State{incomplete, completed}},
	} {
		c.talk.client.User, c.talk.client.Password = "ALICE", "secret"
		x := a.Begin(&net.TCPAddr{})
		states, done, err := c.talk.run(x)
		if err != nil {
			t.Errorf("%s: %v after %v", c.name, err, states)
			continue
		}
		if !slices.Equal(states, c.states) {
			t.Errorf("%s: got states %v, want %v", c.name, states, c.states)
		}
		if want := (Identity{User: "Alice", Domain: "SRV"}); done.Identity != want || !bytes.Equal(done.SessionKey, c.talk.client.Exported[:]) || !done.Expiry.IsZero() {
			t.Errorf("%s: got %+v, want %+v with the client's key and no expiry", c.name, done.Identity, want)
		}
		if _, _, err := x.Step(context.Background(), nil); !errors.Is(err, ntstatus.InvalidParameter) {
			t.Errorf("%s: token after the end: got %v", c.name, err)
		}
	}
}

// TestNegotiationRefused changes the negotiation on the way.
func TestNegotiationRefused(t *testing.T) {
	foreign := []spnego.OID{spnego.OIDNegoEx, spnego.OIDNTLMSSP}
	a := newAcceptor(t, nil)
	for _, c := range []struct {
		name string
		talk talk
		want ntstatus.Status
	}{
		{"mechanism taken out of the list", talk{signed: foreign}, ntstatus.AccessDenied},
		{"mechanism put into the list", talk{mechs: foreign, signed: foreign[1:]}, ntstatus.AccessDenied},
		{"the same, late", talk{mechs: foreign, signed: foreign[1:], lateMIC: true}, ntstatus.AccessDenied},
		{"mechListMIC taken out, NTLM second", talk{mechs: foreign, noMIC: true, client: ntlmclient.Client{OldClient: true}}, ntstatus.InvalidParameter},
		{"mechListMIC taken out, NTLM first", talk{noMIC: true}, ntstatus.InvalidParameter},
		{"no mechanism of ours", talk{mechs: foreign[:1]}, ntstatus.InvalidParameter},
		{"Kerberos, not configured", talk{mechs: []spnego.OID{spnego.OIDKerberos}}, ntstatus.InvalidParameter},
		{"wrong password", talk{client: ntlmclient.Client{Password: "x"}}, ntstatus.LogonFailure},
	} {
		c.talk.client.User = "alice"
		if c.talk.client.Password == "" {
			c.talk.client.Password = "secret"
		}
		x := a.Begin(&net.TCPAddr{})
		if states, done, err := c.talk.run(x); done != nil || !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, %v after %v; want %v", c.name, done, err, states, c.want)
		}
		if _, done, err := x.Step(context.Background(), (&talk{}).client.Negotiate()); done != nil || err == nil {
			t.Errorf("%s: the exchange goes on after its end", c.name)
		}
	}
}

// TestAccounts says which account may log on, and what the client and the log learn.
func TestAccounts(t *testing.T) {
	a := newAcceptor(t, nil)
	for _, c := range []struct {
		user, password string
		want           ntstatus.Status
		reason         string
	}{
		{"bob", "secret", ntstatus.LogonFailure, "no such user"},
		{"alice", "Secret", ntstatus.LogonFailure, "wrong password"},
		{"off", "secret", ntstatus.AccountDisabled, "disabled"},
		{"off", "wrong", ntstatus.LogonFailure, "wrong password"},
		{"locked", "secret", ntstatus.AccountLockedOut, "locked"},
		{"ws$", "secret", ntstatus.NologonWorkstationTrustAccount, "machine"},
		{"dc$", "secret", ntstatus.NologonServerTrustAccount, "controller"},
		{"trust$", "secret", ntstatus.NologonInterdomainTrustAccount, "trust"},
		{"trust$", "wrong", ntstatus.LogonFailure, "wrong password"},
		{"nopw", "", ntstatus.LogonFailure, "without a password"},
		{"nflag", "secret", ntstatus.LogonFailure, "without a password"},
		{"nohash", "", ntstatus.LogonFailure, "without a password"},
	} {
		_, done, err := (&talk{client: ntlmclient.Client{User: c.user, Password: c.password}}).run(a.Begin(nil))
		if done != nil || !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: got %v, %v; want %v because of %q", c.user, done, err, c.want, c.reason)
		}
	}
}

// TestAnonymousAndGuest are let in only where the configuration says so, without keys to
// be believed.
func TestAnonymousAndGuest(t *testing.T) {
	anonymous := ntlmclient.Client{Anonymous: true, OldClient: true}
	stranger := ntlmclient.Client{User: "bob", Password: "x"}
	strict := newAcceptor(t, nil)
	if _, done, err := (&talk{client: anonymous}).run(strict.Begin(nil)); done != nil || !errors.Is(err, ntstatus.AccessDenied) {
		t.Errorf("anonymous: got %v, %v; want AccessDenied", done, err)
	}
	lax := newAcceptor(t, func(c *Config) { c.Anonymous, c.MapToGuest = true, GuestBadUser })
	_, done, err := (&talk{client: anonymous}).run(lax.Begin(nil))
	if err != nil || done.Identity != (Identity{Anonymous: true}) {
		t.Errorf("anonymous: got %+v, %v", done, err)
	}
	_, done, err = (&talk{client: stranger}).run(lax.Begin(nil))
	if err != nil || done.Identity != (Identity{User: "nobody", Domain: "SRV", Guest: true}) || done.SessionKey != nil {
		t.Errorf("guest: got %+v, %v", done, err)
	}
	_, done, err = (&talk{client: ntlmclient.Client{User: "alice", Password: "x"}}).run(lax.Begin(nil))
	if done != nil || !errors.Is(err, ntstatus.LogonFailure) {
		t.Errorf("known user, wrong password: got %v, %v; want LogonFailure, not a guest", done, err)
	}
}

// TestRaw takes NTLM without SPNEGO, and refuses what is nothing we know.
func TestRaw(t *testing.T) {
	a := newAcceptor(t, nil)
	x := a.Begin(nil)
	c := ntlmclient.Client{User: "alice", Password: "secret"}
	challenge, _, err := x.Step(context.Background(), c.Negotiate())
	if err != nil {
		t.Fatal(err)
	}
	reply, done, err := x.Step(context.Background(), c.Authenticate(challenge))
	if err != nil || len(reply) != 0 || done.Identity.User != "Alice" {
		t.Errorf("raw NTLM: got %x, %+v, %v", reply, done, err)
	}
	for name, token := range map[string][]byte{
		"garbage": []byte("garbage"), "raw Kerberos": []byte("\x60\x0d\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00"), "NegTokenResp first": (&spnego.NegTokenResp{}).Append(nil),
	} {
		if _, done, err := a.Begin(nil).Step(context.Background(), token); done != nil || err == nil {
			t.Errorf("%s: got %v, %v", name, done, err)
		}
	}
}

// TestEmptyToken gets the hint, once, and can then begin.
func TestEmptyToken(t *testing.T) {
	a := newAcceptor(t, nil)
	x := a.Begin(nil)
	reply, _, err := x.Step(context.Background(), nil)
	if err != nil || !bytes.Equal(reply, a.InitialToken()) {
		t.Errorf("got %x, %v; want the hint", reply, err)
	}
	if _, done, err := (&talk{client: ntlmclient.Client{User: "alice", Password: "secret"}}).run(x); err != nil || done == nil {
		t.Errorf("after the hint: %v", err)
	}
	x = a.Begin(nil)
	_, _, _ = x.Step(context.Background(), nil)
	if _, _, err := x.Step(context.Background(), nil); !errors.Is(err, ntstatus.InvalidParameter) {
		t.Errorf("second empty token: got %v, want InvalidParameter", err)
	}
}

// TestPasswdReload changes the password under a running acceptor.
func TestPasswdReload(t *testing.T) {
	now, path := time.Now().Add(time.Hour), ""
	a := newAcceptor(t, func(c *Config) { path, c.Now = c.PassdbFile, func() time.Time { return now } })
	logon := func(password string) error {
		now = now.Add(time.Minute)
		_, _, err := (&talk{client: ntlmclient.Client{User: "alice", Password: password}}).run(a.Begin(nil))
		return err
	}
	hash := ntlm.NTOWFv1("changed")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(accounts, "878D8014606CDA29677A44EFA1353FC7", fmt.Sprintf("%X", hash))), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := logon("changed"); err != nil {
		t.Errorf("new password: %v", err)
	}
	if err := os.WriteFile(path, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := logon("changed"); err != nil {
		t.Errorf("with a broken file: %v", err)
	}
	if err := a.Fault(); err == nil || !strings.Contains(err.Error(), path+":1:") {
		t.Errorf("fault: got %v, want one with file and line", err)
	}
}

// TestNewFaults wants all faults at once.
func TestNewFaults(t *testing.T) {
	_, err := New(Config{PassdbFile: "/nonexistent/p", Keytab: "/nonexistent/k"})
	for _, want := range []string{"server name", "/nonexistent/p", "/nonexistent/k"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	if _, err := New(Config{ServerName: "x"}); err == nil {
		t.Error("nothing to authenticate with: got no error")
	}
}

// TestResultHidesKey prints a Result in every way it might reach a log.
func TestResultHidesKey(t *testing.T) {
	r := &Result{Identity: Identity{User: "alice"}, SessionKey: []byte("KEYKEYKEY")}
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "result", r, "value", *r)
	fmt.Fprintf(&b, "%v %+v %s %v", r, r, r, *r)
	for _, secret := range []string{"KEYKEY", "75 69 89", "S0VZ"} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("the key shows as %q in %s", secret, &b)
		}
	}
	if !strings.Contains(b.String(), "alice") {
		t.Errorf("no user in %s", &b)
	}
}

// FuzzExchange feeds an exchange two tokens. Nothing of the kind is a logon.
func FuzzExchange(f *testing.F) {
	a := newAcceptor(f, nil)
	c := ntlmclient.Client{User: "alice", Password: "secret"}
	first := (&spnego.NegTokenInit{MechTypes: []spnego.OID{spnego.OIDNTLMSSP}, MechToken: c.Negotiate()}).Append(nil)
	challenge, _, err := a.Begin(nil).Step(context.Background(), c.Negotiate())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(first, (&spnego.NegTokenResp{ResponseToken: c.Authenticate(challenge)}).Append(nil))
	f.Add(c.Negotiate(), c.Authenticate(challenge))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		x := a.Begin(nil)
		if _, done, err := x.Step(context.Background(), one); done != nil || err != nil {
			if done != nil {
				t.Fatal("logon by one token")
			}
			return
		}
		if _, done, _ := x.Step(context.Background(), two); done != nil {
			t.Fatal("logon by two tokens")
		}
	})
}
