package smb2

// CreateRequest is the SMB2 CREATE request, [MS-SMB2] 2.2.13.
type CreateRequest struct {
	RequestedOplockLevel OplockLevel
	ImpersonationLevel   ImpersonationLevel
	DesiredAccess        AccessMask
	FileAttributes       FileAttributes
	ShareAccess          ShareAccess
	CreateDisposition    CreateDisposition
	CreateOptions        CreateOptions
	Name                 string // relative to the share, no leading backslash
	CreateContexts       []CreateContext
}

// Decode reads the whole message.
func (m *CreateRequest) Decode(msg []byte) (err error) {
	if err = fixed(CommandCreate, msg, 57); err != nil {
		return err
	}
	b := msg[HeaderSize:]
	m.RequestedOplockLevel = OplockLevel(b[3])
	m.ImpersonationLevel = ImpersonationLevel(le.Uint32(b[4:]))
	m.DesiredAccess = AccessMask(le.Uint32(b[24:]))
	m.FileAttributes = FileAttributes(le.Uint32(b[28:]))
	m.ShareAccess = ShareAccess(le.Uint32(b[32:]))
	m.CreateDisposition = CreateDisposition(le.Uint32(b[36:]))
	m.CreateOptions = CreateOptions(le.Uint32(b[40:]))
	m.Name, err = text(CommandCreate, "Name", msg, uint32(le.Uint16(b[44:])), uint32(le.Uint16(b[46:])), 120)
	if err != nil {
		return err
	}
	ctx, err := buffer(CommandCreate, "CreateContexts", msg, le.Uint32(b[48:]), le.Uint32(b[52:]), 120)
	if err != nil {
		return err
	}
	m.CreateContexts, err = decodeCreateContexts(m.CreateContexts[:0], ctx)
	return err
}

// Append appends the body. An empty name is eight bytes of buffer that no length
// counts, as Windows sends it.
func (m *CreateRequest) Append(dst []byte) []byte {
	start := len(dst)
	dst, b := grow(dst, 56)
	le.PutUint16(b, 57)
	b[3] = uint8(m.RequestedOplockLevel)
	le.PutUint32(b[4:], uint32(m.ImpersonationLevel))
	le.PutUint32(b[24:], uint32(m.DesiredAccess))
	le.PutUint32(b[28:], uint32(m.FileAttributes))
	le.PutUint32(b[32:], uint32(m.ShareAccess))
	le.PutUint32(b[36:], uint32(m.CreateDisposition))
	le.PutUint32(b[40:], uint32(m.CreateOptions))
	le.PutUint16(b[44:], 120)
	dst = AppendUTF16(dst, m.Name)
	le.PutUint16(dst[start+46:], uint16(len(dst)-start-56))
	if m.Name == "" {
		dst = append(dst, zeros[:8]...)
	}
	return appendCreateContexts(dst, start, 48, false, m.CreateContexts)
}

// CreateResponse is the SMB2 CREATE response, [MS-SMB2] 2.2.14.
type CreateResponse struct {
	OplockLevel    OplockLevel
	Flags          uint8 // CreateFlagReparsePoint
	CreateAction   CreateAction
	CreationTime   Filetime
	LastAccessTime Filetime
	LastWriteTime  Filetime
	ChangeTime     Filetime
	AllocationSize uint64
	EndofFile      uint64
	FileAttributes FileAttributes
	FileID         FileID
	CreateContexts []CreateContext
}

// Decode reads the whole message.
func (m *CreateResponse) Decode(msg []byte) error {
	if err := fixed(CommandCreate, msg, 89); err != nil {
		return err
	}
	b := msg[HeaderSize:]
	m.OplockLevel = OplockLevel(b[2])
	m.Flags = b[3]
	m.CreateAction = CreateAction(le.Uint32(b[4:]))
	m.CreationTime = Filetime(le.Uint64(b[8:]))
	m.LastAccessTime = Filetime(le.Uint64(b[16:]))
	m.LastWriteTime = Filetime(le.Uint64(b[24:]))
	m.ChangeTime = Filetime(le.Uint64(b[32:]))
	m.AllocationSize = le.Uint64(b[40:])
	m.EndofFile = le.Uint64(b[48:])
	m.FileAttributes = FileAttributes(le.Uint32(b[56:]))
	m.FileID = fileIDAt(b, 64)
	ctx, err := buffer(CommandCreate, "CreateContexts", msg, le.Uint32(b[80:]), le.Uint32(b[84:]), 152)
	if err != nil {
		return err
	}
	m.CreateContexts, err = decodeCreateContexts(m.CreateContexts[:0], ctx)
	return err
}

// Append appends the body.
func (m *CreateResponse) Append(dst []byte) []byte {
	start := len(dst)
	dst, b := grow(dst, 88)
	le.PutUint16(b, 89)
	b[2] = uint8(m.OplockLevel)
	b[3] = m.Flags
	le.PutUint32(b[4:], uint32(m.CreateAction))
	le.PutUint64(b[8:], uint64(m.CreationTime))
	le.PutUint64(b[16:], uint64(m.LastAccessTime))
	le.PutUint64(b[24:], uint64(m.LastWriteTime))
	le.PutUint64(b[32:], uint64(m.ChangeTime))
	le.PutUint64(b[40:], m.AllocationSize)
	le.PutUint64(b[48:], m.EndofFile)
	le.PutUint32(b[56:], uint32(m.FileAttributes))
	SetRawFileID(b, 64, m.FileID)
	return appendCreateContexts(dst, start, 80, true, m.CreateContexts)
}
