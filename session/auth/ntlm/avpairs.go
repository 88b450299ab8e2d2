package ntlm

import (
	"encoding/binary"
	"time"
)

// AvID is an AV_PAIR's AvId, [MS-NLMP] 2.2.2.1.
type AvID uint16

// The pairs that we send or look at.
const (
	AvEOL             AvID = 0
	AvNbComputerName  AvID = 1
	AvNbDomainName    AvID = 2
	AvDNSComputerName AvID = 3
	AvDNSDomainName   AvID = 4
	AvDNSTreeName     AvID = 5
	AvFlags           AvID = 6
	AvTimestamp       AvID = 7
)

// avFlagMIC in AvFlags: the AUTHENTICATE_MESSAGE has a MIC.
const avFlagMIC = 0x2

// TargetInfo is the server in the words of the CHALLENGE_MESSAGE. Empty names are left out.
type TargetInfo struct {
	NbComputer, NbDomain, DNSComputer, DNSDomain string
	Timestamp                                    time.Time
}

// Append encodes the pairs, the end marker included.
func (t *TargetInfo) Append(dst []byte) []byte {
	for _, p := range []struct {
		id AvID
		s  string
	}{
		{AvNbDomainName, t.NbDomain}, {AvNbComputerName, t.NbComputer}, {AvDNSDomainName, t.DNSDomain}, {AvDNSComputerName, t.DNSComputer},
	} {
		if p.s != "" {
			dst = appendPair(dst, p.id, utf16le(p.s))
		}
	}
	dst = appendPair(dst, AvTimestamp, binary.LittleEndian.AppendUint64(nil, filetime(t.Timestamp)))
	return appendPair(dst, AvEOL, nil)
}

// appendPair encodes one pair.
func appendPair(dst []byte, id AvID, value []byte) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, uint16(id))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(value)))
	return append(dst, value...)
}

// filetime counts 100 ns since 1601, [MS-DTYP] 2.3.3.
func filetime(t time.Time) uint64 {
	return uint64(t.Unix()+11644473600)*10_000_000 + uint64(t.Nanosecond()/100)
}

// walkPairs calls fn for each pair up to the end marker. Without a marker the list is malformed.
func walkPairs(b []byte, fn func(id AvID, value []byte)) error {
	for len(b) >= 4 {
		id, n := AvID(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint16(b[2:]))
		if n > len(b)-4 {
			return ErrMessage
		}
		if id == AvEOL {
			return nil
		}
		fn(id, b[4:4+n])
		b = b[4+n:]
	}
	return ErrMessage
}

// clientFlags reads AvFlags out of an NTLMv2_CLIENT_CHALLENGE, [MS-NLMP] 2.2.2.7: 28
// bytes, then the pairs. They are covered by the NTProofStr, so nobody on the way removed them.
func clientFlags(blob []byte) (flags uint32, err error) {
	if len(blob) < 28 || blob[0] != 1 || blob[1] != 1 {
		return 0, ErrMessage
	}
	err = walkPairs(blob[28:], func(id AvID, value []byte) {
		if id == AvFlags && len(value) >= 4 {
			flags |= binary.LittleEndian.Uint32(value)
		}
	})
	return flags, err
}
