package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"smbproxy/demux"
)

// hostInterface is what the kernel knows of one network interface.
type hostInterface struct {
	index     uint32
	addresses []netip.Addr
	speed     uint64 // bits per second; 0: unknown
	queues    int    // of received packets
}

// unknownSpeed is told of an interface whose speed the kernel does not know, as of a virtual one.
const unknownSpeed = 1_000_000_000

// channelInterfaces are the addresses that clients are told to open further channels to: those that
// smbproxy listens on. Loopback is among them only where there is nothing else, and link-local
// IPv6 never: a client cannot tell on which of its own links that would be.
func channelInterfaces(g *Global, host func() ([]hostInterface, error)) ([]demux.Interface, error) {
	if !g.MultiChannel {
		return nil, nil
	}
	listening, err := listenAddresses(g, hostAddresses)
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, a := range listening {
		h, _, err := net.SplitHostPort(a)
		if err != nil {
			return nil, fmt.Errorf("interfaces: %w", err)
		}
		wanted[h] = true
	}
	all, err := host()
	if err != nil {
		return nil, fmt.Errorf("interfaces for `server multi channel support`: %w", err)
	}
	var out, loopback []demux.Interface
	for _, i := range all {
		for _, a := range i.covered(wanted) {
			ch := demux.Interface{Index: i.index, Addr: a, LinkSpeed: i.speed, RSS: i.queues > 1}
			if ch.LinkSpeed == 0 {
				ch.LinkSpeed = unknownSpeed
			}
			if a.IsLoopback() {
				loopback = append(loopback, ch)
			} else {
				out = append(out, ch)
			}
		}
	}
	if len(out) == 0 {
		return loopback, nil
	}
	return out, nil
}

// covered are the interface's addresses that clients can reach us at. Every address of 127.0.0.0/8 is
// the loopback interface's, named or not.
func (i hostInterface) covered(wanted map[string]bool) []netip.Addr {
	var out []netip.Addr
	loopback := false
	for _, a := range i.addresses {
		loopback = loopback || a.IsLoopback()
		if (wanted[""] || wanted[a.String()]) && !a.IsLinkLocalUnicast() {
			out = append(out, a)
		}
	}
	if len(out) > 0 || !loopback {
		return out
	}
	for h := range wanted {
		if a, err := netip.ParseAddr(h); err == nil && a.IsLoopback() {
			out = append(out, a)
		}
	}
	return out
}

// hostInterfaces asks the kernel for the interfaces that are up.
func hostInterfaces() ([]hostInterface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var out []hostInterface
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addresses, err := hostAddresses(i.Name)
		if err != nil {
			continue // gone meanwhile
		}
		h := hostInterface{index: uint32(i.Index), addresses: addresses}
		h.speed, h.queues = linkOf(filepath.Join("/sys/class/net", i.Name))
		out = append(out, h)
	}
	return out, nil
}

// linkOf reads an interface's speed and number of receive queues from its directory in sysfs.
func linkOf(dir string) (speed uint64, queues int) {
	if text, err := os.ReadFile(filepath.Join(dir, "speed")); err == nil {
		if mbit, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && mbit > 0 { // -1: unknown
			speed = uint64(mbit) * 1_000_000
		}
	}
	found, _ := filepath.Glob(filepath.Join(dir, "queues", "rx-*"))
	return speed, len(found)
}
