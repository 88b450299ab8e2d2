package demux

import (
	"encoding/binary"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// contextRule says what becomes of a create context in a request.
type contextRule struct {
	sizes  []int           // of its data; nil: any. Others are STATUS_INVALID_PARAMETER
	relay  bool            // else it is dropped: we do not grant what it asks for
	refuse ntstatus.Status // if not zero, what the CREATE ends with

	answer func(data []byte) ([]byte, error) // makes our answer; nil: there is none
}

// contextRules are the create contexts that we know ([MS-SMB2] 2.2.13.2). One without a rule is
// dropped, as [MS-SMB2] 3.3.5.9 has it for a server that does not know it, and smbd does too.
// Relayed ones reach the backend as they are.
var contextRules = map[string]contextRule{
	smb2.CreateEaBuffer:                  {relay: true},
	smb2.CreateSdBuffer:                  {relay: true},
	smb2.CreateAllocationSize:            {relay: true, sizes: []int{8}},
	smb2.CreateTimewarpToken:             {relay: true, sizes: []int{8}},
	smb2.CreateQueryMaximalAccessRequest: {relay: true, sizes: []int{0, 8}},
	smb2.CreateQueryOnDiskID:             {relay: true, sizes: []int{0}},
	smb2.CreateRequestLease:              {},
	smb2.CreateDurableHandleRequest:      {sizes: []int{16}},
	smb2.CreateDurableHandleRequestV2:    {sizes: []int{32}},
	smb2.CreateDurableHandleReconnect:    {sizes: []int{16}, refuse: ntstatus.ObjectNameNotFound},
	smb2.CreateDurableHandleReconnectV2:  {sizes: []int{36}, refuse: ntstatus.ObjectNameNotFound},
	smb2.CreateAppInstanceID:             {sizes: []int{20}},
	smb2.CreateAppInstanceVersion:        {sizes: []int{24}},
	smb2.SvhdxOpenDeviceContext:          {refuse: ntstatus.InvalidDeviceRequest},
	smb2.CreateAAPL:                      {answer: answerAAPL},
}

// requestContexts sorts a CREATE's contexts: those for the backend are returned, in the list's
// own memory. Samba: sizes and statuses (4.17).
func requestContexts(list []smb2.CreateContext) ([]smb2.CreateContext, error) {
	relayed := list[:0]
	for _, c := range list {
		rule, known := contextRules[string(c.Name)]
		if !known {
			continue
		}
		if !sizeFits(len(c.Data), rule.sizes) {
			return nil, ntstatus.InvalidParameter
		}
		if rule.refuse != ntstatus.Success {
			return nil, rule.refuse
		}
		if rule.relay {
			relayed = append(relayed, c)
		}
	}
	return relayed, nil
}

// sizeFits says whether n is one of sizes, or sizes says nothing.
func sizeFits(n int, sizes []int) bool {
	for _, s := range sizes {
		if n == s {
			return true
		}
	}
	return sizes == nil
}

// replyContexts drops from a CREATE's response what no client of ours is owed: everything but
// MxAc and QFid. Of a read-only share, MxAc loses the rights that nobody has there, in place.
// changed says that a context has gone.
func replyContexts(m *smb2.CreateResponse, readOnly bool) (changed bool) {
	kept := m.CreateContexts[:0]
	for _, c := range m.CreateContexts {
		switch string(c.Name) {
		case smb2.CreateQueryMaximalAccessRequest:
			// QueryStatus, MaximalAccess: [MS-SMB2] 2.2.14.2.5.
			if readOnly && len(c.Data) == 8 {
				access := smb2.AccessMask(binary.LittleEndian.Uint32(c.Data[4:])) &^ writeAccess
				binary.LittleEndian.PutUint32(c.Data[4:], uint32(access))
			}
			kept = append(kept, c)
		case smb2.CreateQueryOnDiskID:
			kept = append(kept, c)
		default:
			changed = true
		}
	}
	m.CreateContexts = kept
	return changed
}
