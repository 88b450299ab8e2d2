package auth

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"smbproxy/internal/lab"
	"smbproxy/internal/ntstatus"
	"smbproxy/session/auth/spnego"
)

// kdc is a realm with the user alice, password secret, and the service cifs/srv.example.test.
type kdc struct {
	*lab.KDC
	t *testing.T
}

// newKDC starts the KDC; all keys have the given enctype.
func newKDC(t *testing.T, enctype string) *kdc {
	t.Helper()
	return &kdc{t: t, KDC: lab.NewKDC(t, lab.KDCOptions{Enctypes: enctype,
		Users: map[string]string{"alice": "secret"}, Services: []string{"cifs/srv.example.test"}})}
}

// lines is a child that answers each line with a line.
type lines struct {
	t   *testing.T
	in  io.Writer
	out *bufio.Reader
}

// start runs such a child.
func start(t *testing.T, cmd *exec.Cmd) *lines {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return &lines{t: t, in: in, out: bufio.NewReader(out)}
}

// ask sends a command with arguments in base64 and gives the words of the answer.
func (l *lines) ask(command string, args ...[]byte) []string {
	l.t.Helper()
	for _, a := range args {
		command += " " + base64.StdEncoding.EncodeToString(a)
	}
	if _, err := io.WriteString(l.in, command+"\n"); err != nil {
		l.t.Fatal(err)
	}
	line, err := l.out.ReadString('\n')
	if err != nil {
		l.t.Fatalf("%.20s: %v", command, err)
	}
	return strings.Fields(line)
}

// unbase64 decodes word n of an answer; no such word is nothing.
func (l *lines) unbase64(words []string, n int) []byte {
	l.t.Helper()
	if n >= len(words) {
		return nil
	}
	b, err := base64.StdEncoding.DecodeString(words[n])
	if err != nil {
		l.t.Fatalf("answer %q: %v", words, err)
	}
	return b
}

// acceptor makes an acceptor on the KDC's keytab.
func (k *kdc) acceptor() *Acceptor {
	return newAcceptor(k.t, func(c *Config) { c.Keytab, c.PassdbFile = k.Keytab(), "" })
}

// Flags of gss_init_sec_context that SMB clients ask for.
const (
	gssPlain  = "56" // replay, sequence, integrity... without mutual
	gssMutual = "58"
)

// TestKerberos logs MIT's client on with tickets of a real KDC: by itself, under MIT's SPNEGO, and
// under SPNEGO as the second choice, where both mechListMIC are needed. Keys must agree.
func TestKerberos(t *testing.T) {
	for enctype, keySize := range map[string]int{
		"aes256-cts-hmac-sha1-96": 32, "aes128-cts-hmac-sha1-96": 16, "aes128-cts-hmac-sha256-128": 16, "aes256-cts-hmac-sha384-192": 32, "arcfour-hmac": 16,
	} {
		t.Run(enctype, func(t *testing.T) {
			k := newKDC(t, enctype)
			k.Kinit("alice", "secret", "-l", "1h")
			a := k.acceptor()
			for _, mech := range []string{"krb5", "spnego"} {
				for _, flags := range []string{gssPlain, gssMutual} {
					c := start(t, k.Command("/usr/bin/python3", "testdata/gssclient.py", mech, "cifs@srv.example.test", flags))
					said := c.ask("step")
					if said[0] == "error" {
						t.Fatalf("client: %v\nKDC: %s", said, k.Log())
					}
					first := c.unbase64(said, 1)
					reply, done, err := a.Begin(nil).Step(context.Background(), first)
					if err != nil {
						t.Errorf("%s, flags %s: %v", mech, flags, err)
						continue
					}
					if mech == "spnego" || flags == gssMutual {
						if end := c.ask("step", reply); end[0] != "done" {
							t.Errorf("%s, flags %s: client says %v after our reply", mech, flags, end)
							continue
						}
					}
					k.check(done, c)
					if len(done.SessionKey) != keySize {
						t.Errorf("%s: session key of %d bytes, want %d", mech, len(done.SessionKey), keySize)
					}
					if _, _, err := a.Begin(nil).Step(context.Background(), first); !errors.Is(err, ntstatus.LogonFailure) {
						t.Errorf("%s: replayed token: got %v, want LogonFailure", mech, err)
					}
				}
			}
			k.secondChoice(a)
		})
	}
}

