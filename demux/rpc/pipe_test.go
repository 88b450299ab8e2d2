package rpc

import (
	"bytes"
	"testing"
	"time"

	"github.com/oiweiwei/go-msrpc/msrpc/srvs/srvsvc/v3"
	"github.com/oiweiwei/go-msrpc/ndr"

	"smbproxy/internal/ntstatus"
)

// town is a cluster for tests.
type town struct {
	shares         []Share
	files          []File
	sessions       []Session
	closedFiles    []uint64
	closedSessions []uint64
}

func (t *town) Identity() Identity {
	return Identity{Name: "TOWN", Domain: "GROUP", Comment: "a town"}
}
func (t *town) Shares() []Share           { return t.shares }
func (t *town) Sessions() []Session       { return t.sessions }
func (t *town) Files() []File             { return t.files }
func (t *town) Connections() []Connection { return nil }
func (t *town) CloseSession(id uint64)    { t.closedSessions = append(t.closedSessions, id) }
func (t *town) CloseFile(id uint64)       { t.closedFiles = append(t.closedFiles, id) }

// bindPDU asks for interfaces in NDR.
func bindPDU(kind packetType, call uint32, list ...syntax) []byte {
	b := appendHeader(nil, kind, flagFirst|flagLast, call)
	b = append(b, 0xB8, 0x10, 0xB8, 0x10, 0, 0, 0, 0, byte(len(list)), 0, 0, 0)
	for i, s := range list {
		b = append(b, byte(i), 0, 1, 0)
		b = ndr20.append(s.append(b))
	}
	return finishPDU(b, 0)
}

// requestPDU calls a method.
func requestPDU(call uint32, flags uint8, opnum uint16, stub []byte) []byte {
	b := appendHeader(nil, packetRequest, flags, call)
	b = le.AppendUint32(b, uint32(len(stub)))
	b = le.AppendUint16(b, 0)
	b = append(le.AppendUint16(b, opnum), stub...)
	return finishPDU(b, 0)
}

// open opens a pipe and binds it.
func open(t *testing.T, c Cluster, name string, who Caller) *Pipe {
	t.Helper()
	p := NewServer(c).Open(name, who)
	s := srvsvcSyntax
	if name == "wkssvc" {
		s = wkssvcSyntax
	}
	if st := p.Write(bindPDU(packetBind, 1, s)); st != ntstatus.Success {
		t.Fatal(st)
	}
	b := read(t, p)
	if packetType(b[2]) != packetBindAck {
		t.Fatalf("bind was answered by %x", b)
	}
	return p
}

// read takes one fragment.
func read(t *testing.T, p *Pipe) []byte {
	t.Helper()
	b, more, st := p.Read(maxFragment)
	if more || st != ntstatus.Success || len(b) < headerSize {
		t.Fatalf("Read: %x, more %v, %v", b, more, st)
	}
	return b
}

// call calls a method and returns the answer's stub.
func call(t *testing.T, p *Pipe, opnum uint16, stub []byte) []byte {
	t.Helper()
	p.Write(requestPDU(7, flagFirst|flagLast, opnum, stub))
	var out []byte
	for {
		b := read(t, p)
		if packetType(b[2]) != packetResponse {
			t.Fatalf("method %d was answered by %x", opnum, b)
		}
		out = append(out, b[headerSize+8:]...)
		if b[3]&flagLast != 0 {
			return out
		}
	}
}

