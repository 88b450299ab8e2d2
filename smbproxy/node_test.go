package main

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

func TestListenAddresses(t *testing.T) {
	host := func(name string) ([]netip.Addr, error) {
		all := map[string][]netip.Addr{
			"eth0": {netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("2001:db8::10")},
			"":     {netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("192.0.2.11"), netip.MustParseAddr("2001:db8::10")},
			"eth9": nil,
		}
		addrs, ok := all[name]
		if !ok {
			return nil, os.ErrNotExist
		}
		return addrs, nil
	}
	for _, c := range []struct {
		interfaces []string
		ports      []int
		want       string // joined by blanks; empty: an error
	}{
		{nil, []int{445}, ":445"},
		{[]string{"192.0.2.10"}, []int{445, 1445}, "192.0.2.10:445 192.0.2.10:1445"},
		{[]string{"eth0"}, []int{445}, "192.0.2.10:445 [2001:db8::10]:445"},
		{[]string{"192.0.2.0/24"}, []int{445}, "192.0.2.10:445 192.0.2.11:445"},
		{[]string{"192.0.2.0/255.255.255.0", "eth0"}, []int{445}, "192.0.2.10:445 192.0.2.11:445 [2001:db8::10]:445"},
		{[]string{"192.0.2.11/24"}, []int{445}, "192.0.2.11:445"},
		{[]string{"127.0.0.5/32"}, []int{445}, "127.0.0.5:445"},
		{[]string{"eth1"}, []int{445}, ""},
		{[]string{"eth9"}, []int{445}, ""},
		{[]string{"198.51.100.0/24"}, []int{445}, ""},
		{[]string{"192.0.2.10", "eth1"}, []int{445}, ""},
	} {
		got, err := listenAddresses(&Global{Interfaces: c.interfaces, Ports: c.ports}, host)
		if strings.Join(got, " ") != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%v %v: got %q, %v, want %q", c.interfaces, c.ports, got, err, c.want)
		}
	}
}

func TestServerGUID(t *testing.T) {
	dir := t.TempDir()
	first, err := loadServerGUID(dir)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := loadServerGUID(dir); err != nil || again != first || first == [16]byte{} {
		t.Errorf("got %x then %x, %v", first, again, err)
	}
	if other, err := loadServerGUID(t.TempDir()); err != nil || other == first {
		t.Errorf("another state directory: got %x, %v", other, err)
	}
	if err := os.WriteFile(filepath.Join(dir, serverGUIDFile), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadServerGUID(dir); err == nil {
		t.Error("a damaged file: no error")
	}
}

func TestReplaceFile(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "elsewhere")
	if err := os.WriteFile(secret, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(secret, link); err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(link, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(secret); err != nil || string(b) != "old" {
		t.Errorf("it wrote through a link: %q, %v", b, err)
	}
	if err := replaceFile(filepath.Join(dir, "none", "x"), nil); err == nil {
		t.Error("no directory: no error")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestMetrics(t *testing.T) {
	m := newMetrics()
	observe := func() { m.observe(smb2.CommandRead, ntstatus.Success, "", time.Millisecond) }
	observe()
	if n := testing.AllocsPerRun(100, observe); n != 0 {
		t.Errorf("a request costs %v allocations", n)
	}
	for i := range maxRequestKeys + 10 {
		m.observe(smb2.CommandRead, ntstatus.Status(i), "backend", 0)
	}
	if n := len(*m.counters.Load()); n > maxRequestKeys {
		t.Errorf("%d time series, more than %d", n, maxRequestKeys)
	}
	m.observe(smb2.Command(999), ntstatus.Success, "client", 0)
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var total float64
	for _, f := range families {
		if f.GetName() == "smbproxy_requests_total" {
			for _, x := range f.GetMetric() {
				total += x.GetCounter().GetValue()
			}
		}
	}
	if want := float64(102 + 1 + maxRequestKeys + 10); total != want { // AllocsPerRun runs once more to warm up
		t.Errorf("%v requests counted, want %v", total, want)
	}
}

func TestAccessWord(t *testing.T) {
	for mask, want := range map[smb2.AccessMask]string{
		smb2.FileReadData: "r", smb2.FileReadData | smb2.FileWriteData: "rw", smb2.Delete: "d", smb2.GenericAll: "rwd", smb2.FileReadAttributes: "-", smb2.FileAppendData: "w",
	} {
		if got := accessWord(mask); got != want {
			t.Errorf("%#x: got %s, want %s", uint32(mask), got, want)
		}
	}
}

// The unit does not run as root, may bind port 445, and systemd understands every line of it.
func TestSystemdUnit(t *testing.T) {
	unit, err := os.ReadFile(filepath.Join("..", "dist", "smbproxy.service"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(unit), "\n")
	for _, want := range []string{"Type=notify", "User=smbproxy", "AmbientCapabilities=CAP_NET_BIND_SERVICE", "CapabilityBoundingSet=CAP_NET_BIND_SERVICE", "NoNewPrivileges=yes", "ProtectSystem=strict"} {
		if !slices.Contains(lines, want) {
			t.Errorf("%s is not in the unit", want)
		}
	}
	// The programs that it starts need not be installed here.
	path := filepath.Join(t.TempDir(), "smbproxy.service")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(unit), "/usr/bin/smbproxy", "/bin/true")), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", path).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, path) || strings.Contains(line, "smbproxy.service") {
			t.Errorf("systemd-analyze: %s", line)
		}
	}
	if err != nil && len(out) == 0 {
		t.Errorf("systemd-analyze: %v", err)
	}
}
