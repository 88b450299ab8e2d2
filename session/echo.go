package session

import (
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// Echo serves ECHO ([MS-SMB2] 3.3.5.15), which needs no session.
func Echo(r *Request) {
	f := transport.NewFrame(replySize)
	f.SetBytes(echoBody.Append(append(f.Bytes(), emptyHeader[:]...)))
	r.ReplyFrame(ntstatus.Success, f)
	f.Release()
}

// echoBody has no fields that vary.
var echoBody smb2.EchoResponse