// marshal packs a request.
func marshal(t *testing.T, m ndr.Marshaler) []byte {
	t.Helper()
	b, err := ndr.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestShareEnum lists more shares than fit into a fragment, in pages too.
func TestShareEnum(t *testing.T) {
	c := &town{}
	for i := range 300 {
		c.shares = append(c.shares, Share{Name: "share" + string(rune('a'+i%26)) + string(rune('a'+i/26)), Comment: "a comment"})
	}
	c.shares = append(c.shares, Share{Name: "hidden", Hidden: true}, Share{Name: "IPC$", Pipes: true})
	p := open(t, c, "srvsvc", Caller{})
	list := func(limit, resume uint32) *srvsvc.ShareEnumResponse {
		q := &srvsvc.ShareEnumRequest{
			Info: &srvsvc.ShareEnum{Level: 1, ShareInfo: &srvsvc.ShareEnumUnion{
				Value: &srvsvc.ShareEnumUnion_Level1{Level1: &srvsvc.ShareInfo1Container{}},
			}},
			PreferredMaximumLength: limit, Resume: resume,
		}
		r := &srvsvc.ShareEnumResponse{}
		if err := ndr.Unmarshal(call(t, p, 15, marshal(t, q)), r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := list(maxPreferred, 0)
	all := r.Info.ShareInfo.Value.(*srvsvc.ShareEnumUnion_Level1).Level1.Buffer
	if len(all) != 301 || r.TotalEntries != 301 || r.Return != success {
		t.Fatalf("%d of %d shares, status %d; want 301", len(all), r.TotalEntries, r.Return)
	}
	if last := all[300]; last.NetworkName != "IPC$" || last.Type != sharePipes|shareSpecial {
		t.Errorf("the last is %+v, want IPC$", last)
	}
	seen, resume := 0, uint32(0)
	for {
		r := list(2560, resume)
		seen += len(r.Info.ShareInfo.Value.(*srvsvc.ShareEnumUnion_Level1).Level1.Buffer)
		if r.Return == success {
			break
		}
		if r.Return != errorMoreData || r.Resume <= resume {
			t.Fatalf("page: status %d, resume %d after %d", r.Return, r.Resume, resume)
		}
		resume = r.Resume
	}
	if seen != 301 {
		t.Errorf("%d shares in pages, want 301", seen)
	}
}

// TestAdministrators: sessions and files are shown to administrators only, who alone may close them.
func TestAdministrators(t *testing.T) {
	c := &town{
		files:    []File{{ID: 1<<48 | 77, User: "anna", Path: `C:\share\x`, Write: true}},
		sessions: []Session{{ID: 5, Client: "192.0.2.7", User: "anna", Since: time.Now()}},
	}
	for _, admin := range []bool{false, true} {
		p := open(t, c, "srvsvc", Caller{User: "x", Admin: admin})
		want := errorAccessDenied
		if admin {
			want = success
		}
		files := &srvsvc.FileEnumResponse{}
		stub := call(t, p, 9, marshal(t, &srvsvc.FileEnumRequest{
			Info:                   &srvsvc.FileEnum{Level: 3, FileInfo: &srvsvc.FileEnumUnion{Value: &srvsvc.FileEnumUnion_Level3{Level3: &srvsvc.FileInfo3Container{}}}},
			PreferredMaximumLength: maxPreferred,
		}))
		if err := ndr.Unmarshal(stub, files); err != nil {
			t.Fatal(err)
		}
		list := files.Info.FileInfo.Value.(*srvsvc.FileEnumUnion_Level3).Level3.Buffer
		if files.Return != want || (len(list) == 1) != admin {
			t.Errorf("admin %v: status %d, %d files", admin, files.Return, len(list))
		}
		closed := &srvsvc.FileCloseResponse{}
		if err := ndr.Unmarshal(call(t, p, 11, marshal(t, &srvsvc.FileCloseRequest{FileID: 77})), closed); err != nil {
			t.Fatal(err)
		}
		ended := &srvsvc.SessionDeleteResponse{}
		if err := ndr.Unmarshal(call(t, p, 13, marshal(t, &srvsvc.SessionDeleteRequest{ClientName: `\\192.0.2.7`})), ended); err != nil {
			t.Fatal(err)
		}
		if closed.Return != want || ended.Return != want {
			t.Errorf("admin %v: close %d, end %d, want %d", admin, closed.Return, ended.Return, want)
		}
	}
	if len(c.closedFiles) != 1 || c.closedFiles[0] != 1<<48|77 || len(c.closedSessions) != 1 {
		t.Errorf("closed %v and %v", c.closedFiles, c.closedSessions)
	}
}

// TestFragments: a request in pieces of every kind, an answer read in pieces.
func TestFragments(t *testing.T) {
	p := open(t, &town{}, "srvsvc", Caller{})
	stub := marshal(t, &srvsvc.GetInfoRequest{ServerName: "TOWN", Level: 101})
	pdus := requestPDU(3, flagFirst, 21, stub[:8])
	pdus = append(pdus, requestPDU(3, 0, 21, stub[8:16])...)
	pdus = append(pdus, requestPDU(3, flagLast, 21, stub[16:])...)
	for i := range pdus {
		if st := p.Write(pdus[i : i+1]); st != ntstatus.Success {
			t.Fatal(st)
		}
	}
	var whole []byte
	for {
		b, more, st := p.Read(5)
		if st != ntstatus.Success || len(b) == 0 {
			t.Fatalf("after %d bytes: %v", len(whole), st)
		}
		whole = append(whole, b...)
		if !more {
			break
		}
	}
	r := &srvsvc.GetInfoResponse{}
	if err := ndr.Unmarshal(whole[headerSize+8:], r); err != nil {
		t.Fatal(err)
	}
	if got := r.Info.Value.(*srvsvc.ServerInfo_101).ServerInfo101; got.Name != "TOWN" || got.Comment != "a town" {
		t.Errorf("got %+v", got)
	}
}

// TestBroken are clients that do not speak the protocol, and what they hear.
func TestBroken(t *testing.T) {
	object := requestPDU(3, flagFirst|flagLast|flagObject, 21, nil)
	for _, tt := range []struct {
		name string
		send [][]byte
		want packetType // of the answer; 0xFF: none, and the pipe is broken
	}{
		{"garbage", [][]byte{bytes.Repeat([]byte{7}, 64)}, 0xFF},
		{"a fragment too short", [][]byte{{5, 0, 0, 3, 0x10, 0, 0, 0, 15, 0, 0, 0, 1, 0, 0, 0}}, 0xFF},
		{"a fragment too long", [][]byte{{5, 0, 0, 3, 0x10, 0, 0, 0, 0xFF, 0xFF, 0, 0, 1, 0, 0, 0}}, 0xFF},
		{"authentication that is not there", [][]byte{{5, 0, 0, 3, 0x10, 0, 0, 0, 16, 0, 9, 0, 1, 0, 0, 0}}, 0xFF},
		{"a second bind", [][]byte{bindPDU(packetBind, 2, srvsvcSyntax)}, 0xFF},
		{"a middle without a beginning", [][]byte{requestPDU(9, 0, 21, nil)}, packetFault},
		{"two beginnings", [][]byte{requestPDU(9, flagFirst, 21, nil), requestPDU(10, flagFirst, 21, nil)}, packetFault},
		{"a call too long", slicesOf(300, requestPDU(9, 0, 21, make([]byte, 4000))), packetFault},
		{"an object cut off", [][]byte{object}, packetFault},
		{"no such method", [][]byte{requestPDU(9, flagFirst|flagLast, 99, nil)}, packetFault},
		{"an empty stub", [][]byte{requestPDU(9, flagFirst|flagLast, 15, nil)}, packetFault},
		{"a stub of ones", [][]byte{requestPDU(9, flagFirst|flagLast, 16, bytes.Repeat([]byte{0xFF}, 100))}, packetFault},
		{"no such context", [][]byte{append(requestPDU(9, flagFirst|flagLast, 15, nil)[:20], 9, 0, 15, 0)}, packetFault},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := open(t, &town{}, "srvsvc", Caller{})
			for _, b := range tt.send {
				p.Write(b)
			}
			b, _, st := p.Read(maxFragment)
			if tt.want == 0xFF {
				if st != ntstatus.PipeBroken {
					t.Errorf("Read: %x, %v; want %v", b, st, ntstatus.PipeBroken)
				}
				return
			}
			if len(b) < headerSize || packetType(b[2]) != tt.want {
				t.Errorf("Read: %x, %v; want a PDU of type %d", b, st, tt.want)
			}
		})
	}
}

// slicesOf is a beginning and then n times b.
func slicesOf(n int, b []byte) [][]byte {
	list := [][]byte{requestPDU(9, flagFirst, 21, nil)}
	for range n {
		list = append(list, b)
	}
	return list
}

// TestBind: interfaces and transfer syntaxes that are not there are refused one by one.
func TestBind(t *testing.T) {
	p := NewServer(&town{}).Open("wkssvc", Caller{})
	p.Write(bindPDU(packetBind, 1, srvsvcSyntax, wkssvcSyntax, mgmtSyntax))
	b := read(t, p)
	results := b[len(b)-3*24:]
	for i, want := range []uint16{resultReject, resultAccept, resultAccept} {
		if got := le.Uint16(results[24*i:]); got != want {
			t.Errorf("context %d: result %d, want %d", i, got, want)
		}
	}
	p.Write(bindPDU(packetAlterContext, 2, wkssvcSyntax))
	if b := read(t, p); packetType(b[2]) != packetAlterReply {
		t.Errorf("alter_context was answered by %x", b)
	}
}

// FuzzPipe writes anything to a pipe that is bound. It neither panics nor takes much memory.
func FuzzPipe(f *testing.F) {
	for _, q := range []struct {
		opnum uint16
		m     ndr.Marshaler
	}{
		{16, &srvsvc.ShareGetInfoRequest{NetName: "share", Level: 502}}, {21, &srvsvc.GetInfoRequest{Level: 102}}, {28, &srvsvc.RemoteToDRequest{}},
		{33, &srvsvc.NameValidateRequest{Name: "x", NameType: 9}}, {10, &srvsvc.FileGetInfoRequest{FileID: 1, Level: 3}},
	} {
		b, err := ndr.Marshal(q.m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(requestPDU(2, flagFirst|flagLast, q.opnum, b))
	}
	f.Add(bindPDU(packetAlterContext, 2, mgmtSyntax))
	c := &town{shares: []Share{{Name: "share"}}, files: []File{{ID: 1}}, sessions: []Session{{ID: 1}}}
	f.Fuzz(func(t *testing.T, in []byte) {
		p := NewServer(c).Open("srvsvc", Caller{Admin: true})
		p.Write(bindPDU(packetBind, 1, srvsvcSyntax, mgmtSyntax))
		p.Write(in)
		for range 100 {
			if b, _, _ := p.Read(maxFragment); b == nil {
				return
			}
		}
	})
}
