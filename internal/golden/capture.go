package golden

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/pcap"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// Capture is what one capture says, plain.
type Capture struct {
	Name     string
	Messages []*Message // both directions of all connections, as they happened
}

// Message is one message of a capture.
type Message struct {
	Client   netip.AddrPort // the client's end names the connection
	Response bool
	Header   smb2.Header  // of SMB2
	Body     smb2.Message // nil where SMB1 is not
	SMB1     *smb2.SMB1NegotiateRequest
	Bytes    []byte // plain, header first, with the padding up to the next message of a compound
	Sealed   bool
	Verified bool     // signed, and the signature is right
	Last     bool     // of its frame
	Request  *Message // what a response answers; nil for a request and for what nobody asked for
}

// Load reads a capture and its keys. Every sealed frame must open, every signature of a session whose key is noted
// verify, every message decode.
func Load(path string) (*Capture, error) {
	frames, err := pcap.Frames(path)
	if err != nil {
		return nil, err
	}
	base := strings.TrimSuffix(path, ".pcap")
	keys, err := loadKeys(base + ".keys")
	if err != nil {
		return nil, err
	}
	c, err := read(frames, keys)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	c.Name = filepath.Base(base)
	return c, nil
}

// loadKeys reads session keys by SessionId; a file that is not there has none.
func loadKeys(path string) (map[uint64][]byte, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	keys, err := parseKeys(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}

func parseKeys(b []byte) (map[uint64][]byte, error) {
	keys := map[uint64][]byte{}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		id, key, _ := strings.Cut(lines.Text(), " ")
		n, err := strconv.ParseUint(id, 16, 64)
		if err != nil {
			return nil, err
		}
		if keys[n], err = hex.DecodeString(key); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// read takes frames apart.
func read(frames []pcap.Frame, keys map[uint64][]byte) (*Capture, error) {
	c := &Capture{}
	conns := map[netip.AddrPort]*connection{}
	for i, f := range frames {
		client, response := f.Src, false
		if f.Src.Port() == serverAddress.Port() {
			client, response = f.Dst, true
		}
		conn := conns[client]
		if conn == nil {
			conn = newConnection(client, keys)
			conns[client] = conn
		}
		list, err := conn.frame(f.Data, response)
		if err != nil {
			return nil, fmt.Errorf("frame %d: %w", i+1, err)
		}
		c.Messages = append(c.Messages, list...)
	}
	return c, nil
}

// frame reads one frame of a connection.
func (c *connection) frame(b []byte, response bool) (list []*Message, err error) {
	sealed := false
	switch {
	case len(b) < 4:
		return nil, fmt.Errorf("%d bytes", len(b))
	case string(b[:4]) == smb2.ProtocolSMB1:
		m := &Message{Client: c.client, SMB1: new(smb2.SMB1NegotiateRequest), Bytes: b, Last: true}
		return []*Message{m}, m.SMB1.Decode(b)
	case string(b[:4]) == smb2.ProtocolTransform:
		if b, err = c.open(b, response); err != nil {
			return nil, err
		}
		sealed = true
	}
	err = transport.SplitCompound(b, func(msg []byte, last bool) error {
		m := &Message{Client: c.client, Response: response, Bytes: msg, Sealed: sealed, Last: last}
		list = append(list, m)
		if err := m.Header.Decode(msg); err != nil {
			return err
		}
		if (m.Header.Flags&smb2.FlagServerToRedir != 0) != response {
			return errors.New("wrong direction")
		}
		if len(msg) < smb2.HeaderSize+2 {
			return errors.New("no body")
		}
		c.match(m)
		m.Body = body(m)
		if err := m.Body.Decode(msg); err != nil {
			return fmt.Errorf("%v: %w", m.Header.Command, err)
		}
		return c.message(m)
	})
	return list, err
}

// body makes the message that fits: a request, a response, an error, a break of either kind.
func body(m *Message) smb2.Message {
	h, size := &m.Header, int(m.Bytes[smb2.HeaderSize])|int(m.Bytes[smb2.HeaderSize+1])<<8
	lease := h.Command == smb2.CommandOplockBreak && size != 24 && size != 9
	switch {
	case !m.Response && lease:
		return new(smb2.LeaseBreakRequest)
	case !m.Response:
		return smb2.NewRequest(h.Command)
	case size == 9 && isError(m):
		return new(smb2.ErrorResponse)
	case lease && size == 44:
		return new(smb2.LeaseBreakNotification)
	case lease:
		return new(smb2.LeaseBreakResponse)
	case h.Command == smb2.CommandOplockBreak && h.MessageID == smb2.UnsolicitedMessageID:
		return new(smb2.OplockBreakNotification)
	}
	return smb2.NewResponse(h.Command)
}

// isError says whether a response of StructureSize 9 is an ERROR response rather than one of its command's that has
// that size too: all statuses but those with which [MS-SMB2] 3.3.4.4 sends the command's own.
func isError(m *Message) bool {
	switch m.Header.Status {
	case ntstatus.Success, ntstatus.BufferOverflow, ntstatus.NotifyCleanup, ntstatus.NotifyEnumDir:
		return !own(m)
	case ntstatus.MoreProcessingRequired:
		return m.Header.Command != smb2.CommandSessionSetup
	default:
		return true
	}
}

// own says whether the command's response has StructureSize 9.
func own(m *Message) bool {
	switch m.Header.Command {
	case smb2.CommandSessionSetup, smb2.CommandQueryInfo, smb2.CommandQueryDirectory, smb2.CommandChangeNotify:
		return true
	default:
		return false
	}
}
