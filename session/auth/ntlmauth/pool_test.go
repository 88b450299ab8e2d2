package ntlmauth

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"smbproxy/internal/ntstatus"
)

// TestMain makes this binary the helper when it is started as one.
func TestMain(m *testing.M) {
	if os.Getenv("FAKE_NTLM_AUTH") != "" {
		fake()
		return
	}
	os.Exit(m.Run())
}

// fake speaks ntlm-server-1. The user name says what to do; the key holds the process id.
func fake() {
	req := make(map[string]string)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if in.Text() != "." {
			name, value, _ := strings.Cut(in.Text(), ":")
			if b64, ok := strings.CutPrefix(value, ":"); ok {
				raw, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(b64))
				value = string(raw)
			}
			req[name] = strings.TrimSpace(value)
			continue
		}
		no := func(why string) { fmt.Printf("Authenticated: No\nAuthentication-Error: %s\n.\n.\n", why) } // two periods, as the real one
		switch req["Username"] {
		case "alice":
			fmt.Printf("Authenticated: Yes\nUser-Session-Key: %032x\n.\n", os.Getpid())
		case "check":
			fmt.Printf("Authenticated: No\nAuthentication-Error:: %s\n.\n", base64.StdEncoding.EncodeToString(fmt.Append(nil, req["NT-Domain"], req["LANMAN-Challenge"], req["LANMAN-Response"], req["NT-Response"], req["Request-User-Session-Key"])))
		case "last":
			fmt.Printf("Authenticated: Yes\nUser-Session-Key: %032x\n.\n", os.Getpid())
			os.Exit(0)
		case "die":
			fmt.Print("Authenticated: Y")
			os.Exit(1)
		case "hang":
			_, _ = io.Copy(io.Discard, os.Stdin)
		case "nokey":
			fmt.Print("Authenticated: Yes\n.\n")
		case "garbage":
			fmt.Print("no colon here\n.\n")
		case "endless":
			for {
				fmt.Print("A: b\n")
			}
		case "off":
			no("The referenced account is currently disabled and cannot be logged on to.")
		default:
			no("The attempted logon is invalid. This is either due to a bad username or authentication information.")
		}
		clear(req)
	}
}

// newPool is a pool of fakes.
func newPool(t *testing.T, limit int, timeout time.Duration) *Pool {
	t.Setenv("FAKE_NTLM_AUTH", "1")
	p := New(Config{Argv: []string{os.Args[0]}, Max: limit, Timeout: timeout, Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() { p.Close() })
	return p
}

// pid logs alice on and gives the child's process id.
func pid(t *testing.T, p *Pool) int {
	t.Helper()
	key, err := p.Logon(t.Context(), &Logon{User: "alice"})
	if err != nil {
		t.Fatalf("alice: %v", err)
	}
	return int(binary.BigEndian.Uint64(key[8:]))
}

// gone says whether a process has ended and was waited for.
func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

// TestReplies maps what children say, with one child that goes on after every refusal.
func TestReplies(t *testing.T) {
	p := newPool(t, 1, time.Minute)
	first := pid(t, p)
	for user, want := range map[string]ntstatus.Status{
		"off": ntstatus.AccountDisabled, "bob": ntstatus.LogonFailure, "nokey": ntstatus.InternalError, "user\nUsername: alice": ntstatus.LogonFailure,
	} {
		if _, err := p.Logon(t.Context(), &Logon{User: user}); !errors.Is(err, want) {
			t.Errorf("%q: got %v, want %v", user, err, want)
		}
		if got := pid(t, p); got != first {
			t.Errorf("after %q: got another child, want the same", user)
		}
	}
	_, err := p.Logon(t.Context(), &Logon{User: "check", Domain: "DOM", Challenge: [8]byte{1, 2, 3}, LM: []byte{4}, NT: []byte{5, 6}})
	if want := "DOM0102030000000000040506Yes"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("request arrived as %v", err)
	}
}

