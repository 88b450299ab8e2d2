package auth

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"testing"

	"smbproxy/internal/ntstatus"
)

// TestSambaClient is let in and out by Samba's own SPNEGO and NTLMSSP, as its clients use them:
// ntlm_auth's client protocols.
func TestSambaClient(t *testing.T) {
	program, err := exec.LookPath("ntlm_auth")
	if err != nil {
		t.Skip("ntlm_auth (Debian: winbind) is not installed")
	}
	a := newAcceptor(t, nil)
	for _, protocol := range []string{"gss-spnego-client", "ntlmssp-client-1"} {
		for _, features := range []string{"", "NTLMSSP_FEATURE_SIGN", "NTLMSSP_FEATURE_SEAL"} {
			for password, want := range map[string]error{"secret": nil, "wrong": ntstatus.LogonFailure} {
				c := start(t, exec.Command(program, "--helper-protocol="+protocol, "--username=ALICE", "--domain=wg", "--password="+password, "--configfile=/dev/null"))
				if features != "" {
					if got := c.ask("SF " + features); got[0] != "OK" {
						t.Fatalf("SF: %v", got)
					}
				}
				done, err := sambaTalk(a.Begin(nil), c)
				if !errors.Is(err, want) {
					t.Errorf("%s %s password %q: got %v, want %v", protocol, features, password, err, want)
				}
				if err != nil {
					continue
				}
				if done.Identity.User != "Alice" {
					t.Errorf("%s %s: got %+v", protocol, features, done.Identity)
				}
				if key := c.unbase64(c.ask("GK"), 1); !bytes.Equal(key, done.SessionKey) {
					t.Errorf("%s %s: session keys differ (%d bytes and %d)", protocol, features, len(key), len(done.SessionKey))
				}
			}
		}
	}
}

// sambaTalk carries tokens between ntlm_auth and an exchange. The last of ours, with our
// mechListMIC, must please the client too.
func sambaTalk(x Exchange, c *lines) (done *Result, err error) {
	c.t.Helper()
	words := c.ask("YR")
	for range 4 {
		if words[0] != "YR" && words[0] != "KK" && words[0] != "TT" && words[0] != "AF" {
			return nil, errors.New("client: " + words[0])
		}
		token := c.unbase64(words, 1)
		if done != nil {
			return done, nil
		}
		var reply []byte
		if reply, done, err = x.Step(context.Background(), token); err != nil {
			return nil, err
		}
		if len(reply) == 0 {
			return done, nil
		}
		words = c.ask("TT", reply)
	}
	return done, nil
}

// TestImpacketClient is let in by impacket's NTLM, which sends no MIC.
func TestImpacketClient(t *testing.T) {
	if exec.Command("/usr/bin/python3", "-c", "import impacket").Run() != nil {
		t.Skip("impacket (Debian: python3-impacket) is not installed")
	}
	a := newAcceptor(t, nil)
	for password, want := range map[string]error{"secret": nil, "wrong": ntstatus.LogonFailure} {
		c := start(t, exec.Command("/usr/bin/python3", "testdata/impacket_ntlm.py", "alice", password, "WG"))
		x := a.Begin(nil)
		challenge, _, err := x.Step(context.Background(), c.unbase64(c.ask("negotiate"), 0))
		if err != nil {
			t.Fatal(err)
		}
		answer := c.ask("challenge", challenge)
		_, done, err := x.Step(context.Background(), c.unbase64(answer, 0))
		if !errors.Is(err, want) {
			t.Errorf("password %q: got %v, want %v", password, err, want)
		}
		if err == nil && !bytes.Equal(done.SessionKey, c.unbase64(answer, 1)) {
			t.Error("session keys differ")
		}
	}
}
