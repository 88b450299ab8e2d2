package e2e

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hirochachacha/go-smb2"

	"smbproxy/internal/lab"
)

// cluster is a lab with one smbd and smbproxy before it, for tests that need nothing special.
// Signing is left to the client, because go-smb2 can sign only while smbd is fast: it takes
// interim responses, which are not signed, for forgeries.
func cluster(t *testing.T, opt lab.ClusterOptions) *lab.Cluster {
	t.Helper()
	if opt.GlobalLines == nil {
		opt.GlobalLines = []string{"server signing = auto"}
	}
	return lab.New(t, lab.Options{}).MustCluster(opt)
}

// goClient logs a user in with go-smb2; the connection ends with the test. It signs where the
// server insists.
func goClient(t testing.TB, addr string, u lab.User, dialect uint16) (*smb2.Session, error) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = c.Close() })
	d := &smb2.Dialer{
		Negotiator: smb2.Negotiator{SpecifiedDialect: dialect},
		Initiator:  &smb2.NTLMInitiator{User: u.Name, Password: u.Password},
	}
	return d.Dial(c)
}

// mount is goClient and a tree connect; both must succeed.
func mount(t testing.TB, addr, share string, u lab.User, dialect uint16) *smb2.Share {
	t.Helper()
	s, err := goClient(t, addr, u, dialect)
	if err != nil {
		t.Fatalf("log in as %s: %v", u.Name, err)
	}
	m, err := s.Mount(share)
	if err != nil {
		t.Fatalf("connect %s as %s: %v", share, u.Name, err)
	}
	return m
}

// signed runs a step of a go-smb2 client on a server that insists on signing, again if an
// interim response came between.
func signed(t testing.TB, step func() error) {
	t.Helper()
	var err error
	for range 20 {
		if err = step(); err == nil || !strings.Contains(err.Error(), "signing required") {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// status is the NTSTATUS of a go-smb2 error, 0 for none or an error of another kind.
func status(err error) uint32 {
	var r *smb2.ResponseError
	if errors.As(err, &r) {
		return r.Code
	}
	return 0
}

// noise is n bytes that do not compress or repeat, the same for the same seed.
func noise(seed byte, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// writeNoise writes a file of n bytes of noise and returns its SHA-256.
func writeNoise(t *testing.T, path string, seed byte, n int64) [32]byte {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(f, h), io.LimitReader(rand.NewChaCha8([32]byte{seed}), n)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return [32]byte(h.Sum(nil))
}

// sum is a file's SHA-256.
func sum(t *testing.T, path string) [32]byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return [32]byte(h.Sum(nil))
}

// must fails the test when smbclient did not end well.
func must(t *testing.T, r lab.ClientResult) lab.ClientResult {
	t.Helper()
	if r.Err != nil || r.Status() != "" {
		t.Fatal(r)
	}
	return r
}

// refused fails the test when smbclient did not report exactly this status.
func refused(t *testing.T, r lab.ClientResult, want string) {
	t.Helper()
	if got := r.Status(); got != want {
		t.Errorf("got %q, want %s: %v", got, want, r)
	}
}

// logged waits for one line behind the mark in smbproxy's log that holds all words; the line
// may be written a moment after the client has its answer.
func logged(t *testing.T, c *lab.Cluster, mark int64, words ...string) {
	t.Helper()
	err := lab.WaitFor(10*time.Second, func() error {
		text := c.Proxy.LogSince(mark)
	lines:
		for line := range strings.Lines(text) {
			for _, w := range words {
				if !strings.Contains(line, w) {
					continue lines
				}
			}
			return nil
		}
		return fmt.Errorf("not in:\n%s", text)
	})
	if err != nil {
		t.Errorf("no log line with %q: %v", words, err)
	}
}

// owner is whose a file on the backend's disk is.
func owner(t *testing.T, path string) (uid, gid uint32) {
	t.Helper()
	st, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	s := st.Sys().(*syscall.Stat_t)
	return s.Uid, s.Gid
}

// tree reads all files below dir: path relative to it -> content; directories end in a slash.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			out[rel+"/"] = ""
			return nil
		}
		data, err := os.ReadFile(path)
		out[rel] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// sameTree compares two results of tree.
func sameTree(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name, data := range want {
		if g, ok := got[name]; !ok {
			t.Errorf("%q is missing", name)
		} else if !bytes.Equal([]byte(g), []byte(data)) {
			t.Errorf("%q: %d bytes differ from the %d that were written", name, len(g), len(data))
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%q should not be there", name)
		}
	}
}
