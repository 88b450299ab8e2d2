package demux

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// fsctlRule is a row of the allow-list of FSCTLs.
type fsctlRule struct {
	// run serves it. o is nil where noFile is set.
	run func(d *Demux, r *session.Request, o *open, m *smb2.IoctlRequest)
	// noFile: it is about the connection or the share, and FileId must be all ones.
	noFile bool
	// readOnly is what it ends with on a read-only share; zero: it changes nothing.
	readOnly ntstatus.Status
}

// fsctls are the FSCTLs that we serve or relay; another is STATUS_INVALID_DEVICE_REQUEST. The
// relayed ones are those for which Samba 4.17 has an answer of its own.
var fsctls map[smb2.FsctlCode]fsctlRule

// init fills the table: some of its functions lead back to it.
func init() {
	fsctls = map[smb2.FsctlCode]fsctlRule{
		// Answered here.
		smb2.FsctlValidateNegotiateInfo:     {run: validateNegotiateInfo, noFile: true},
		smb2.FsctlQueryNetworkInterfaceInfo: {run: queryNetworkInterfaceInfo, noFile: true},
		smb2.FsctlDfsGetReferrals:           {run: dfsGetReferrals, noFile: true},
		smb2.FsctlDfsGetReferralsEx:         {run: refuseFsctl, noFile: true},
		smb2.FsctlPipeWait:                  {run: refuseFsctl, noFile: true},

		smb2.FsctlLmrRequestResiliency: {run: requestResiliency},

		fsctlSmbtortureForceUnackedTimeout: {run: forceUnackedTimeout, noFile: true},

		// Name other opens.
		smb2.FsctlSrvRequestResumeKey:    {run: requestResumeKey},
		smb2.FsctlSrvCopychunk:           {run: copychunk, readOnly: ntstatus.AccessDenied},
		smb2.FsctlSrvCopychunkWrite:      {run: copychunk, readOnly: ntstatus.AccessDenied},
		smb2.FsctlDuplicateExtentsToFile: {run: duplicateExtents, readOnly: ntstatus.AccessDenied},

		// Pipes: may wait.
		smb2.FsctlPipeTransceive: {run: transceivePipe},
		smb2.FsctlPipePeek:       {run: relayFsctl},

		// About one file.
		smb2.FsctlSrvEnumerateSnapshots: {run: relayFsctl},
		smb2.FsctlGetReparsePoint:       {run: relayFsctl},
		smb2.FsctlSetReparsePoint:       {run: changeFsctl, readOnly: ntstatus.MediaWriteProtected},
		smb2.FsctlDeleteReparsePoint:    {run: changeFsctl, readOnly: ntstatus.MediaWriteProtected},
		smb2.FsctlCreateOrGetObjectID:   {run: relayFsctl},
		smb2.FsctlGetCompression:        {run: relayFsctl},
		smb2.FsctlSetCompression:        {run: changeFsctl, readOnly: ntstatus.AccessDenied},
		smb2.FsctlSetSparse:             {run: changeFsctl, readOnly: ntstatus.MediaWriteProtected},
		smb2.FsctlSetZeroData:           {run: setZeroData, readOnly: ntstatus.AccessDenied},
		smb2.FsctlQueryAllocatedRanges:  {run: relayFsctl},
		smb2.FsctlFindFilesBySid:        {run: relayFsctl},
		smb2.FsctlIsVolumeDirty:         {run: relayFsctl},
	}
}

// relayFsctl lets the backend answer.
func relayFsctl(_ *Demux, r *session.Request, o *open, m *smb2.IoctlRequest) {
	relay(r, o, ioctlPayload(m), passFsctl)
}

// changeFsctl is relayFsctl for what shows in a file's attributes.
func changeFsctl(_ *Demux, r *session.Request, o *open, m *smb2.IoctlRequest) {
	relay(r, o, ioctlPayload(m), telling(passFsctl, func() { o.changed(attributeChange) }))
}

// relayFsctlWaiting is relayFsctl for what waits for somebody.
func relayFsctlWaiting(_ *Demux, r *session.Request, o *open, m *smb2.IoctlRequest) {
	relayWaiting(r, o, ioctlPayload(m), passFsctl)
}

// refuseFsctl is for those that would be taken for one about a file.
func refuseFsctl(_ *Demux, r *session.Request, _ *open, _ *smb2.IoctlRequest) {
	r.Fail(ntstatus.InvalidDeviceRequest)
}
