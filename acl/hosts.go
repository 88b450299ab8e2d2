package acl

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Hosts is a list of host patterns in the syntax of `hosts allow` and `hosts deny`
// (hosts_access(5) as Samba reads it). The zero value is the empty list.
type Hosts struct{ patterns []hostPattern }

// hostPattern is one word of a host list. match says whether it names the client; except is
// the word EXCEPT, which ends a list and begins the list of what it shall not match.
type hostPattern struct {
	except bool
	match  func(ctx context.Context, s *Subject, l Lookup) bool
}

// ParseHosts reads the words of a host list: an address, a prefix such as "150.203.", a network
// with a length or a mask, a host name, a domain (".example.org"), ALL, LOCAL, FAIL, and EXCEPT.
// NIS netgroups (@name) are refused: they do not exist here.
func ParseHosts(words []string) (Hosts, error) {
	var h Hosts
	for i, w := range words {
		if strings.EqualFold(w, "EXCEPT") {
			if i == 0 || i == len(words)-1 {
				return Hosts{}, fmt.Errorf("EXCEPT needs hosts on both sides")
			}
			h.patterns = append(h.patterns, hostPattern{except: true})
			continue
		}
		match, err := parseHost(w)
		if err != nil {
			return Hosts{}, err
		}
		h.patterns = append(h.patterns, hostPattern{match: match})
	}
	return h, nil
}

// parseHost reads one word that is not EXCEPT.
func parseHost(w string) (func(context.Context, *Subject, Lookup) bool, error) {
	byAddress := func(in func(netip.Addr) bool) func(context.Context, *Subject, Lookup) bool {
		return func(_ context.Context, s *Subject, _ Lookup) bool { return in(s.Addr.Unmap().WithZone("")) }
	}
	switch {
	case w == "":
		return nil, fmt.Errorf("an empty word names no host")
	case strings.EqualFold(w, "ALL"):
		return func(context.Context, *Subject, Lookup) bool { return true }, nil
	case strings.EqualFold(w, "FAIL"):
		return func(context.Context, *Subject, Lookup) bool { return false }, nil
	case strings.EqualFold(w, "LOCAL"):
		return byName(func(n string) bool { return !strings.Contains(n, ".") }), nil
	case w[0] == '@':
		return nil, fmt.Errorf("%q: NIS netgroups are not supported", w)
	case w[0] == '.':
		domain := strings.ToLower(w)
		return byName(func(n string) bool { return strings.HasSuffix(n, domain) }), nil
	case strings.Contains(w, "/"):
		p, err := parseNetwork(w)
		if err != nil {
			return nil, err
		}
		return byAddress(p.Contains), nil
	case strings.HasSuffix(w, "."):
		p, err := parseDottedPrefix(w)
		if err != nil {
			return nil, err
		}
		return byAddress(p.Contains), nil
	}
	if a, err := netip.ParseAddr(w); err == nil {
		a = a.Unmap().WithZone("")
		return byAddress(func(c netip.Addr) bool { return c == a }), nil
	}
	if strings.Trim(w, "0123456789.") == "" || strings.ContainsAny(w, `:\@`) {
		return nil, fmt.Errorf("%q is neither an address nor a host name", w)
	}
	name := strings.ToLower(w)
	return byName(func(n string) bool { return n == name }), nil
}

// byName makes a pattern of a test on the client's names. They are looked up only here: a list
// of addresses never costs a question to DNS.
func byName(test func(string) bool) func(context.Context, *Subject, Lookup) bool {
	return func(ctx context.Context, s *Subject, l Lookup) bool {
		for _, n := range l.HostNames(ctx, s.Addr) {
			if test(strings.ToLower(strings.TrimSuffix(n, "."))) {
				return true
			}
		}
		return false
	}
}

// parseNetwork reads "address/length" and "address/mask". Bits below the mask do not count.
func parseNetwork(w string) (netip.Prefix, error) {
	addr, mask, _ := strings.Cut(w, "/")
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q: %q is not an address", w, addr)
	}
	bits, err := strconv.Atoi(mask)
	if err != nil {
		m, err := netip.ParseAddr(mask)
		if err != nil || m.BitLen() != a.BitLen() {
			return netip.Prefix{}, fmt.Errorf("%q: %q is neither a length nor a mask", w, mask)
		}
		if bits = leadingOnes(m.AsSlice()); bits < 0 {
			return netip.Prefix{}, fmt.Errorf("%q: the mask %q has holes", w, mask)
		}
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q: a %d-bit address has no prefix of %d bits", w, a.BitLen(), bits)
	}
	return p, nil
}

// leadingOnes counts the one bits of a netmask, -1 where a one follows a zero.
func leadingOnes(mask []byte) int {
	n, ended := 0, false
	for _, b := range mask {
		for bit := byte(0x80); bit != 0; bit >>= 1 {
			one := b&bit != 0
			if one && ended {
				return -1
			}
			if ended = !one; one {
				n++
			}
		}
	}
	return n
}

// parseDottedPrefix reads "150.203.": whole bytes of an IPv4 address.
func parseDottedPrefix(w string) (netip.Prefix, error) {
	parts := strings.Split(strings.TrimSuffix(w, "."), ".")
	if len(parts) > 3 {
		return netip.Prefix{}, fmt.Errorf("%q: a prefix has at most three bytes", w)
	}
	var a [4]byte
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 8)
		if err != nil {
			return netip.Prefix{}, fmt.Errorf("%q is not a prefix of an IPv4 address", w)
		}
		a[i] = byte(n)
	}
	return netip.PrefixFrom(netip.AddrFrom4(a), 8*len(parts)), nil
}

// Empty says that no pattern was given.
func (h Hosts) Empty() bool { return len(h.patterns) == 0 }

// match says whether the list names the client: some pattern before the first EXCEPT does, and
// the list behind it does not. EXCEPT nests to the right.
func (h Hosts) match(ctx context.Context, s *Subject, l Lookup) bool {
	named := false
	for i, p := range h.patterns {
		if p.except {
			return named && !Hosts{h.patterns[i+1:]}.match(ctx, s, l)
		}
		named = named || p.match(ctx, s, l)
	}
	return named
}

// admits is smbd's rule for the two lists together. The loopback addresses are admitted unless
// `hosts deny` names them and `hosts allow` does not. Everybody else: with one list, that list
// decides; with both, `hosts allow` goes before `hosts deny` and who is in neither is admitted.
func admits(ctx context.Context, allow, deny Hosts, s *Subject, l Lookup) bool {
	a := s.Addr.Unmap()
	loopback := a == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || a == netip.IPv6Loopback()
	switch {
	case allow.match(ctx, s, l):
		return true
	case !deny.Empty():
		return !deny.match(ctx, s, l)
	default:
		return allow.Empty() || loopback
	}
}
