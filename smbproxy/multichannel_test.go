package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

// TestChannelInterfaces: clients are told the addresses that smbproxy listens on, and no others.
func TestChannelInterfaces(t *testing.T) {
	addrs := func(list ...string) (out []netip.Addr) {
		for _, s := range list {
			out = append(out, netip.MustParseAddr(s))
		}
		return out
	}
	host := func() ([]hostInterface, error) {
		return []hostInterface{
			{index: 1, addresses: addrs("127.0.0.1", "::1")},
			{index: 2, addresses: addrs("192.0.2.10", "fe80::1%eth0", "2001:db8::10"), speed: 10_000_000_000, queues: 8},
			{index: 3, addresses: addrs("192.0.2.11", "169.254.1.1"), queues: 1},
		}, nil
	}
	const (
		ten    = "{2 192.0.2.10 10000000000 true}"
		six    = "{2 2001:db8::10 10000000000 true}"
		eleven = "{3 192.0.2.11 1000000000 false}"
	)
	for _, c := range []struct {
		name       string
		off        bool
		interfaces []string
		want       string
	}{
		{"all", false, nil, "[" + ten + " " + six + " " + eleven + "]"},
		{"off", true, nil, "[]"},
		{"one address", false, []string{"192.0.2.11"}, "[" + eleven + "]"},
		{"two addresses of two interfaces", false, []string{"192.0.2.10", "192.0.2.11"}, "[" + ten + " " + eleven + "]"},
		{"loopback beside a real one", false, []string{"127.0.0.1", "192.0.2.11"}, "[" + eleven + "]"},
		{"loopback only", false, []string{"127.0.0.1"}, "[{1 127.0.0.1 1000000000 false}]"},
		{"unnamed loopback", false, []string{"127.12.1.1"}, "[{1 127.12.1.1 1000000000 false}]"},
	} {
		g := &Global{MultiChannel: !c.off, Interfaces: c.interfaces, Ports: []int{445}}
		got, err := channelInterfaces(g, host)
		if text := fmt.Sprint(got); err != nil || text != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.name, text, err, c.want)
		}
	}
}

// TestLinkOf reads sysfs as network drivers write it.
func TestLinkOf(t *testing.T) {
	for _, c := range []struct {
		speed      string
		rx         int
		wantSpeed  uint64
		wantQueues int
	}{
		{"25000\n", 4, 25_000_000_000, 4},
		{"-1\n", 1, 0, 1}, // link down, virtual
		{"", 0, 0, 0},
	} {
		dir := t.TempDir()
		if c.speed != "" {
			if err := os.WriteFile(filepath.Join(dir, "speed"), []byte(c.speed), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for i := range c.rx {
			for _, kind := range []string{"rx", "tx"} {
				if err := os.MkdirAll(filepath.Join(dir, "queues", fmt.Sprintf("%s-%d", kind, i)), 0o700); err != nil {
					t.Fatal(err)
				}
			}
		}
		if speed, queues := linkOf(dir); speed != c.wantSpeed || queues != c.wantQueues {
			t.Errorf("%q with %d queues: got %d and %d", c.speed, c.rx, speed, queues)
		}
	}
	if all, err := hostInterfaces(); err != nil || len(all) == 0 {
		t.Errorf("this host: %v, %v", all, err)
	}
}
