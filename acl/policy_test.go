package acl

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// system is a Lookup with fixed answers; it counts what it is asked.
type system struct {
	groups map[string][]string
	names  map[string][]string
	fails  bool
	asked  int
}

func (y *system) Member(_ context.Context, user, group string) (bool, error) {
	y.asked++
	if y.fails {
		return false, errors.New("group service is down")
	}
	for _, m := range y.groups[group] {
		if m == user {
			return true, nil
		}
	}
	return false, nil
}

func (y *system) HostNames(_ context.Context, a netip.Addr) []string {
	y.asked++
	return y.names[a.Unmap().String()]
}

func newSystem() *system {
	return &system{
		groups: map[string][]string{"staff": {"alice", "bob"}, "wheel": {"root"}},
		names:  map[string][]string{"10.1.2.3": {"Pirate.Example.ORG."}, "10.1.2.4": {"lapland"}},
	}
}

func TestHosts(t *testing.T) {
	for _, c := range []struct {
		name, allow, deny, addr string
		want                    bool
	}{
		{"no lists", "", "", "192.0.2.1", true},
		{"prefix", "150.203.", "", "150.203.6.1", true},
		{"prefix, other", "150.203.", "", "150.204.6.1", false},
		{"prefix is of bytes", "150.20.", "", "150.203.6.1", false},
		{"except", "150.203. EXCEPT 150.203.6.66", "", "150.203.6.66", false},
		{"except, others", "150.203. EXCEPT 150.203.6.66", "", "150.203.6.65", true},
		{"except of except", "ALL EXCEPT 10. EXCEPT 10.1.", "", "10.1.0.1", true},
		{"except of except, outer", "ALL EXCEPT 10. EXCEPT 10.1.", "", "10.2.0.1", false},
		{"except, lower case", "all except 10.", "", "10.2.0.1", false},
		{"mask", "150.203.15.0/255.255.255.0", "", "150.203.15.9", true},
		{"mask, other", "150.203.15.0/255.255.255.0", "", "150.203.16.9", false},
		{"length", "192.0.2.0/25", "", "192.0.2.127", true},
		{"length, other", "192.0.2.0/25", "", "192.0.2.128", false},
		{"length, host bits set", "192.0.2.77/24", "", "192.0.2.1", true},
		{"address", "192.0.2.1", "", "192.0.2.1", true},
		{"address, other", "192.0.2.1", "", "192.0.2.10", false},
		{"mapped address", "192.0.2.1", "", "::ffff:192.0.2.1", true},
		{"v6", "2001:db8::/32", "", "2001:db8::1", true},
		{"v6, other", "2001:db8::/32", "", "2001:db9::1", false},
		{"v6 mask", "2001:db8::/ffff:ffff::", "", "2001:db8:1::1", true},
		{"v6 zone", "fe80::1", "", "fe80::1%eth0", true},
		{"host name", "lapland, arvidsjaur", "", "10.1.2.4", true},
		{"host name, case", "PIRATE.example.org", "", "10.1.2.3", true},
		{"host name, other", "lapland", "", "10.1.2.3", false},
		{"no name", "lapland", "", "10.9.9.9", false},
		{"domain", ".example.org", "", "10.1.2.3", true},
		{"domain, other", ".example.com", "", "10.1.2.3", false},
		{"local", "LOCAL", "", "10.1.2.4", true},
		{"local, has domain", "LOCAL", "", "10.1.2.3", false},
		{"fail", "FAIL", "", "10.1.2.3", false},
		{"deny", "", "150.203.4.", "150.203.4.1", false},
		{"deny, other", "", "150.203.4.", "150.203.5.1", true},
		{"both, allow wins", "150.203.4.1", "150.203.4.", "150.203.4.1", true},
		{"both, denied", "150.203.4.1", "150.203.4.", "150.203.4.2", false},
		{"both, in neither", "150.203.4.1", "150.203.4.", "192.0.2.1", true},
		{"deny all", "150.203.4.1", "ALL", "192.0.2.1", false},
		{"loopback without list", "10.", "", "127.0.0.1", true},
		{"loopback v6", "10.", "", "::1", true},
		{"loopback denied", "10.", "127.", "127.0.0.1", false},
		{"loopback denied and allowed", "127.0.0.1", "ALL", "127.0.0.1", true},
		{"other loopback", "10.", "", "127.0.0.2", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			allow, err := ParseHosts(words(c.allow))
			if err != nil {
				t.Fatal(err)
			}
			deny, err := ParseHosts(words(c.deny))
			if err != nil {
				t.Fatal(err)
			}
			p := Policy{HostsAllow: allow, HostsDeny: deny}
			err = p.Admit(t.Context(), Subject{User: "alice", Addr: netip.MustParseAddr(c.addr)}, newSystem())
			if got := err == nil; got != c.want {
				t.Errorf("allow %q deny %q: %s admitted %v, want %v (%v)", c.allow, c.deny, c.addr, got, c.want, err)
			}
		})
	}
}

