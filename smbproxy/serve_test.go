package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"smbproxy/internal/lab"
)

// running is one running `smbproxy serve` whose backend does not exist.
type running struct {
	t       *testing.T
	dir     string
	config  string
	address string // of clients
	metrics string
	notify  *net.UnixConn // what it tells systemd
	cmd     *exec.Cmd
	log     *syncBuffer
	waited  chan error
}

// syncBuffer is written by the process and read by the test.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// freeAddress is an address of this room's that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.7.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// prepare makes the files of a new smbproxy.
func prepare(t *testing.T) *running {
	t.Helper()
	dir, err := os.MkdirTemp("", "smbproxy-serve-") //nolint:usetesting // t.TempDir is too long for unix sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	r := &running{t: t, dir: dir, config: filepath.Join(dir, "smbproxy.conf"), address: freeAddress(t), metrics: freeAddress(t)}
	if r.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.notify.Close() })
	if err := os.WriteFile(filepath.Join(dir, "smbpasswd"), []byte("anna:1000:XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX:8846F7EAEE8FB117AD06BDD830B7586C:[U          ]:LCT-00000000:\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r.write("", "")
	if status, _, stderr := runCommand(t, "-c", r.config, "backend", "keytab", "one"); status != 0 {
		t.Fatal(stderr)
	}
	return r
}

// write makes the configuration, with more lines in [global] and more sections.
func (r *running) write(global, sections string) {
	r.t.Helper()
	_, port, _ := net.SplitHostPort(r.address)
	text := fmt.Sprintf("[global]\nnetbios name = files\ninterfaces = 127.7.0.1\nsmb ports = %s\nmetrics address = %s\n"+
		"admin socket = %s/admin.sock\nstate directory = %s\nsmb passwd file = %s/smbpasswd\ndrain timeout = 5s\n%s\n"+
		"[backend:one]\naddress = 127.7.0.2:1\n[a]\nbackend = one\npath = /a\n%s\n", port, r.metrics, r.dir, r.dir, r.dir, global, sections)
	if err := os.WriteFile(r.config, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// start runs the binary and waits until it says that clients can connect.
func (r *running) start() {
	r.t.Helper()
	binary, err := lab.Binary()
	if err != nil {
		r.t.Fatal(err)
	}
	r.log, r.waited = &syncBuffer{}, make(chan error, 1)
	r.cmd = exec.Command(binary, "serve", "--config", r.config)
	r.cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+r.notify.LocalAddr().String())
	r.cmd.Stderr = r.log
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	process := r.cmd.Process
	r.t.Cleanup(func() { _ = process.Kill() })
	go func(cmd *exec.Cmd, waited chan error) { waited <- cmd.Wait() }(r.cmd, r.waited)
	r.told("READY=1")
}

// told waits until systemd has been told something.
func (r *running) told(want string) {
	r.t.Helper()
	buf := make([]byte, 4096)
	if err := r.notify.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		r.t.Fatal(err)
	}
	for {
		n, err := r.notify.Read(buf)
		if err != nil {
			r.t.Fatalf("waiting for %s: %v\n%s", want, err, r.log)
		}
		for _, line := range strings.Split(string(buf[:n]), "\n") {
			if line == want {
				return
			}
		}
	}
}

// signal sends a signal.
func (r *running) signal(sig syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		r.t.Fatal(err)
	}
}

// ended waits for the process and returns its exit status.
func (r *running) ended() int {
	r.t.Helper()
	select {
	case <-r.waited:
		return r.cmd.ProcessState.ExitCode()
	case <-time.After(20 * time.Second):
		r.t.Fatalf("it does not end\n%s", r.log)
		return -1
	}
}

// status asks it over the admin socket.
func (r *running) status() (s statusReply) {
	r.t.Helper()
	status, out, stderr := runCommand(r.t, "-c", r.config, "status", "--json")
	if status != 0 {
		r.t.Fatalf("status: %s\n%s", stderr, r.log)
	}
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		r.t.Fatalf("status: %v in %s", err, out)
	}
	return s
}

// metric is the value of one line of /metrics.
func (r *running) metric(name string) string {
	r.t.Helper()
	res, err := http.Get("http://" + r.metrics + "/metrics")
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return value
		}
	}
	return ""
}

