package smb2

// ReqGetDfsReferral is the input of FSCTL_DFS_GET_REFERRALS, [MS-DFSC] 2.2.2.
type ReqGetDfsReferral struct {
	MaxReferralLevel uint16
	RequestFileName  string // without the NUL behind it
}

// Decode reads the structure. A missing NUL is forgiven, as Windows does.
func (r *ReqGetDfsReferral) Decode(b []byte) error {
	if err := need("REQ_GET_DFS_REFERRAL", b, 2); err != nil {
		return err
	}
	r.MaxReferralLevel = le.Uint16(b)
	name, ok := stringZ(b[2:])
	if !ok {
		return &DecodeError{Command: CommandIoctl, Field: "REQ_GET_DFS_REFERRAL.RequestFileName", Offset: 2, Reason: reasonOdd}
	}
	r.RequestFileName = name
	return nil
}

// Append appends the structure.
func (r *ReqGetDfsReferral) Append(dst []byte) []byte {
	dst = AppendUTF16(le.AppendUint16(dst, r.MaxReferralLevel), r.RequestFileName)
	return append(dst, 0, 0)
}

// stringZ reads UTF-16 up to a NUL or to the end.
func stringZ(b []byte) (string, bool) {
	n := 0
	for n+2 <= len(b) && le.Uint16(b[n:]) != 0 {
		n += 2
	}
	if n+1 == len(b) {
		return "", false
	}
	s, err := DecodeUTF16(b[:n])
	return s, err == nil
}

// DfsReferralSiteName in Flags of ReqGetDfsReferralEx: SiteName is there.
const DfsReferralSiteName uint16 = 0x0001

// ReqGetDfsReferralEx is the input of FSCTL_DFS_GET_REFERRALS_EX, [MS-DFSC] 2.2.3.
type ReqGetDfsReferralEx struct {
	MaxReferralLevel uint16
	RequestFlags     uint16 // DfsReferralSiteName
	RequestFileName  string
	SiteName         string
}

// Decode reads the structure.
func (r *ReqGetDfsReferralEx) Decode(b []byte) error {
	const name = "REQ_GET_DFS_REFERRAL_EX"
	if err := need(name, b, 10); err != nil {
		return err
	}
	*r = ReqGetDfsReferralEx{MaxReferralLevel: le.Uint16(b), RequestFlags: le.Uint16(b[2:])}
	data, err := tail(name+".RequestDataLength", b, 8, le.Uint32(b[4:]))
	if err != nil {
		return err
	}
	if err := need(name+".RequestData", data, 2); err != nil {
		return err
	}
	n := le.Uint16(data)
	if r.RequestFileName, err = tailText(name+".RequestFileName", data, 2, uint32(n)); err != nil {
		return err
	}
	if r.RequestFlags&DfsReferralSiteName == 0 {
		return nil
	}
	data = data[2+int(n):]
	if err := need(name+".SiteNameLength", data, 2); err != nil {
		return err
	}
	r.SiteName, err = tailText(name+".SiteName", data, 2, uint32(le.Uint16(data)))
	return err
}

// Append appends the structure.
func (r *ReqGetDfsReferralEx) Append(dst []byte) []byte {
	dst = le.AppendUint16(dst, r.MaxReferralLevel)
	dst = le.AppendUint16(dst, r.RequestFlags)
	at := len(dst)
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint16(dst, uint16(UTF16Len(r.RequestFileName)))
	dst = AppendUTF16(dst, r.RequestFileName)
	if r.RequestFlags&DfsReferralSiteName != 0 {
		dst = le.AppendUint16(dst, uint16(UTF16Len(r.SiteName)))
		dst = AppendUTF16(dst, r.SiteName)
	}
	le.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst
}

// Bits of RespGetDfsReferral.ReferralHeaderFlags.
const (
	DfsReferralServers uint32 = 0x00000001
	DfsStorageServers  uint32 = 0x00000002
	DfsTargetFailback  uint32 = 0x00000004
)

