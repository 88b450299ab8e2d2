package smb2

// Names of create contexts, [MS-SMB2] 2.2.13.2. The 16-byte ones are GUIDs. The
// constants have the names of the structures without SMB2_.
const (
	CreateEaBuffer                  = "ExtA" // extended attributes of a new file
	CreateSdBuffer                  = "SecD" // security descriptor of a new file
	CreateDurableHandleRequest      = "DHnQ" // durable handle request
	CreateDurableHandleReconnect    = "DHnC" // durable handle reconnect
	CreateAllocationSize            = "AlSi" // allocation size
	CreateQueryMaximalAccessRequest = "MxAc" // maximal access
	CreateTimewarpToken             = "TWrp" // timewarp: a snapshot
	CreateQueryOnDiskID             = "QFid" // query on disk id
	CreateRequestLease              = "RqLs" // lease, version by length
	CreateDurableHandleRequestV2    = "DH2Q" // durable handle request v2
	CreateDurableHandleReconnectV2  = "DH2C" // durable handle reconnect v2
	CreateAAPL                      = "AAPL" // Apple's extensions

	CreateAppInstanceID      = "\x45\xBC\xA6\x6A\xEF\xA7\xF7\x4A\x90\x08\xFA\x46\x2E\x14\x4D\x74"
	CreateAppInstanceVersion = "\xB9\x82\xD0\xB7\x3B\x56\x07\x4F\xA0\x7B\x52\x4A\x81\x16\xA0\x10"
	SvhdxOpenDeviceContext   = "\x9C\xCB\xCF\x9E\x04\xC1\xE6\x43\x98\x0E\x15\x8D\xA1\xF6\xEC\x83" // [MS-RSVD]
	CreatePosix              = "\x93\xAD\x25\x50\x9C\xB4\x11\xE7\xB4\x23\x83\xDE\x96\x8B\xCD\x7C" // SMB3 POSIX extensions
)

// CreateContext is one context, [MS-SMB2] 2.2.13.2. Compare string(Name) with the
// constants above, which costs nothing.
type CreateContext struct {
	Name []byte
	Data []byte
}

// FindCreateContext returns the data of the first context of that name. Data may be
// empty where ok is true.
func FindCreateContext(list []CreateContext, name string) (data []byte, ok bool) {
	for _, c := range list {
		if string(c.Name) == name {
			return c.Data, true
		}
	}
	return nil, false
}

// createContextHeader is the length of what stands before the buffer of a context.
const createContextHeader = 16

// Bounds of the length of a name. [MS-SMB2] 2.2.13.2 has names of 4 and of 16 bytes.
// Samba: shorter ones are refused (4.17). What is longer does not exist, and could not
// be encoded with an offset of 16 bits behind it.
const (
	minContextName = 4
	maxContextName = 256
)

// decodeCreateContexts appends the contexts of the chain in b to list. Next only goes
// forward, so the number of contexts is bounded by len(b)/16.
func decodeCreateContexts(list []CreateContext, b []byte) ([]CreateContext, error) {
	at := 0
	bad := func(field, reason string) error {
		return &DecodeError{Command: CommandCreate, Field: "CreateContext." + field, Offset: at, Reason: reason}
	}
	for len(b) > 0 {
		if len(b) < createContextHeader {
			return list, bad("Next", reasonShort)
		}
		next := le.Uint32(b)
		c := b
		if next != 0 {
			if next%8 != 0 {
				return list, bad("Next", reasonAlignment)
			}
			if next < createContextHeader || uint64(next) >= uint64(len(b)) {
				return list, bad("Next", reasonBounds)
			}
			c = b[:next]
		}
		name, err := buffer(CommandCreate, "CreateContext.Name", c, uint32(le.Uint16(c[4:])), uint32(le.Uint16(c[6:])), createContextHeader)
		if err != nil {
			return list, err
		}
		if len(name) < minContextName || len(name) > maxContextName {
			return list, bad("NameLength", reasonValue)
		}
		data, err := buffer(CommandCreate, "CreateContext.Data", c, uint32(le.Uint16(c[10:])), le.Uint32(c[12:]), createContextHeader)
		if err != nil {
			return list, err
		}
		list = append(list, CreateContext{Name: name, Data: data})
		if next == 0 {
			break
		}
		b = b[next:]
		at += int(next)
	}
	return list, nil
}

// appendCreateContexts appends the chain to a body that began at start, and fills in
// offset and length at field of the body. Without contexts both are zero. Windows
// clients leave the last one as it is, servers (Samba and Windows) pad it too, and
// count the padding.
func appendCreateContexts(dst []byte, start, field int, padLast bool, list []CreateContext) []byte {
	if len(list) == 0 {
		return dst
	}
	dst = pad8(dst, start)
	first := len(dst)
	for i, c := range list {
		at := len(dst)
		dst, _ = grow(dst, createContextHeader)
		le.PutUint16(dst[at+4:], createContextHeader)
		le.PutUint16(dst[at+6:], uint16(len(c.Name)))
		dst = append(dst, c.Name...)
		dst = pad8(dst, at)
		le.PutUint16(dst[at+10:], uint16(len(dst)-at))
		le.PutUint32(dst[at+12:], uint32(len(c.Data)))
		dst = append(dst, c.Data...)
		if i != len(list)-1 {
			dst = pad8(dst, at)
			le.PutUint32(dst[at:], uint32(len(dst)-at))
		} else if padLast {
			dst = pad8(dst, at)
		}
	}
	le.PutUint32(dst[start+field:], uint32(HeaderSize+first-start))
	le.PutUint32(dst[start+field+4:], uint32(len(dst)-first))
	return dst
}
