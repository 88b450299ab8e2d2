package demux

import (
	"context"

	"smbproxy/demux/rpc"
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// listening is what a pipe's words are for: what speaks for it here, or nil where they are the backend's. The first
// words decide: a client that authenticates inside RPC is dealt with here, as backends know no passwords.
func (o *open) listening(r *session.Request, words []byte) *localPipe {
	p := o.spoken()
	if o.heard.Swap(true) {
		return p
	}
	begin := o.tree.demux.routes.Load().cfg.PipeAuth
	if begin == nil || !rpc.WantsSecurity(words) {
		return p
	}
	behind, remote := &pipeBehind{open: o}, r.Connection.RemoteAddr()
	var upstream rpc.Upstream = behind
	if o.local != nil {
		upstream = rpc.Behind{Pipe: o.local.own}
	}
	secured := rpc.Secure(r.Session.Identity().User, func() rpc.Exchange { return begin(remote) }, upstream)
	p = &localPipe{pipe: secured, secured: secured, behind: behind}
	o.secured.Store(p)
	return p
}

// pipeBehind is a backend's pipe (rpc.Upstream).
type pipeBehind struct {
	open *open
	req  *session.Request // whose words go there now: it is told when that takes time
}

// longestFragment is more than a backend's fragment of RPC has, in bytes.
const longestFragment = 64 << 10

// Write writes a fragment.
func (b *pipeBehind) Write(ctx context.Context, pdu []byte) error {
	m := smb2.WriteRequest{FileID: b.open.held().fid.Wire(), Data: pdu}
	return b.ask(ctx, smb2.CommandWrite, &m, len(pdu), &smb2.WriteResponse{})
}

// Transceive writes a fragment and reads the first of the answer.
func (b *pipeBehind) Transceive(ctx context.Context, pdu []byte) ([]byte, error) {
	q := smb2.IoctlRequest{
		CtlCode: smb2.FsctlPipeTransceive, FileID: b.open.held().fid.Wire(), Flags: smb2.IoctlIsFsctl, Input: pdu, MaxOutputResponse: longestFragment,
	}
	m := smb2.IoctlResponse{}
	err := b.ask(ctx, smb2.CommandIoctl, &q, longestFragment, &m)
	return m.Output, err
}

// Read reads another fragment of the answer.
func (b *pipeBehind) Read(ctx context.Context) ([]byte, error) {
	q := smb2.ReadRequest{FileID: b.open.held().fid.Wire(), Length: longestFragment}
	m := smb2.ReadResponse{}
	err := b.ask(ctx, smb2.CommandRead, &q, longestFragment, &m)
	return m.Data, err
}

// ask asks the backend, which knows the client by this open.
func (b *pipeBehind) ask(ctx context.Context, cmd smb2.Command, q smb2.Body, payload int, m smb2.Message) error {
	h, reply, err := ask(ctx, b.req, b.open.held().at, newRequest(cmd, q, payload+64), smb2.CreditCharge(payload))
	return decodeDone(h, reply, err, m)
}