// TestDeath replaces children that die, break the protocol, or do not answer.
func TestDeath(t *testing.T) {
	p := newPool(t, 1, time.Minute)
	old := pid(t, p)
	for _, user := range []string{"die", "garbage", "endless"} {
		if _, err := p.Logon(t.Context(), &Logon{User: user}); !errors.Is(err, ntstatus.NoLogonServers) {
			t.Errorf("%s: got %v, want NoLogonServers", user, err)
		}
		now := pid(t, p)
		if now == old || !gone(old) {
			t.Errorf("after %s: child %d again or still there", user, old)
		}
		old = now
	}
	if _, err := p.Logon(t.Context(), &Logon{User: "last"}); err != nil {
		t.Errorf("last: %v", err)
	}
	pid(t, p) // an idle child that is dead by now does not fail a logon
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := p.Logon(ctx, &Logon{User: "hang"}); !errors.Is(err, ntstatus.NoLogonServers) {
		t.Errorf("hang, cancelled: got %v, want NoLogonServers", err)
	}
	last := pid(t, p)
	if err := p.Close(); err != nil || !gone(last) {
		t.Errorf("after Close: err %v, child gone %v", err, gone(last))
	}
	if _, err := p.Logon(t.Context(), &Logon{User: "alice"}); !errors.Is(err, ntstatus.NoLogonServers) {
		t.Errorf("after Close: got %v, want NoLogonServers", err)
	}
}

// TestTimeout frees callers of children that hang, and callers that wait for a child.
func TestTimeout(t *testing.T) {
	p := newPool(t, 2, 200*time.Millisecond)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := p.Logon(context.Background(), &Logon{User: "hang"}); !errors.Is(err, ntstatus.NoLogonServers) {
				t.Errorf("got %v, want NoLogonServers", err)
			}
		})
	}
	wg.Wait()
	if len(p.slots) != 0 || len(p.idle) != 0 {
		t.Errorf("%d slots taken, %d idle children; want none", len(p.slots), len(p.idle))
	}
}

// TestParallel runs many logons over few children.
func TestParallel(t *testing.T) {
	p := newPool(t, 3, time.Minute)
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			if _, err := p.Logon(context.Background(), &Logon{User: "alice"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(p.idle) > 3 {
		t.Errorf("%d children, want at most 3", len(p.idle))
	}
}

// TestNoProgram fails the logon, not the process.
func TestNoProgram(t *testing.T) {
	p := New(Config{Argv: []string{"/nonexistent/ntlm_auth"}, Max: 1, Timeout: time.Minute, Log: slog.New(slog.DiscardHandler)})
	if _, err := p.Logon(t.Context(), &Logon{User: "alice"}); !errors.Is(err, ntstatus.NoLogonServers) {
		t.Errorf("got %v, want NoLogonServers", err)
	}
}

// TestRealBinary speaks to Samba's ntlm_auth, without winbindd: it understands every line of ours
// (what it does not, it names in an "Error:"), says that winbindd is missing, and goes on to the next
// request in spite of its second period.
func TestRealBinary(t *testing.T) {
	program, err := exec.LookPath("ntlm_auth")
	if err != nil {
		t.Skip("ntlm_auth (Debian: winbind) is not installed")
	}
	conf := filepath.Join(t.TempDir(), "smb.conf")
	if err := os.WriteFile(conf, []byte("[global]\nwinbindd socket directory = "+filepath.Dir(conf)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	argv := []string{program, "--helper-protocol=ntlm-server-1", "--configfile=" + conf}
	p := New(Config{Argv: argv, Max: 1, Timeout: time.Minute, Log: slog.New(slog.DiscardHandler)})
	defer p.Close()
	for range 3 {
		_, err := p.Logon(t.Context(), &Logon{User: "ünal\n.\n", Domain: "WG", LM: make([]byte, 24), NT: make([]byte, 64)})
		if !errors.Is(err, ntstatus.NoLogonServers) || !strings.Contains(err.Error(), "ntlm_auth: \"Reading winbind reply failed!") {
			t.Errorf("got %v, want NoLogonServers in ntlm_auth's own words", err)
		}
	}
	if len(p.idle) != 1 {
		t.Errorf("%d children after three logons one by one, want 1", len(p.idle))
	}
}

// FuzzReply feeds lines.
func FuzzReply(f *testing.F) {
	f.Add("Authenticated: Yes\nUser-Session-Key: 00112233445566778899aabbccddeeff\n.\n")
	f.Add("Authenticated: No\nAuthentication-Error:: eHg=\n.\n.\n")
	f.Fuzz(func(t *testing.T, s string) {
		r := make(reply)
		for line := range strings.Lines(s) {
			if end, err := r.add(line); err != nil || end {
				break
			}
		}
		if _, err := r.judge(&Logon{}); err == nil && r["Authenticated"] != "Yes" {
			t.Fatalf("%q is a logon", s)
		}
	})
}
