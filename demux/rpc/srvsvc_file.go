package rpc

import (
	"context"
	"strings"

	"github.com/oiweiwei/go-msrpc/msrpc/srvs/srvsvc/v3"
)

// Permissions of an open file ([MS-SRVS] 2.2.4.7).
const (
	fileRead   = 1
	fileWrite  = 2
	fileCreate = 4
)

// short is the file's number in these structures, which have 32 bits for it: the lower half of its FileId, in which no
// two that are open at a time are equal.
func (f *File) short() uint32 { return uint32(f.ID) }

// permissions say what the file was opened for.
func (f *File) permissions() (p uint32) {
	if f.Read {
		p |= fileRead
	}
	if f.Write {
		p |= fileWrite
	}
	if f.Make {
		p |= fileCreate
	}
	return p
}

func file2(f *File) *srvsvc.FileInfo2 { return &srvsvc.FileInfo2{ID: f.short()} }

func file3(f *File) *srvsvc.FileInfo3 {
	return &srvsvc.FileInfo3{
		ID: f.short(), Permissions: f.permissions(), NumLocks: f.Locks, PathName: text(f.Path), UserName: text(f.User),
	}
}

// FileEnum is NetrFileEnum ([MS-SRVS] 3.1.4.2), for administrators.
func (s *srvsvcServer) FileEnum(_ context.Context, q *srvsvc.FileEnumRequest) (*srvsvc.FileEnumResponse, error) {
	r := &srvsvc.FileEnumResponse{Info: q.Info}
	var list []File
	if !s.caller.Admin {
		r.Return = errorAccessDenied
	} else {
		var all []File
		for _, f := range s.cluster.Files() {
			below := len(f.Path) >= len(q.BasePath) && strings.EqualFold(f.Path[:len(q.BasePath)], q.BasePath)
			if below && (q.UserName == "" || strings.EqualFold(f.User, q.UserName)) {
				all = append(all, f)
			}
		}
		list, r.Resume, r.Return = page(all, q.Resume, q.PreferredMaximumLength, 256)
		r.TotalEntries = uint32(len(all))
	}
	n := uint32(len(list))
	u := &srvsvc.FileEnumUnion{}
	if q.Info.Level == 2 {
		u.Value = &srvsvc.FileEnumUnion_Level2{Level2: &srvsvc.FileInfo2Container{EntriesRead: n, Buffer: each(list, file2)}}
	} else {
		u.Value = &srvsvc.FileEnumUnion_Level3{Level3: &srvsvc.FileInfo3Container{EntriesRead: n, Buffer: each(list, file3)}}
	}
	r.Info.FileInfo = u
	return r, nil
}

// file finds an open file, or says why there is none.
func (s *srvsvcServer) file(id uint32) (*File, uint32) {
	if !s.caller.Admin {
		return nil, errorAccessDenied
	}
	for _, f := range s.cluster.Files() {
		if f.short() == id {
			return &f, success
		}
	}
	return nil, nerrFileNotFound
}

// FileGetInfo is NetrFileGetInfo ([MS-SRVS] 3.1.4.3), for administrators.
func (s *srvsvcServer) FileGetInfo(_ context.Context, q *srvsvc.FileGetInfoRequest) (*srvsvc.FileGetInfoResponse, error) {
	if q.Level != 2 && q.Level != 3 {
		return nil, noSuchLevel(q.Level)
	}
	f, status := s.file(q.FileID)
	r := &srvsvc.FileGetInfoResponse{Level: q.Level, Info: &srvsvc.FileInfo{}, Return: status}
	switch {
	case f == nil:
	case q.Level == 2:
		r.Info.Value = &srvsvc.FileInfo_2{FileInfo2: file2(f)}
	default:
		r.Info.Value = &srvsvc.FileInfo_3{FileInfo3: file3(f)}
	}
	return r, nil
}

// FileClose is NetrFileClose ([MS-SRVS] 3.1.4.4), for administrators.
func (s *srvsvcServer) FileClose(_ context.Context, q *srvsvc.FileCloseRequest) (*srvsvc.FileCloseResponse, error) {
	f, status := s.file(q.FileID)
	if f != nil {
		s.cluster.CloseFile(f.ID)
	}
	return &srvsvc.FileCloseResponse{Return: status}, nil
}
