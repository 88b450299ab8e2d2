package golden

import (
	"encoding/binary"
	"path/filepath"
	"slices"

	"smbproxy/internal/lab"
)

// Dir is where the captures lie, whatever package's test asks. Outside the source it is a directory that is not there.
func Dir() string {
	root, err := lab.ModuleRoot()
	if err != nil {
		root = err.Error()
	}
	return filepath.Join(root, "testdata", "pcaps")
}

// Captures are the paths of all captures, in order.
func Captures() ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(Dir(), "*.pcap"))
	slices.Sort(paths)
	return paths, err
}

// Seeds are what the clients of all captures said on each connection, as bytes of a stream that follow a TCP connect:
// frames with their length before them, plain where the wire had them sealed. No two are equal.
func Seeds() ([][]byte, error) {
	paths, err := Captures()
	if err != nil {
		return nil, err
	}
	var list [][]byte
	seen := map[string]bool{}
	for _, path := range paths {
		c, err := Load(path)
		if err != nil {
			return nil, err
		}
		for _, s := range c.ClientStreams() {
			if !seen[string(s)] {
				seen[string(s)] = true
				list = append(list, s)
			}
		}
	}
	return list, nil
}

// ClientStreams are what the client said, one stream for each connection, in the order of the connections' first words.
func (c *Capture) ClientStreams() [][]byte {
	var list [][]byte
	at := map[uint16]int{} // by the client's port
	var frame []byte
	for _, m := range c.Messages {
		if m.Response {
			continue
		}
		i, ok := at[m.Client.Port()]
		if !ok {
			i = len(list)
			at[m.Client.Port()] = i
			list = append(list, nil)
		}
		frame = append(frame, m.Bytes...)
		if m.Last {
			list[i] = append(binary.BigEndian.AppendUint32(list[i], uint32(len(frame))), frame...)
			frame = frame[:0]
		}
	}
	return list
}
