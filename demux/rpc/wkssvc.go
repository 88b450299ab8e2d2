package rpc

import (
	"context"

	"github.com/oiweiwei/go-msrpc/dcerpc"
	"github.com/oiweiwei/go-msrpc/msrpc/wkst/wkssvc/v1"
	"github.com/oiweiwei/go-msrpc/ndr"
)

// wkssvcSyntax is 6BFFD098-A112-3610-9833-46C3F87E345A version 1.0 ([MS-WKST] 1.9).
var wkssvcSyntax = syntax{uuid: [16]byte{0x98, 0xd0, 0xff, 0x6b, 0x12, 0xa1, 0x10, 0x36, 0x98, 0x33, 0x46, 0xc3, 0xf8, 0x7e, 0x34, 0x5a}, major: 1}

// wkssvcTable are the methods of [MS-WKST] 3.2.4 that we have: nobody works at this workstation.
var wkssvcTable = map[uint16]operation{0: {}} // NetrWkstaGetInfo

// wkssvcService is the interface of the pipe wkssvc.
func wkssvcService(cluster Cluster) service {
	return service{syntax: wkssvcSyntax, call: serve(wkssvcTable, func(c Caller) handle {
		s := &wkssvcServer{cluster: cluster, caller: c}
		return func(ctx context.Context, opnum int, r ndr.Reader) (dcerpc.Operation, error) {
			return wkssvc.WkssvcServerHandle(ctx, s, opnum, r)
		}
	})}
}

// wkssvcServer answers one call.
type wkssvcServer struct {
	wkssvc.UnimplementedWkssvcServer // what the table does not let through
	cluster                          Cluster
	caller                           Caller
}

// GetInfo is NetrWkstaGetInfo ([MS-WKST] 3.2.4.1); level 102 is for administrators.
func (s *wkssvcServer) GetInfo(_ context.Context, q *wkssvc.GetInfoRequest) (*wkssvc.GetInfoResponse, error) {
	id := s.cluster.Identity()
	info := &wkssvc.WorkstationInfo{}
	r := &wkssvc.GetInfoResponse{Level: q.Level, WorkstationInfo: info}
	switch q.Level {
	case 100:
		info.Value = &wkssvc.WorkstationInfo_100{WorkstationInfo100: &wkssvc.WorkstationInfo100{
			PlatformID: platformNT, ComputerName: text(id.Name), LANGroup: text(id.Domain), VerMajor: versionMajor, VerMinor: versionMinor,
		}}
	case 101:
		info.Value = &wkssvc.WorkstationInfo_101{WorkstationInfo101: &wkssvc.WorkstationInfo101{
			PlatformID: platformNT, ComputerName: text(id.Name), LANGroup: text(id.Domain), VerMajor: versionMajor, VerMinor: versionMinor, LANRoot: text(""),
		}}
	case 102:
		if !s.caller.Admin {
			r.Return = errorAccessDenied
			break
		}
		info.Value = &wkssvc.WorkstationInfo_102{WorkstationInfo102: &wkssvc.WorkstationInfo102{
			PlatformID: platformNT, ComputerName: text(id.Name), LANGroup: text(id.Domain), VerMajor: versionMajor, VerMinor: versionMinor,
			LANRoot: text(""), LoggedOnUsers: uint32(len(s.cluster.Sessions())),
		}}
	default:
		return nil, noSuchLevel(q.Level)
	}
	return r, nil
}
