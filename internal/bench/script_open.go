package bench

import (
	"fmt"

	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// openClose is CREATE, perhaps a request on the open, and CLOSE.
type openClose struct {
	create, between, close *rawsmb.Prepared
	file                   smb2.FileID
	step                   smb2.Command // whose reply comes next
}

// openClose opens and closes the client's own file; between may be nil.
func (c *rawClient) openClose(between *rawsmb.Prepared) script {
	return &openClose{between: between, close: c.closeRequest(), create: c.tree.Prepare(smb2.CommandCreate, &smb2.CreateRequest{
		Name: c.fileName(), DesiredAccess: smb2.FileReadData | smb2.FileReadAttributes, ShareAccess: shareAll,
		CreateDisposition: smb2.FileOpen, ImpersonationLevel: smb2.ImpersonationImpersonation}, 0)}
}

// createDelete makes a file of the slot's own and deletes it.
func (c *rawClient) createDelete(slot int) script {
	return &openClose{close: c.closeRequest(), create: c.tree.Prepare(smb2.CommandCreate, &smb2.CreateRequest{
		Name: fmt.Sprintf("%s-new-%d", c.fileName(), slot), DesiredAccess: smb2.FileWriteData | smb2.Delete, ShareAccess: shareAll,
		CreateDisposition: smb2.FileCreate, CreateOptions: smb2.FileDeleteOnClose,
		ImpersonationLevel: smb2.ImpersonationImpersonation}, 0)}
}

// shareAll lets everybody else open the file as well.
const shareAll = smb2.FileShareRead | smb2.FileShareWrite | smb2.FileShareDelete

func (c *rawClient) closeRequest() *rawsmb.Prepared {
	return c.tree.Prepare(smb2.CommandClose, &smb2.CloseRequest{}, 0)
}

// queryInfo asks what a client asks to show a file's properties.
func (c *rawClient) queryInfo() *rawsmb.Prepared {
	return c.tree.Prepare(smb2.CommandQueryInfo, &smb2.QueryInfoRequest{InfoType: smb2.InfoFile,
		FileInfoClass: smb2.FileNetworkOpenInformation, OutputBufferLength: 56}, 56)
}

func (o *openClose) first() *rawsmb.Prepared {
	o.step = smb2.CommandCreate
	return o.create
}

func (o *openClose) next(reply []byte) (*rawsmb.Prepared, error) {
	switch o.step {
	case smb2.CommandCreate:
		if err := want(reply, o.step, 88); err != nil {
			return nil, err
		}
		o.file = smb2.RawFileID(reply, createFileID)
		if o.between != nil {
			o.step = smb2.CommandQueryInfo
			o.between.SetFileID(queryFileID, o.file)
			return o.between, nil
		}
	case smb2.CommandQueryInfo:
		if err := want(reply, o.step, 8); err != nil {
			return nil, err
		}
	default:
		return nil, want(reply, o.step, 60)
	}
	o.step = smb2.CommandClose
	o.close.SetFileID(closeFileID, o.file)
	return o.close, nil
}

func (o *openClose) bytes() int { return 0 }
