package core

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

var update = flag.Bool("update", false, "write the answers into the scripts; read the diff")

// TestScripts runs testdata/scripts: each line that is not indented is a command, the
// indented lines below it are its answer and its effects. testdata/README.md tells the
// language.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/scripts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runScript(t, file) })
	}
}

func runScript(t *testing.T, file string) {
	in, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	r := newRunner()
	for _, line := range strings.Split(strings.TrimRight(string(in), "\n"), "\n") {
		if strings.HasPrefix(line, "    ") {
			continue
		}
		fmt.Fprintln(&out, line)
		if line == "" || line[0] == '#' {
			continue
		}
		if line == "new" {
			r = newRunner()
			continue
		}
		for _, answer := range r.do(t, line) {
			fmt.Fprintf(&out, "    %s\n", answer)
		}
		if err := r.s.check(); err != nil {
			t.Errorf("after %q: %v", line, err)
		}
	}
	if *update {
		if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	diff(t, string(in), out.String())
}

// diff reports the first line that differs, with the command it belongs to.
func diff(t *testing.T, want, got string) {
	t.Helper()
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	command := ""
	for i := 0; i < len(w) || i < len(g); i++ {
		a, b := "", ""
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			t.Fatalf("line %d, after %q:\n got %q\nwant %q", i+1, command, b, a)
		}
		if a != "" && a[0] != ' ' {
			command = a
		}
	}
}

// runner holds what a script's words mean.
type runner struct {
	s     *State
	now   Instant
	files map[string]uint64 // path -> id
	last  uint64
	reqs  map[string]RequestID
	names map[RequestID]string
}

func newRunner() *runner {
	return &runner{s: New(Config{NotifyMaxEvents: 4}), now: 1e9, files: map[string]uint64{}, reqs: map[string]RequestID{}, names: map[RequestID]string{}}
}

// words are a command's arguments: plain ones and key=value.
type words struct {
	t    *testing.T
	line string
	args []string
	kv   map[string]string
	used map[string]bool
}

func parse(t *testing.T, line string) *words {
	w := &words{t: t, line: line, kv: map[string]string{}}
	for _, f := range strings.Fields(line) {
		if k, v, ok := strings.Cut(f, "="); ok {
			w.kv[k] = v
		} else {
			w.args = append(w.args, f)
		}
	}
	return w
}

func (w *words) arg(i int) string {
	w.t.Helper()
	if i >= len(w.args) {
		w.t.Fatalf("%q: too few words", w.line)
	}
	return w.args[i]
}

// has says whether a plain word stands behind the first n.
func (w *words) has(n int, word string) bool {
	for i := n; i < len(w.args); i++ {
		if w.args[i] == word {
			return true
		}
	}
	return false
}

func (w *words) num(s string) uint64 {
	w.t.Helper()
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		w.t.Fatalf("%q: %v", w.line, err)
	}
	return n
}

func guid(s string) (g GUID) {
	copy(g[:], s)
	return g
}

func unguid(g GUID) string { return strings.TrimRight(string(g[:]), "\x00") }

func handle(w *words, s string) OpenID { return OpenID(w.num(strings.TrimPrefix(s, "h"))) }

// session reads "c1" or "c1.2": client 1, its first or second session.
func sessionWord(w *words, s string) (SessionID, GUID) {
	if s == "" {
		s = "c1"
	}
	c, n, _ := strings.Cut(s, ".")
	if n == "" {
		n = "1"
	}
	return SessionID(w.num(c[1:])*10 + w.num(n)), guid(c)
}

func sessionName(id SessionID) string {
	if id == 0 {
		return "-"
	}
	if id%10 == 1 {
		return fmt.Sprintf("c%d", id/10)
	}
	return fmt.Sprintf("c%d.%d", id/10, id%10)
}

