package smb2

// TreeConnectContext is one context of the extended request, [MS-SMB2] 2.2.9.2.
type TreeConnectContext struct {
	Type uint16
	Data []byte
}

// RemotedIdentityTreeConnectContext is the only type of TreeConnectContext that
// exists ([MS-SMB2] 2.2.9.2.1).
const RemotedIdentityTreeConnectContext uint16 = 0x0001

// TreeConnectRequest is the SMB2 TREE_CONNECT request, [MS-SMB2] 2.2.9.
type TreeConnectRequest struct {
	Flags    TreeConnectFlags
	Path     string               // \\server\share
	Contexts []TreeConnectContext // only with TreeConnectFlagExtensionPresent
}

// treeConnectExtension is the length of the fixed part of the extension, which
// stands before the path ([MS-SMB2] 2.2.9.1).
const treeConnectExtension = 16

// Decode reads the whole message.
func (m *TreeConnectRequest) Decode(msg []byte) (err error) {
	if err = fixed(CommandTreeConnect, msg, 9); err != nil {
		return err
	}
	b := msg[HeaderSize:]
	m.Flags = TreeConnectFlags(le.Uint16(b[2:]))
	m.Contexts = m.Contexts[:0]
	m.Path, err = text(CommandTreeConnect, "Path", msg, uint32(le.Uint16(b[4:])), uint32(le.Uint16(b[6:])), 72)
	if err != nil || m.Flags&TreeConnectFlagExtensionPresent == 0 {
		return err
	}
	if len(msg) < 72+treeConnectExtension {
		return &DecodeError{Command: CommandTreeConnect, Field: "Extension", Offset: len(msg), Reason: reasonShort}
	}
	return m.decodeContexts(msg, le.Uint32(msg[72:]), le.Uint16(msg[76:]))
}

// decodeContexts reads count contexts at off.
func (m *TreeConnectRequest) decodeContexts(msg []byte, off uint32, count uint16) error {
	for ; count > 0; count-- {
		off = (off + 7) &^ 7
		if off < 72+treeConnectExtension || int64(off)+8 > int64(len(msg)) {
			return &DecodeError{Command: CommandTreeConnect, Field: "TreeConnectContextOffset", Offset: int(off), Reason: reasonBounds}
		}
		typ, n := le.Uint16(msg[off:]), int(le.Uint16(msg[off+2:]))
		data := msg[off+8:]
		if n > len(data) {
			return &DecodeError{Command: CommandTreeConnect, Field: "TreeConnectContext.DataLength", Offset: int(off), Reason: reasonBounds}
		}
		m.Contexts = append(m.Contexts, TreeConnectContext{Type: typ, Data: data[:n:n]})
		off += 8 + uint32(n)
	}
	return nil
}

// Append appends the body.
func (m *TreeConnectRequest) Append(dst []byte) []byte {
	start := len(dst)
	dst, b := grow(dst, 8)
	le.PutUint16(b, 9)
	le.PutUint16(b[2:], uint16(m.Flags))
	le.PutUint16(b[4:], 72)
	if m.Flags&TreeConnectFlagExtensionPresent != 0 {
		dst, _ = grow(dst, treeConnectExtension)
		le.PutUint16(dst[start+4:], 72+treeConnectExtension)
	}
	at := len(dst)
	dst = AppendUTF16(dst, m.Path)
	le.PutUint16(dst[start+6:], uint16(len(dst)-at))
	if m.Flags&TreeConnectFlagExtensionPresent == 0 || len(m.Contexts) == 0 {
		return dst
	}
	dst = pad8(dst, start)
	le.PutUint32(dst[start+8:], uint32(HeaderSize+len(dst)-start))
	le.PutUint16(dst[start+12:], uint16(len(m.Contexts)))
	for _, c := range m.Contexts {
		dst = pad8(dst, start)
		dst = le.AppendUint16(dst, c.Type)
		dst = le.AppendUint16(dst, uint16(len(c.Data)))
		dst = le.AppendUint32(dst, 0)
		dst = append(dst, c.Data...)
	}
	return dst
}

// TreeConnectResponse is the SMB2 TREE_CONNECT response, [MS-SMB2] 2.2.10.
type TreeConnectResponse struct {
	ShareType     ShareType
	ShareFlags    ShareFlags
	Capabilities  ShareCapabilities
	MaximalAccess AccessMask
}

// Decode reads the whole message.
func (m *TreeConnectResponse) Decode(msg []byte) error {
	if err := fixed(CommandTreeConnect, msg, 16); err != nil {
		return err
	}
	b := msg[HeaderSize:]
	m.ShareType = ShareType(b[2])
	m.ShareFlags = ShareFlags(le.Uint32(b[4:]))
	m.Capabilities = ShareCapabilities(le.Uint32(b[8:]))
	m.MaximalAccess = AccessMask(le.Uint32(b[12:]))
	return nil
}

// Append appends the body.
func (m *TreeConnectResponse) Append(dst []byte) []byte {
	dst, b := grow(dst, 16)
	le.PutUint16(b, 16)
	b[2] = uint8(m.ShareType)
	le.PutUint32(b[4:], uint32(m.ShareFlags))
	le.PutUint32(b[8:], uint32(m.Capabilities))
	le.PutUint32(b[12:], uint32(m.MaximalAccess))
	return dst
}