// words splits as a list in smb.conf is split.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' })
}

func TestHostsAsksNamesOnlyForNames(t *testing.T) {
	h, err := ParseHosts(words("10. 192.0.2.0/24 ALL"))
	if err != nil {
		t.Fatal(err)
	}
	y := newSystem()
	if !h.match(t.Context(), &Subject{Addr: netip.MustParseAddr("10.1.2.3")}, y) || y.asked != 0 {
		t.Errorf("a list of addresses asked %d questions, want 0", y.asked)
	}
}

func TestParseFaults(t *testing.T) {
	for _, w := range []string{"EXCEPT 10.", "10. EXCEPT", "10.1.2.3.4.", "10.x.", "1.2.3", "300.1.1.1", "10.0.0.0/33", "10.0.0.0/255.0.255.0",
		"10.0.0.0/ffff::", "x/24", "@netgroup", "fe80:::", `a\b`} {
		if _, err := ParseHosts(words(w)); err == nil {
			t.Errorf("host list %q was accepted", w)
		}
	}
	for _, w := range []string{"@", "&g", "+&g", "@+g", "+"} {
		if _, err := ParseUsers([]string{w}); err == nil {
			t.Errorf("user %q was accepted", w)
		}
	}
}

func TestUsers(t *testing.T) {
	for _, c := range []struct {
		name, valid, invalid, user string
		fails                      bool
		want                       string // the parameter that refuses, empty: admitted
	}{
		{name: "no lists", user: "alice"},
		{name: "named", valid: "bob, alice", user: "alice"},
		{name: "case", valid: "Alice", user: "aLICE"},
		{name: "not named", valid: "bob", user: "alice", want: "valid users"},
		{name: "part of a name", valid: "alic", user: "alice", want: "valid users"},
		{name: "@group", valid: "@staff", user: "alice"},
		{name: "+group", valid: "+staff", user: "alice"},
		{name: "other group", valid: "+wheel", user: "alice", want: "valid users"},
		{name: "no such group", valid: "+nobody", user: "alice", want: "valid users"},
		{name: "group as a name", valid: "staff", user: "alice", want: "valid users"},
		{name: "invalid", invalid: "root +wheel", user: "root", want: "invalid users"},
		{name: "invalid wins", valid: "alice", invalid: "@staff", user: "alice", want: "invalid users"},
		{name: "domain", valid: `DOM\alice`, user: "alice"},
		{name: "other domain", valid: `ELSE\alice`, user: "alice", want: "valid users"},
		{name: "look-up fails, valid", valid: "+staff", user: "alice", fails: true, want: "valid users"},
		{name: "look-up fails, invalid", invalid: "+wheel", user: "alice", fails: true, want: "invalid users"},
		{name: "look-up not needed", valid: "alice +staff", user: "alice", fails: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			valid, err := ParseUsers(words(c.valid))
			if err != nil {
				t.Fatal(err)
			}
			invalid, err := ParseUsers(words(c.invalid))
			if err != nil {
				t.Fatal(err)
			}
			y := newSystem()
			y.fails = c.fails
			p := Policy{ValidUsers: valid, InvalidUsers: invalid}
			err = p.Admit(t.Context(), Subject{User: c.user, Domain: "DOM", Addr: netip.MustParseAddr("192.0.2.1")}, y)
			var d *Denied
			got := ""
			if errors.As(err, &d) {
				got = d.Parameter
			}
			if got != c.want {
				t.Errorf("refused by %q, want %q", got, c.want)
			}
		})
	}
}