// check holds a result against what the client has.
func (k *kdc) check(done *Result, c *lines) {
	k.t.Helper()
	if want := (Identity{User: "alice", Domain: "EXAMPLE.TEST"}); done.Identity != want {
		k.t.Errorf("got %+v, want %+v", done.Identity, want)
	}
	if key := c.unbase64(c.ask("key"), 0); !bytes.Equal(key, done.SessionKey) {
		k.t.Errorf("session keys differ: %d bytes and %d bytes", len(done.SessionKey), len(key))
	}
	if left := time.Until(done.Expiry); left < 50*time.Minute || left > time.Hour {
		k.t.Errorf("expires in %v, want the ticket's hour", left)
	}
}

// secondChoice runs SPNEGO around a raw Kerberos client that would have preferred NegoEx.
func (k *kdc) secondChoice(a *Acceptor) {
	t := k.t
	for _, tampered := range []bool{false, true} {
		c := start(t, k.Command("/usr/bin/python3", "testdata/gssclient.py", "krb5", "cifs@srv.example.test", gssMutual))
		mechs := []spnego.OID{spnego.OIDNegoEx, spnego.OIDMSKerberos, spnego.OIDKerberos}
		list := spnego.MechList(mechs...)
		if tampered {
			list = spnego.MechList(mechs[1:]...)
		}
		x := a.Begin(nil)
		var resp spnego.NegTokenResp
		step := func(token []byte) (*Result, error) {
			reply, done, err := x.Step(context.Background(), token)
			if err == nil {
				err = resp.Decode(reply)
			}
			return done, err
		}
		if _, err := step((&spnego.NegTokenInit{MechTypes: mechs, MechToken: []byte("NEGOEXTS")}).Append(nil)); err != nil || resp.State != spnego.RequestMIC || resp.SupportedMech != spnego.OIDMSKerberos {
			t.Fatalf("got %+v, %v; want MS-Kerberos and a MIC asked for", resp, err)
		}
		if _, err := step((&spnego.NegTokenResp{State: spnego.StateAbsent, ResponseToken: c.unbase64(c.ask("step"), 1)}).Append(nil)); err != nil || resp.State != spnego.AcceptIncomplete {
			t.Fatalf("got %+v, %v; want accept-incomplete", resp, err)
		}
		if end := c.ask("step", resp.ResponseToken); end[0] != "done" {
			t.Fatalf("client says %v to our AP-REP", end)
		}
		if got := c.ask("verify", list, resp.MechListMIC); (got[0] == "ok") == tampered {
			t.Errorf("tampered %v: client finds our mechListMIC %v", tampered, got)
		}
		done, err := step((&spnego.NegTokenResp{State: spnego.AcceptCompleted, MechListMIC: c.unbase64(c.ask("mic", list), 0)}).Append(nil))
		switch {
		case tampered && (done != nil || !errors.Is(err, ntstatus.AccessDenied)):
			t.Errorf("tampered list: got %v, %v; want AccessDenied", done, err)
		case !tampered && (err != nil || resp.State != spnego.AcceptCompleted):
			t.Errorf("got %+v, %v; want accept-completed", resp, err)
		case !tampered:
			k.check(done, c)
		}
	}
}

// TestKerberosWrongKey refuses tickets after the service's key was changed at the KDC but not here.
func TestKerberosWrongKey(t *testing.T) {
	k := newKDC(t, "aes256-cts-hmac-sha1-96")
	a := k.acceptor()
	k.Admin("ktadd -k " + k.Dir + "/other cifs/srv.example.test")
	k.Kinit("alice", "secret")
	c := start(t, k.Command("/usr/bin/python3", "testdata/gssclient.py", "krb5", "cifs@srv.example.test", gssMutual))
	_, done, err := a.Begin(nil).Step(context.Background(), c.unbase64(c.ask("step"), 1))
	if done != nil || !errors.Is(err, ntstatus.LogonFailure) || !strings.Contains(err.Error(), `"cifs/srv.example.test" kvno 3`) {
		t.Errorf("got %v, %v; want LogonFailure that names service and kvno", done, err)
	}
}