// DfsReferral is one DFS_REFERRAL_V3 or V4 entry without NameListReferral, [MS-DFSC]
// 2.2.5.3, 2.2.5.4: the forms that servers send and clients of SMB2 ask for.
type DfsReferral struct {
	VersionNumber      uint16 // 3 or 4
	ServerType         uint16 // 1: root targets
	ReferralEntryFlags uint16 // 4: first of a target set (V4)
	TimeToLive         uint32 // seconds
	DFSPath            string
	DFSAlternatePath   string
	NetworkAddress     string
}

// Sizes and flags of referral entries. maxDfsText bounds the strings of a response,
// in multiples of its length.
const (
	maxDfsText          = 8
	dfsReferralSize     = 34
	dfsNameListReferral = 0x0002
)

// RespGetDfsReferral is the output of both, [MS-DFSC] 2.2.4.
type RespGetDfsReferral struct {
	PathConsumed        uint16 // bytes of UTF-16
	ReferralHeaderFlags uint32
	Referrals           []DfsReferral
}

// Decode reads the structure.
func (r *RespGetDfsReferral) Decode(b []byte) error {
	const name = "RESP_GET_DFS_REFERRAL"
	if err := need(name, b, 8); err != nil {
		return err
	}
	*r = RespGetDfsReferral{PathConsumed: le.Uint16(b), ReferralHeaderFlags: le.Uint32(b[4:])}
	count := int(le.Uint16(b[2:]))
	budget := maxDfsText * len(b) // entries may share strings, and so claim more than is there
	for b = b[8:]; count > 0; count-- {
		if err := need(name+".NumberOfReferrals", b, dfsReferralSize); err != nil {
			return err
		}
		d := DfsReferral{VersionNumber: le.Uint16(b), ServerType: le.Uint16(b[4:]), ReferralEntryFlags: le.Uint16(b[6:]), TimeToLive: le.Uint32(b[8:])}
		size := int(le.Uint16(b[2:]))
		if d.VersionNumber < 3 || d.VersionNumber > 4 || d.ReferralEntryFlags&dfsNameListReferral != 0 {
			return &DecodeError{Command: CommandIoctl, Field: name + ".VersionNumber", Reason: reasonValue}
		}
		if size < dfsReferralSize || size > len(b) {
			return &DecodeError{Command: CommandIoctl, Field: name + ".Size", Reason: reasonBounds}
		}
		for i, s := range []*string{&d.DFSPath, &d.DFSAlternatePath, &d.NetworkAddress} {
			off, ok := int(le.Uint16(b[12+2*i:])), true
			if off < size && off != 0 || off > len(b) {
				return &DecodeError{Command: CommandIoctl, Field: name + ".DFSPathOffset", Reason: reasonBounds}
			}
			if off == 0 {
				continue
			}
			if *s, ok = stringZ(b[off:]); !ok {
				return &DecodeError{Command: CommandIoctl, Field: name + ".DFSPath", Reason: reasonOdd}
			}
			if budget -= len(*s); budget < 0 {
				return &DecodeError{Command: CommandIoctl, Field: name + ".DFSPath", Reason: reasonCount}
			}
		}
		r.Referrals = append(r.Referrals, d)
		b = b[size:]
	}
	return nil
}

// Append appends the structure, the strings behind all entries, each of its own.
func (r *RespGetDfsReferral) Append(dst []byte) []byte {
	dst = le.AppendUint16(dst, r.PathConsumed)
	dst = le.AppendUint16(dst, uint16(len(r.Referrals)))
	dst = le.AppendUint32(dst, r.ReferralHeaderFlags)
	first := len(dst)
	for _, d := range r.Referrals {
		at := len(dst)
		dst, _ = grow(dst, dfsReferralSize)
		le.PutUint16(dst[at:], d.VersionNumber)
		le.PutUint16(dst[at+2:], dfsReferralSize)
		le.PutUint16(dst[at+4:], d.ServerType)
		le.PutUint16(dst[at+6:], d.ReferralEntryFlags&^dfsNameListReferral)
		le.PutUint32(dst[at+8:], d.TimeToLive)
	}
	for i, d := range r.Referrals {
		at := first + i*dfsReferralSize
		for j, s := range []string{d.DFSPath, d.DFSAlternatePath, d.NetworkAddress} {
			le.PutUint16(dst[at+12+2*j:], uint16(len(dst)-at))
			dst = append(AppendUTF16(dst, s), 0, 0)
		}
	}
	return dst
}