func TestServe(t *testing.T) {
	r := prepare(t)
	r.start()

	socket := filepath.Join(r.dir, "admin.sock")
	if st, err := os.Stat(socket); err != nil || st.Mode() != os.ModeSocket|0o600 {
		t.Errorf("admin socket: %v, %v", st.Mode(), err)
	}
	s := r.status()
	if s.ServerName != "FILES" || len(s.Listening) != 1 || s.Listening[0] != r.address || s.PID != r.cmd.Process.Pid || len(s.Shares) != 1 || len(s.ReloadFaults) != 0 {
		t.Errorf("status: %+v", s)
	}
	for _, args := range [][]string{{"status"}, {"sessions"}, {"opens"}, {"sessions", "--json"}, {"opens", "--json"}} {
		if status, out, stderr := runCommand(t, append(args, "-c", r.config)...); status != 0 || out == "" {
			t.Errorf("%v: status %d, %q, %s", args, status, out, stderr)
		}
	}
	if got := r.metric("smbproxy_config_last_reload_successful"); got != "1" {
		t.Errorf("reload metric after start: %q", got)
	}

	t.Run("a second one takes neither the state database nor the socket", func(t *testing.T) {
		other := prepare(t) // with a state directory of its own
		text, err := os.ReadFile(other.config)
		if err == nil {
			err = os.WriteFile(other.config, bytes.ReplaceAll(text, []byte(filepath.Join(other.dir, "admin.sock")), []byte(socket)), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		for config, want := range map[string]string{r.config: "another process has it open", other.config: "another smbproxy is running there"} {
			binary, err := lab.Binary()
			if err != nil {
				t.Fatal(err)
			}
			out, err := exec.Command(binary, "serve", "-c", config).CombinedOutput()
			if err == nil || !strings.Contains(string(out), want) {
				t.Errorf("got %v, %s, want %s", err, out, want)
			}
		}
		if r.status().PID != r.cmd.Process.Pid {
			t.Error("the first one is not asked any more")
		}
	})

	r.signal(syscall.SIGTERM)
	r.told("STOPPING=1")
	if status := r.ended(); status != 0 {
		t.Errorf("SIGTERM: exit status %d\n%s", status, r.log)
	}
	if _, err := os.Stat(socket); err == nil {
		t.Error("the admin socket is still there")
	}

	t.Run("ServerGuid survives a restart, a dead one's socket does not matter", func(t *testing.T) {
		again := *r
		again.start()
		again.signal(syscall.SIGKILL)
		again.ended()
		again.start()
		if got := again.status().ServerGUID; got != s.ServerGUID || len(got) != 36 {
			t.Errorf("got %s, want %s", got, s.ServerGUID)
		}
		again.signal(syscall.SIGINT)
		if status := again.ended(); status != 0 {
			t.Errorf("SIGINT: exit status %d", status)
		}
	})
}

func TestReload(t *testing.T) {
	r := prepare(t)
	r.start()
	client, err := net.Dial("tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	r.write("", "[b]\nbackend = one\npath = /b\n")
	r.signal(syscall.SIGHUP)
	r.told("RELOADING=1")
	r.told("READY=1")
	if s := r.status(); len(s.Shares) != 2 || len(s.ReloadFaults) != 0 {
		t.Errorf("after SIGHUP: %+v\n%s", s, r.log)
	}

	r.write("log level = loud\nnonsense", "[c]\nbackend = none\npath = /c\n")
	faults := []string{`"nonsense" is neither`, `log level: "loud" is not one of`, "there is no [backend:none]"}
	check := func(how string) {
		t.Helper()
		s := r.status()
		if len(s.Shares) != 2 || len(s.ReloadFaults) != len(faults) {
			t.Errorf("%s: %+v", how, s)
		}
		for _, want := range faults {
			if !strings.Contains(strings.Join(s.ReloadFaults, "\n"), want) || !strings.Contains(r.log.String(), strings.ReplaceAll(want, `"`, `\"`)) {
				t.Errorf("%s: %q is not told: %v\n%s", how, want, s.ReloadFaults, r.log)
			}
		}
		if got := r.metric("smbproxy_config_last_reload_successful"); got != "0" {
			t.Errorf("%s: metric %q, want 0", how, got)
		}
	}
	r.signal(syscall.SIGHUP)
	r.told("READY=1")
	check("bad SIGHUP")
	status, _, stderr := runCommand(t, "-c", r.config, "reload")
	for _, want := range append(faults, "the old configuration stays in force") {
		if status != 1 || !strings.Contains(stderr, want) {
			t.Errorf("reload: status %d, %q is not in %s", status, want, stderr)
		}
	}
	check("bad reload")

	taken, err := net.Listen("tcp", "127.7.0.3:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	old := r.address
	r.address = "127.7.0.3:" + port
	r.write("", "")
	text, err := os.ReadFile(r.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.config, bytes.Replace(text, []byte("127.7.0.1"), []byte("127.7.0.3"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr := runCommand(t, "-c", r.config, "reload"); status != 1 || !strings.Contains(stderr, "address already in use") {
		t.Errorf("an address that is taken: status %d, %s", status, stderr)
	}
	if s := r.status(); len(s.Listening) != 1 || s.Listening[0] != old || len(s.Shares) != 2 {
		t.Errorf("an address that is taken: %+v", s)
	}
	_ = taken.Close()
	if status, _, stderr := runCommand(t, "-c", r.config, "reload"); status != 0 {
		t.Errorf("a free address: status %d, %s", status, stderr)
	}
	if s := r.status(); len(s.Listening) != 1 || s.Listening[0] != r.address || len(s.Shares) != 1 || len(s.ReloadFaults) != 0 {
		t.Errorf("a free address: %+v", s)
	}
	if got := r.metric("smbproxy_config_last_reload_successful"); got != "1" {
		t.Errorf("after a good reload: metric %q", got)
	}
	if c, err := net.DialTimeout("tcp", old, time.Second); err == nil {
		_ = c.Close()
		t.Error("the old address is still listened on")
	}
	if err := client.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 1)); errors.Is(err, io.EOF) {
		t.Error("a reload has closed a client's connection")
	}
	_ = client.Close() // draining would wait for it
	r.signal(syscall.SIGTERM)
	r.ended()
}

func TestGlobalHosts(t *testing.T) {
	r := prepare(t)
	r.write("hosts deny = 127.7.9.9", "")
	r.start()
	dial := func(from string) error {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
		c, err := d.Dial("tcp", r.address)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
			return err
		}
		_, err = c.Read(make([]byte, 1))
		return err
	}
	if err := dial("127.7.9.9"); !errors.Is(err, io.EOF) {
		t.Errorf("a refused client: got %v, want the end of the connection", err)
	}
	if err := dial("127.7.9.8"); !os.IsTimeout(err) {
		t.Errorf("another client: got %v, want to wait", err)
	}
	r.signal(syscall.SIGTERM)
	r.ended()
}

func TestServeFaults(t *testing.T) {
	r := prepare(t)
	r.write("log level = loud", "[x]\n")
	binary, err := lab.Binary()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(binary, "serve", "-c", r.config).CombinedOutput()
	if err == nil || strings.Count(string(out), r.config+":") != 3 {
		t.Errorf("got %v and\n%s", err, out)
	}
}
