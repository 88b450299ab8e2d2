package smb2

// FileQuotaInfo is one entry of FileQuotaInformation, [MS-FSCC] 2.4.41.
type FileQuotaInfo struct {
	ChangeTime     Filetime
	QuotaUsed      uint64
	QuotaThreshold uint64
	QuotaLimit     uint64
	SID            SID
}

// DecodeFileQuotaInfo reads the list.
func DecodeFileQuotaInfo(b []byte) (list []FileQuotaInfo, err error) {
	err = entries("FileQuotaInformation", b, 40, func(e []byte) error {
		q := FileQuotaInfo{
			ChangeTime: Filetime(le.Uint64(e[8:])), QuotaUsed: le.Uint64(e[16:]),
			QuotaThreshold: le.Uint64(e[24:]), QuotaLimit: le.Uint64(e[32:]),
		}
		sid, err := tail("FileQuotaInformation.Sid", e, 40, le.Uint32(e[4:]))
		if err != nil {
			return err
		}
		if err := q.SID.Decode(sid); err != nil {
			return err
		}
		list = append(list, q)
		return nil
	})
	return list, err
}

// AppendFileQuotaInfo appends the list; entries are 8-byte aligned.
func AppendFileQuotaInfo(dst []byte, list []FileQuotaInfo) []byte {
	start, prev := len(dst), -1
	for _, q := range list {
		dst = link(dst, start, prev, 8)
		prev = len(dst)
		dst = le.AppendUint32(dst, 0)
		dst = le.AppendUint32(dst, uint32(q.SID.Size()))
		dst = le.AppendUint64(dst, uint64(q.ChangeTime))
		dst = le.AppendUint64(dst, q.QuotaUsed)
		dst = le.AppendUint64(dst, q.QuotaThreshold)
		dst = le.AppendUint64(dst, q.QuotaLimit)
		dst = q.SID.Append(dst)
	}
	return dst
}

// QueryQuotaInfo is the input buffer of a QUERY_INFO with InfoQuota, [MS-SMB2]
// 2.2.37.1. SidList is a list of FILE_GET_QUOTA_INFORMATION or one SID, as the lengths
// on the wire say; it is carried as it is.
type QueryQuotaInfo struct {
	ReturnSingle   bool
	RestartScan    bool
	SidListLength  uint32
	StartSidLength uint32
	StartSidOffset uint32
	SidBuffer      []byte
}

// Decode reads the structure.
func (q *QueryQuotaInfo) Decode(b []byte) error {
	if err := need("SMB2_QUERY_QUOTA_INFO", b, 16); err != nil {
		return err
	}
	q.ReturnSingle = b[0] != 0
	q.RestartScan = b[1] != 0
	q.SidListLength = le.Uint32(b[4:])
	q.StartSidLength = le.Uint32(b[8:])
	q.StartSidOffset = le.Uint32(b[12:])
	q.SidBuffer = b[16:]
	if uint64(q.SidListLength) > uint64(len(q.SidBuffer)) ||
		uint64(q.StartSidLength)+uint64(q.StartSidOffset) > uint64(len(q.SidBuffer)) {
		return &DecodeError{Command: CommandQueryInfo, Field: "SMB2_QUERY_QUOTA_INFO.SidListLength", Offset: 4, Reason: reasonBounds}
	}
	return nil
}

// Append appends the structure.
func (q *QueryQuotaInfo) Append(dst []byte) []byte {
	dst = append(dst, boolByte(q.ReturnSingle), boolByte(q.RestartScan), 0, 0)
	dst = le.AppendUint32(dst, q.SidListLength)
	dst = le.AppendUint32(dst, q.StartSidLength)
	dst = le.AppendUint32(dst, q.StartSidOffset)
	return append(dst, q.SidBuffer...)
}
