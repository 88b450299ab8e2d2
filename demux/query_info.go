package demux

import (
	"encoding/binary"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/session"
)

// queryRule is a row of the allow-lists of QUERY_INFO.
type queryRule struct {
	since  smb2.Dialect // older clients get STATUS_NOT_SUPPORTED; 0: any
	access int          // where in the answer the granted rights stand, plus 1; 0: nowhere
}

// fileQueries are the file information classes that are relayed; another is
// STATUS_INVALID_INFO_CLASS. They are those that Samba 4.17 answers.
var fileQueries = map[smb2.InfoClass]queryRule{
	smb2.FileBasicInformation:          {},
	smb2.FileStandardInformation:       {},
	smb2.FileInternalInformation:       {},
	smb2.FileEaInformation:             {},
	smb2.FileAccessInformation:         {access: 0 + 1},
	smb2.FileNameInformation:           {},
	smb2.FileDispositionInformation:    {},
	smb2.FilePositionInformation:       {},
	smb2.FileFullEaInformation:         {},
	smb2.FileModeInformation:           {},
	smb2.FileAlignmentInformation:      {},
	smb2.FileAllInformation:            {access: 76 + 1}, // [MS-FSCC] 2.4.2: Basic 40, Standard 24, Internal 8, Ea 4
	smb2.FileAllocationInformation:     {},
	smb2.FileEndOfFileInformation:      {},
	smb2.FileAlternateNameInformation:  {},
	smb2.FileStreamInformation:         {},
	smb2.FileCompressionInformation:    {},
	smb2.FileNetworkOpenInformation:    {},
	smb2.FileAttributeTagInformation:   {},
	smb2.FileNormalizedNameInformation: {since: smb2.Dialect311},
}

// fsQueries are the file system information classes that are relayed, likewise.
var fsQueries = map[smb2.InfoClass]queryRule{
	smb2.FileFsVolumeInformation:     {},
	smb2.FileFsLabelInformation:      {},
	smb2.FileFsSizeInformation:       {},
	smb2.FileFsDeviceInformation:     {},
	smb2.FileFsAttributeInformation:  {},
	smb2.FileFsControlInformation:    {},
	smb2.FileFsFullSizeInformation:   {},
	smb2.FileFsObjectIdInformation:   {},
	smb2.FileFsSectorSizeInformation: {},
}

// queryInfo serves QUERY_INFO ([MS-SMB2] 3.3.5.20).
func queryInfo(r *session.Request) {
	o := openOf(r)
	if o == nil {
		return
	}
	var m smb2.QueryInfoRequest
	if err := m.Decode(r.Message()); err != nil {
		r.FailErr(err)
		return
	}
	if o.local != nil {
		o.local.queryInfo(r, &m)
		return
	}
	var rule queryRule
	known := true
	switch m.InfoType {
	case smb2.InfoFile:
		rule, known = fileQueries[m.FileInfoClass]
	case smb2.InfoFilesystem:
		rule, known = fsQueries[m.FileInfoClass]
	case smb2.InfoSecurity, smb2.InfoQuota: // have no classes
	default:
		r.Fail(ntstatus.InvalidParameter)
		return
	}
	switch {
	case !known:
		r.Fail(ntstatus.InvalidInfoClass)
	case r.Connection.Dialect() < rule.since:
		r.Fail(ntstatus.NotSupported)
	default:
		var finish finisher = pass
		if rule.access != 0 && o.tree.readOnly {
			finish = finishers[rule.access]
		}
		relay(r, o, max(m.OutputBufferLength, uint32(len(m.InputBuffer))), o.data.withPosition(&m, finish))
	}
}

// finishers are pass with the granted rights cut down to a read-only share's, by queryRule.access.
var finishers = map[int]finisher{0 + 1: passAccessAt(0), 76 + 1: passAccessAt(76)}

// passAccessAt makes the finisher that takes the write rights out of the ACCESS_MASK at off.
func passAccessAt(off int) finisher {
	return func(p *op, h *smb2.Header, reply *transport.Frame, err error) {
		if err == nil && carries(h) {
			var m smb2.QueryInfoResponse
			if m.Decode(reply.Bytes()) == nil && len(m.OutputBuffer) >= off+4 {
				field := m.OutputBuffer[off:]
				access := smb2.AccessMask(binary.LittleEndian.Uint32(field)) &^ writeAccess
				binary.LittleEndian.PutUint32(field, uint32(access))
			}
		}
		pass(p, h, reply, err)
	}
}
