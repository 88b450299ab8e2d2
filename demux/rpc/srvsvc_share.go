package rpc

import (
	"context"
	"strings"

	"github.com/oiweiwei/go-msrpc/msrpc/srvs/srvsvc/v3"
)

// Types of shares ([MS-SRVS] 2.2.2.4).
const (
	shareDisk    = 0x00000000
	sharePipes   = 0x00000003
	shareSpecial = 0x80000000
)

// unlimited is how many may use a share.
const unlimited = 0xFFFFFFFF

// kind is the share's type.
func (s *Share) kind() uint32 {
	switch {
	case s.Pipes:
		return sharePipes | shareSpecial
	case strings.HasSuffix(s.Name, "$"):
		return shareDisk | shareSpecial
	}
	return shareDisk
}

// path is where the share lies, as far as a client may know. It is a path of the one server that clients see.
func (s *Share) path() string {
	if s.Pipes {
		return `C:\tmp` // Samba: the path of IPC$ (4.17)
	}
	return `C:\` + s.Name
}

// everyone grants all that a share can grant to S-1-1-0, self-relative ([MS-DTYP] 2.4.6): who may do what is told by
// the configuration and the files' own ACLs.
var everyone = []byte{
	1, 0, 0x04, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, // DACL at 20
	2, 0, 28, 0, 1, 0, 0, 0, // an ACL of one ACE
	0, 0, 20, 0, 0xFF, 0x01, 0x1F, 0x00, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0,
}

func info0(s *Share) *srvsvc.ShareInfo0 { return &srvsvc.ShareInfo0{NetworkName: s.Name} }

func info1(s *Share) *srvsvc.ShareInfo1 {
	return &srvsvc.ShareInfo1{NetworkName: s.Name, Type: s.kind(), Remark: text(s.Comment)}
}

func info2(s *Share) *srvsvc.ShareInfo2 {
	return &srvsvc.ShareInfo2{
		NetworkName: s.Name, Type: s.kind(), Remark: text(s.Comment), MaxUses: unlimited, CurrentUses: s.Uses, Path: s.path(), Password: text(""),
	}
}

func info501(s *Share) *srvsvc.ShareInfo501 {
	return &srvsvc.ShareInfo501{NetworkName: s.Name, Type: s.kind(), Remark: text(s.Comment)}
}

func info502(s *Share) *srvsvc.ShareInfo502I {
	return &srvsvc.ShareInfo502I{
		NetworkName: s.Name, Type: s.kind(), Remark: text(s.Comment), MaxUses: unlimited, CurrentUses: s.Uses, Path: s.path(),
		Password: text(""), SecurityDescriptor: everyone,
	}
}

// browsed are the shares that are listed.
func (s *srvsvcServer) browsed() []Share {
	var list []Share
	for _, x := range s.cluster.Shares() {
		if !x.Hidden {
			list = append(list, x)
		}
	}
	return list
}

// ShareEnum is NetrShareEnum ([MS-SRVS] 3.1.4.8).
func (s *srvsvcServer) ShareEnum(_ context.Context, q *srvsvc.ShareEnumRequest) (*srvsvc.ShareEnumResponse, error) {
	all := s.browsed()
	list, next, status := page(all, q.Resume, q.PreferredMaximumLength, 256)
	listShares(q.Info, list)
	return &srvsvc.ShareEnumResponse{Info: q.Info, TotalEntries: uint32(len(all)), Resume: next, Return: status}, nil
}

// ShareEnumSticky is NetrShareEnumSticky ([MS-SRVS] 3.1.4.9). Samba: without those that end in $ (4.17).
func (s *srvsvcServer) ShareEnumSticky(_ context.Context, q *srvsvc.ShareEnumStickyRequest) (*srvsvc.ShareEnumStickyResponse, error) {
	var all []Share
	for _, x := range s.browsed() {
		if !strings.HasSuffix(x.Name, "$") {
			all = append(all, x)
		}
	}
	list, next, status := page(all, q.Resume, q.PreferredMaximumLength, 256)
	listShares(q.Info, list)
	return &srvsvc.ShareEnumStickyResponse{Info: q.Info, TotalEntries: uint32(len(all)), Resume: next, Return: status}, nil
}

// listShares puts shares into the answer in its level, which is one of the table's.
func listShares(into *srvsvc.ShareEnum, list []Share) {
	n := uint32(len(list))
	u := &srvsvc.ShareEnumUnion{}
	switch into.Level {
	case 0:
		u.Value = &srvsvc.ShareEnumUnion_Level0{Level0: &srvsvc.ShareInfo0Container{EntriesRead: n, Buffer: each(list, info0)}}
	case 1:
		u.Value = &srvsvc.ShareEnumUnion_Level1{Level1: &srvsvc.ShareInfo1Container{EntriesRead: n, Buffer: each(list, info1)}}
	case 2:
		u.Value = &srvsvc.ShareEnumUnion_Level2{Level2: &srvsvc.ShareInfo2Container{EntriesRead: n, Buffer: each(list, info2)}}
	case 501:
		u.Value = &srvsvc.ShareEnumUnion_Level501{Level501: &srvsvc.ShareInfo501Container{EntriesRead: n, Buffer: each(list, info501)}}
	case 502:
		u.Value = &srvsvc.ShareEnumUnion_Level502{Level502: &srvsvc.ShareInfo502Container{EntriesRead: n, Buffer: each(list, info502)}}
	}
	into.ShareInfo = u
}

// share finds a share by any spelling of its name.
func (s *srvsvcServer) share(name string) *Share {
	for _, x := range s.cluster.Shares() {
		if strings.EqualFold(x.Name, name) {
			return &x
		}
	}
	return nil
}

// ShareGetInfo is NetrShareGetInfo ([MS-SRVS] 3.1.4.10).
func (s *srvsvcServer) ShareGetInfo(_ context.Context, q *srvsvc.ShareGetInfoRequest) (*srvsvc.ShareGetInfoResponse, error) {
	info := &srvsvc.ShareInfo{}
	r := &srvsvc.ShareGetInfoResponse{Level: q.Level, Info: info}
	x := s.share(q.NetName)
	if x == nil {
		x, r.Return = &Share{}, nerrNetNotFound
	}
	switch q.Level {
	case 0:
		info.Value = &srvsvc.ShareInfo_0{ShareInfo0: info0(x)}
	case 1:
		info.Value = &srvsvc.ShareInfo_1{ShareInfo1: info1(x)}
	case 2:
		info.Value = &srvsvc.ShareInfo_2{ShareInfo2: info2(x)}
	case 501:
		info.Value = &srvsvc.ShareInfo_501{ShareInfo501: info501(x)}
	case 502:
		info.Value = &srvsvc.ShareInfo_502{ShareInfo502: info502(x)}
	case 1004:
		info.Value = &srvsvc.ShareInfo_1004{ShareInfo1004: &srvsvc.ShareInfo1004{Shi1004Remark: text(x.Comment)}}
	case 1005:
		info.Value = &srvsvc.ShareInfo_1005{ShareInfo1005: &srvsvc.ShareInfo1005{}}
	case 1006:
		info.Value = &srvsvc.ShareInfo_1006{ShareInfo1006: &srvsvc.ShareInfo1006{MaxUses: unlimited}}
	case 1501:
		info.Value = &srvsvc.ShareInfo_1501{ShareInfo1501: &srvsvc.ShareInfo1501I{SecurityDescriptor: everyone}}
	case 1007: // flags and another directory's name, both empty; the library does not know it
		if r.Return != success {
			return nil, answered(words(q.Level, 0, r.Return))
		}
		return nil, answered(words(q.Level, 1, 0, 2, 1, 0, 1, 0, success))
	default:
		return nil, noSuchLevel(q.Level)
	}
	if r.Return != success {
		info.Value = nil // a null pointer in the level's arm
	}
	return r, nil
}

// ShareCheck is NetrShareCheck ([MS-SRVS] 3.1.4.13): there is a share on the disk.
func (s *srvsvcServer) ShareCheck(_ context.Context, q *srvsvc.ShareCheckRequest) (*srvsvc.ShareCheckResponse, error) {
	for _, x := range s.cluster.Shares() {
		if !x.Pipes && strings.EqualFold(strings.TrimSuffix(q.Device, `\`), "C:") || strings.EqualFold(q.Device, x.path()) {
			return &srvsvc.ShareCheckResponse{Type: x.kind()}, nil
		}
	}
	return &srvsvc.ShareCheckResponse{Return: 2311}, nil // NERR_DeviceNotShared
}
