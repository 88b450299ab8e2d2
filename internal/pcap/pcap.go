// Package pcap reads packet captures for tests: classic pcap files, plain or gzipped,
// and the bytes of the TCP connections in them. It reads captures that were recorded
// well and says so where one was not; it is no tool for hostile traffic.
package pcap

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// Link types that occur: https://www.tcpdump.org/linktypes.html.
const (
	linkNull     = 0 // BSD loopback: four bytes of address family
	linkEthernet = 1
	linkRaw      = 101
	linkLinuxSLL = 113
)

// maxPacket is more than any capture's snapshot length; a larger one is a broken file.
const maxPacket = 1 << 20

// ErrFormat is wrapped by the errors about files that are not pcap.
var ErrFormat = errors.New("not a pcap file")

// readFile reads a file, unpacking it if it is gzip.
func readFile(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil || !bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		return b, err
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if b, err = io.ReadAll(z); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// packets calls fn with the IP packet in each record of the file b.
func packets(b []byte, fn func(ip []byte)) error {
	if len(b) < 24 {
		return ErrFormat
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch binary.LittleEndian.Uint32(b) {
	case 0xa1b2c3d4, 0xa1b23c4d:
	case 0xd4c3b2a1, 0x4d3cb2a1:
		order = binary.BigEndian
	default:
		return ErrFormat
	}
	link := order.Uint32(b[20:]) & 0x0fffffff
	for b = b[24:]; len(b) > 0; {
		if len(b) < 16 {
			return fmt.Errorf("%w: record cut short", ErrFormat)
		}
		n := order.Uint32(b[8:])
		if n > maxPacket || int(n) > len(b)-16 {
			return fmt.Errorf("%w: record of %d bytes", ErrFormat, n)
		}
		ip, err := network(link, b[16:16+n])
		if err != nil {
			return err
		}
		if ip != nil {
			fn(ip)
		}
		b = b[16+n:]
	}
	return nil
}

// network strips the link layer; nil for what is not IP.
func network(link uint32, p []byte) ([]byte, error) {
	at := 0
	switch link {
	case linkNull:
		at = 4
	case linkRaw:
	case linkLinuxSLL:
		at = 16
	case linkEthernet:
		at = 14
		for len(p) >= at+4 && binary.BigEndian.Uint16(p[at-2:]) == 0x8100 {
			at += 4 // VLAN tag
		}
	default:
		return nil, fmt.Errorf("%w: link type %d", ErrFormat, link)
	}
	if len(p) < at+20 || (p[at]>>4 != 4 && p[at]>>4 != 6) {
		return nil, nil
	}
	return p[at:], nil
}
