package chaos

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"smbproxy/internal/lab"
)

// Env is what a workload works with.
type Env struct {
	Lab   *lab.Lab
	C     *lab.Cluster
	Dir   string // local, for the clients
	Share string
	Scale Scale
	Seed  uint64
}

// Scale says how much a workload moves.
type Scale struct {
	FileMiB int // up- and downloads
	Tree    int // files of a tree
	Entries int // of a directory
	Moves   int // of each renaming client in a round
	Rate    int // of each node in bytes per second, so that a small file takes long enough to be hit; 0: none
}

// Scales of make chaos and of make test.
var (
	Full  = Scale{FileMiB: 1024, Tree: 2000, Entries: 20000, Moves: 100}
	Short = Scale{FileMiB: 64, Tree: 100, Entries: 1000, Moves: 15, Rate: 160 << 20}
)

// Workload is what clients do while a backend is lost.
type Workload interface {
	Name() string
	// Prepare makes what must be there before.
	Prepare(e *Env) error
	// Round lets the clients do their work once, from their start to their end. Rounds are numbered
	// from 0.
	Round(e *Env, n int) error
	// Check compares what is there afterwards, on the file system, with what that many rounds make
	// without a fault.
	Check(e *Env, rounds int) error
}

// Workloads are all there are.
func Workloads() []Workload {
	return []Workload{&upload{}, &download{}, &tarball{}, &listing{}, &held{}, &churn{}}
}

// work is the directory of the share that everything is in: the share's route gives it a home.
const work = "work"

// path is a place of the share on the file system, through a node that no backend is on.
func (e *Env) path(parts ...string) string {
	return filepath.Join(append([]string{e.C.ShareDir(e.Share), work}, parts...)...)
}

// mkdir makes a directory that every user may write.
func (e *Env) mkdir(parts ...string) error {
	if err := os.MkdirAll(e.path(parts...), 0o755); err != nil {
		return err
	}
	return os.Chmod(e.path(parts...), 0o777)
}

// client runs smbclient; an error line is a fault as another exit status is.
func (e *Env) client(command string) (string, error) {
	r := e.Lab.Smbclient(e.C.Proxy.Addr(), e.Share,
		lab.As(e.Lab.User("user1")), lab.ClientTimeout(5*time.Minute), lab.InDir(e.Dir), lab.Command(command))
	if r.Err != nil || r.Status() != "" {
		return r.Output, errors.Join(errors.New("a client failed"), r.Err, errors.New(errorLines(r.Output)))
	}
	return r.Output, nil
}

// errorLines are the lines with a status, and without any the last ones.
func errorLines(out string) string {
	var found, all []string
	for line := range strings.Lines(out) {
		all = append(all, line)
		if strings.Contains(line, "NT_STATUS_") {
			found = append(found, line)
		}
	}
	if found == nil {
		found = all[max(0, len(all)-5):]
	}
	return strings.TrimSpace(strings.Join(found[:min(len(found), 10)], ""))
}

// noise is a reader of bytes that do not repeat, the same for the same seed and name.
func noise(seed uint64, name string) io.Reader {
	return rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, "%d %s", seed, name)))
}

// makeFile writes n bytes of noise, for everybody to read.
func makeFile(path string, seed uint64, n int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, io.LimitReader(noise(seed, filepath.Base(path)), n))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Chmod(path, 0o666)
}

// same compares a file with the n bytes of noise that makeFile writes under name.
func same(path, name string, seed uint64, n int64) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return sameReader(path, f, name, seed, n)
}

func sameReader(path string, f io.Reader, name string, seed uint64, n int64) error {
	want := io.LimitReader(noise(seed, name), n)
	const step = 1 << 20
	a, b := make([]byte, step), make([]byte, step)
	for off := int64(0); ; off += step {
		ka, erra := io.ReadFull(f, a)
		kb, errb := io.ReadFull(want, b)
		if string(a[:ka]) != string(b[:kb]) {
			at := 0
			for at < min(ka, kb) && a[at] == b[at] {
				at++
			}
			zeros := strings.Trim(string(a[min(at, ka):min(at+512, ka)]), "\x00") == ""
			return fmt.Errorf("%s differs from what was written at %d (got %d bytes of this MiB, want %d; zeros there: %v)", path, off+int64(at), ka, kb, zeros)
		}
		if erra != nil || errb != nil {
			return nil
		}
	}
}

// wantNames checks a directory's names.
func wantNames(dir string, want map[string]bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var extra []string
	missing := len(want)
	for _, entry := range entries {
		if want[entry.Name()] {
			missing--
		} else {
			extra = append(extra, entry.Name())
		}
	}
	if missing > 0 || len(extra) > 0 {
		return fmt.Errorf("%s: %d names missing of %d, and too many: %v", dir, missing, len(want), extra)
	}
	return nil
}
