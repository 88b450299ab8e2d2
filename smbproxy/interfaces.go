package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// checkInterface checks the form of one element of `interfaces`; whether the host has it is
// only known where smbproxy runs.
func checkInterface(s string) error {
	if strings.ContainsAny(s, "*?") {
		return fmt.Errorf("%q: patterns are not supported, write the names of the interfaces", s)
	}
	if strings.Contains(s, "/") {
		if _, err := parseNetwork(s); err != nil {
			return err
		}
		return nil
	}
	if _, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return nil
	}
	if strings.Contains(s, ":") || len(s) > 15 || s[0] >= '0' && s[0] <= '9' {
		return fmt.Errorf("%q is neither an address nor the name of an interface", s)
	}
	return nil
}

// parseNetwork reads address/bits or address/mask.
func parseNetwork(s string) (netip.Prefix, error) {
	addr, mask, _ := strings.Cut(s, "/")
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not address/bits", s)
	}
	if m, err := netip.ParseAddr(mask); err == nil && m.Is4() && a.Is4() {
		four := m.As4()
		ones, bits := net.IPMask(four[:]).Size()
		if bits == 0 {
			return netip.Prefix{}, fmt.Errorf("%s is not a network mask", mask)
		}
		return netip.PrefixFrom(a, ones), nil
	}
	n, err := strconv.Atoi(mask)
	if err != nil || n < 0 || n > a.BitLen() {
		return netip.Prefix{}, fmt.Errorf("%q is not address/bits", s)
	}
	return netip.PrefixFrom(a, n), nil
}

// listenAddresses is every host:port that smbproxy listens on. hostAddresses lists the addresses
// of one interface, or of all for "".
func listenAddresses(g *Global, hostAddresses func(name string) ([]netip.Addr, error)) ([]string, error) {
	var hosts []string
	seen := map[string]bool{}
	add := func(a netip.Addr) {
		if s := a.Unmap().String(); !seen[s] {
			seen[s] = true
			hosts = append(hosts, s)
		}
	}
	var faults []error
	for _, e := range g.Interfaces {
		found, err := expandInterface(e, hostAddresses)
		if err != nil {
			faults = append(faults, err)
		}
		for _, a := range found {
			add(a)
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if len(g.Interfaces) == 0 {
		hosts = []string{""}
	}
	var out []string
	for _, h := range hosts {
		for _, p := range g.Ports {
			out = append(out, net.JoinHostPort(h, strconv.Itoa(p)))
		}
	}
	return out, nil
}

// expandInterface is the addresses that one element of `interfaces` means. Samba: the host part of
// address/bits decides whether it is that address or every address of the network.
func expandInterface(e string, hostAddresses func(name string) ([]netip.Addr, error)) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(strings.Trim(e, "[]")); err == nil {
		return []netip.Addr{a}, nil
	}
	if !strings.Contains(e, "/") {
		all, err := hostAddresses(e)
		if err == nil && len(all) == 0 {
			err = fmt.Errorf("interface %s has no address", e)
		}
		return all, err
	}
	network, err := parseNetwork(e)
	if err != nil {
		return nil, err
	}
	if network.Addr() != network.Masked().Addr() || network.IsSingleIP() {
		return []netip.Addr{network.Addr()}, nil
	}
	all, err := hostAddresses("")
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, a := range all {
		if network.Contains(a.Unmap()) {
			out = append(out, a)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no interface has an address in %s", e)
	}
	return out, nil
}

// hostAddresses asks the kernel. Link-local IPv6 addresses keep their zone.
func hostAddresses(name string) ([]netip.Addr, error) {
	var addrs []net.Addr
	var err error
	zone := ""
	if name == "" {
		addrs, err = net.InterfaceAddrs()
	} else {
		var ifc *net.Interface
		if ifc, err = net.InterfaceByName(name); err != nil {
			return nil, fmt.Errorf("interface %s: %w", name, err)
		}
		zone = ifc.Name
		addrs, err = ifc.Addrs()
	}
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		ip := p.Addr().Unmap()
		if ip.IsLinkLocalUnicast() && ip.Is6() {
			if zone == "" {
				continue
			}
			ip = ip.WithZone(zone)
		}
		out = append(out, ip)
	}
	return out, nil
}
