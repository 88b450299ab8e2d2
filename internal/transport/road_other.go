//go:build !linux || !(amd64 || arm64)

package transport

import "net"

// newRoad has only the plain road to offer here.
func newRoad(nc net.Conn, rd *reader) road { return newPlainRoad(nc, rd) }
