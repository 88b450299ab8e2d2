package rawsmb

import (
	"strings"

	"smbproxy/internal/smb2"
)

// Tree is a tree connect of a session.
type Tree struct {
	*Session
	TreeID uint32
	Resp   smb2.TreeConnectResponse
}

// TreeConnect connects to \\server\share; the server's name is the address that was dialed.
func (s *Session) TreeConnect(share string) (*Tree, error) {
	host, _, _ := strings.Cut(s.Conn.nc.RemoteAddr().String(), ":")
	m, err := s.Do(smb2.Header{Command: smb2.CommandTreeConnect}, &smb2.TreeConnectRequest{Path: `\\` + host + `\` + share})
	if err != nil {
		return nil, err
	}
	t := &Tree{Session: s, TreeID: m.Header.TreeID}
	return t, t.Resp.Decode(m.Bytes)
}

// Do sends one request on the tree and waits for its final reply.
func (t *Tree) Do(cmd smb2.Command, body smb2.Body) (Message, error) {
	return t.Session.Do(smb2.Header{Command: cmd, TreeID: t.TreeID}, body)
}

// Start sends one request on the tree.
func (t *Tree) Start(cmd smb2.Command, body smb2.Body) (*Pending, error) {
	return t.Session.Start(smb2.Header{Command: cmd, TreeID: t.TreeID}, body)
}

// Create opens a file. Zero fields get what an ordinary open wants: OPEN_IF, all sharing, read and write.
func (t *Tree) Create(req smb2.CreateRequest) (smb2.CreateResponse, error) {
	var resp smb2.CreateResponse
	if req.DesiredAccess == 0 {
		req.DesiredAccess = smb2.GenericRead | smb2.GenericWrite
	}
	if req.ShareAccess == 0 {
		req.ShareAccess = smb2.FileShareRead | smb2.FileShareWrite | smb2.FileShareDelete
	}
	if req.CreateDisposition == 0 {
		req.CreateDisposition = smb2.FileOpenIf
	}
	if req.ImpersonationLevel == 0 {
		req.ImpersonationLevel = smb2.ImpersonationImpersonation
	}
	m, err := t.Do(smb2.CommandCreate, &req)
	if err != nil {
		return resp, err
	}
	return resp, resp.Decode(m.Bytes)
}

// CloseFile closes an open.
func (t *Tree) CloseFile(id smb2.FileID) error {
	_, err := t.Do(smb2.CommandClose, &smb2.CloseRequest{FileID: id})
	return err
}
