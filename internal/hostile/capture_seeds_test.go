package hostile

import (
	"testing"

	"smbproxy/internal/golden"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// longestCapture is how many messages of one captured connection a seed has: what follows is more of the same.
const longestCapture = 48

// captureSeeds are the captures' connections as inputs of FuzzConnection: once as they went over the wire, from the
// first byte on, and once what was said after the logon, with our session's ids and signatures.
func captureSeeds(t testing.TB) [][]byte {
	t.Helper()
	streams, err := golden.Seeds()
	must(t, err)
	if len(streams) == 0 {
		t.Fatal("no captures")
	}
	var list [][]byte
	for _, stream := range streams {
		raw, told := []byte{modeStranger}, []byte{modeSigned}
		messages := 0
		for len(stream) >= 4 && messages < longestCapture {
			n := 4 + int(uint32(stream[1])<<16|uint32(stream[2])<<8|uint32(stream[3]))
			frame := stream[4:n]
			stream = stream[n:]
			if len(frame) > 32<<10 {
				continue
			}
			raw = append(raw, record(recordFrame, frame)...)
			_ = transport.SplitCompound(append([]byte(nil), frame...), func(msg []byte, last bool) error {
				messages++
				told = append(told, capturedRecord(msg, last)...)
				return nil
			})
		}
		list = append(list, raw, append(told, record(recordBarrier, nil)...))
	}
	return list
}

// capturedRecord is a captured message as a record: its body with our ids. What logs on or off is left out, since the
// connection has its session.
func capturedRecord(msg []byte, last bool) []byte {
	cmd := smb2.RawCommand(msg)
	switch cmd {
	case smb2.CommandNegotiate, smb2.CommandSessionSetup, smb2.CommandLogoff, smb2.CommandTreeConnect, smb2.CommandTreeDisconnect:
		return nil
	case smb2.CommandCancel:
		return record(recordCancel, nil)
	}
	var fix byte
	if smb2.RawFlags(msg)&smb2.FlagRelated != 0 {
		fix |= fixRelated
	} else if cmd == smb2.CommandQueryDirectory || cmd == smb2.CommandChangeNotify {
		fix |= fixDirectory
	} else {
		fix |= fixFile
	}
	if !last {
		fix |= fixChain
	}
	charge := byte(min(smb2.RawCreditCharge(msg), 16))
	head := append(le.AppendUint16(nil, uint16(cmd)), fix, charge)
	return record(recordMessage, append(head, msg[smb2.HeaderSize:]...))
}