// req names a request: by "as=", else by what the command is about.
func (r *runner) req(w *words, def string) RequestID {
	name := w.kv["as"]
	if name == "" {
		name = def
	}
	if id, ok := r.reqs[name]; ok {
		return id
	}
	id := RequestID(len(r.reqs) + 1)
	r.reqs[name], r.names[id] = id, name
	return id
}

// key is the identity of a path, made up when it is seen first.
func (r *runner) key(path string) FileKey {
	id, ok := r.files[path]
	if !ok {
		r.last++
		id = r.last
		r.files[path] = id
	}
	return FileKey{Volume: 1, ID: id}
}

func name(path string) Name { return Name{Volume: 1, Path: strings.ToLower(path)} }

func accessWord(w *words, s string) (a smb2.AccessMask) {
	if s == "" {
		s = "rw"
	}
	if strings.HasPrefix(s, "0x") {
		return smb2.AccessMask(w.num(s))
	}
	for _, c := range s {
		switch c {
		case 'r':
			a |= smb2.FileReadData
		case 'w':
			a |= smb2.FileWriteData
		case 'd':
			a |= smb2.Delete
		case 's':
			a |= smb2.FileReadAttributes | smb2.Synchronize
		case 'c':
			a |= smb2.ReadControl
		default:
			w.t.Fatalf("%q: access %q", w.line, s)
		}
	}
	return a
}

func shareWord(s string, ok bool) (a smb2.ShareAccess) {
	if !ok {
		s = "rwd"
	}
	for c, bit := range map[string]smb2.ShareAccess{"r": smb2.FileShareRead, "w": smb2.FileShareWrite, "d": smb2.FileShareDelete} {
		if strings.Contains(s, c) {
			a |= bit
		}
	}
	return a
}

var oplockWords = map[string]smb2.OplockLevel{
	"": smb2.OplockLevelNone, "none": smb2.OplockLevelNone, "II": smb2.OplockLevelII,
	"exclusive": smb2.OplockLevelExclusive, "batch": smb2.OplockLevelBatch, "lease": smb2.OplockLevelLease,
}

func oplockName(l smb2.OplockLevel) string {
	for n, x := range oplockWords {
		if x == l && n != "" {
			return n
		}
	}
	return "?"
}

func leaseWord(s string) (st smb2.LeaseState) {
	for c, bit := range map[string]smb2.LeaseState{"R": 1, "H": 2, "W": 4} {
		if strings.Contains(s, c) {
			st |= bit
		}
	}
	return st
}

func leaseName(st smb2.LeaseState) string {
	s := ""
	for i, c := range "RHW" {
		if st&(1<<i) != 0 {
			s += string(c)
		}
	}
	if s == "" {
		return "none"
	}
	return s
}

// statusName is a status without its number.
func statusName(st ntstatus.Status) string {
	if st == ntstatus.Success {
		return "ok"
	}
	return strings.ToLower(strings.TrimPrefix(st.Name(), "STATUS_"))
}

// do runs one line.
func (r *runner) do(t *testing.T, line string) []string {
	t.Helper()
	w := parse(t, line)
	cmd, def := r.command(w)
	if cmd == nil {
		return r.look(w)
	}
	res, effects := r.s.Apply(r.now, cmd)
	if c, ok := cmd.(*Unlinked); ok && c.OK && c.Stream == "" && res.Status == ntstatus.Success {
		delete(r.files, def) // the next file of that name is another one
	}
	out := []string{r.result(cmd, res)}
	if res.Status == ntstatus.Pending {
		out[0] += " " + r.names[r.req(w, def)]
	}
	for _, e := range effects {
		out = append(out, "! "+r.effect(e))
	}
	return out
}

// look is for the lines that are no command of the core.
func (r *runner) look(w *words) []string {
	switch w.arg(0) {
	case "next":
		if n := r.s.Next(); n != 0 {
			return []string{time.Duration(n - r.now).String()}
		}
		return []string{"never"}
	case "stats":
		return []string{fmt.Sprintf("%+v", r.s.Stats())}
	}
	w.t.Fatalf("%q: unknown", w.line)
	return nil
}
