package rpc

import (
	"context"
	"strings"
	"time"

	"github.com/oiweiwei/go-msrpc/dcerpc"
	"github.com/oiweiwei/go-msrpc/msrpc/dtyp"
	"github.com/oiweiwei/go-msrpc/msrpc/srvs/srvsvc/v3"
	"github.com/oiweiwei/go-msrpc/ndr"
)

// srvsvcSyntax is 4B324FC8-1670-01D3-1278-5A47BF6EE188 version 3.0 ([MS-SRVS] 1.9).
var srvsvcSyntax = syntax{uuid: [16]byte{0xc8, 0x4f, 0x32, 0x4b, 0x70, 0x16, 0xd3, 0x01, 0x12, 0x78, 0x5a, 0x47, 0xbf, 0x6e, 0xe1, 0x88}, major: 3}

// Levels of shares ([MS-SRVS] 2.2.4.38): those that can be listed, and those that can be asked for of one share only.
var (
	shareLevels = []uint32{0, 1, 2, 501, 502}
	shareOthers = []uint32{503, 1004, 1005, 1006, 1007, 1501}
)

// srvsvcTable are the methods of [MS-SRVS] 3.1.4 that we have. Those that change shares are not among them: shares are
// what the configuration says.
var srvsvcTable = map[uint16]operation{
	8:  {strings: 2, levels: []uint32{0, 1}},                  // NetrConnectionEnum
	9:  {strings: 3, levels: []uint32{2, 3}},                  // NetrFileEnum
	10: {},                                                    // NetrFileGetInfo
	11: {},                                                    // NetrFileClose
	12: {strings: 3, levels: []uint32{0, 1, 2, 10, 502}},      // NetrSessionEnum
	13: {},                                                    // NetrSessionDel
	15: {strings: 1, levels: shareLevels, armed: shareOthers}, // NetrShareEnum
	16: {},                                                    // NetrShareGetInfo
	20: {},                                                    // NetrShareCheck
	21: {},                                                    // NetrServerGetInfo
	23: {},                                                    // NetrServerDiskEnum
	28: {},                                                    // NetrRemoteTOD
	33: {},                                                    // NetprNameValidate
	36: {strings: 1, levels: shareLevels, armed: shareOthers}, // NetrShareEnumSticky
}

// srvsvcService is the interface of the pipe srvsvc.
func srvsvcService(cluster Cluster) service {
	return service{syntax: srvsvcSyntax, call: serve(srvsvcTable, func(c Caller) handle {
		s := &srvsvcServer{cluster: cluster, caller: c}
		return func(ctx context.Context, opnum int, r ndr.Reader) (dcerpc.Operation, error) {
			return srvsvc.SrvsvcServerHandle(ctx, s, opnum, r)
		}
	})}
}

// srvsvcServer answers one call.
type srvsvcServer struct {
	srvsvc.UnimplementedSrvsvcServer // what the table does not let through
	cluster                          Cluster
	caller                           Caller
}

// What a server says that it is ([MS-SRVS] 2.2.2.6, 2.2.2.7). Samba: the version and the types (4.17).
const (
	platformNT   = 500
	versionMajor = 6
	versionMinor = 1
	serverTypes  = 0x00000001 | 0x00000002 | 0x00000800 | 0x00001000 | 0x00008000 // workstation, server, Unix, NT, server NT
)

// GetInfo is NetrServerGetInfo ([MS-SRVS] 3.1.4.17).
func (s *srvsvcServer) GetInfo(_ context.Context, q *srvsvc.GetInfoRequest) (*srvsvc.GetInfoResponse, error) {
	id := s.cluster.Identity()
	info := &srvsvc.ServerInfo{}
	switch q.Level {
	case 100:
		info.Value = &srvsvc.ServerInfo_100{ServerInfo100: &dtyp.ServerInfo100{PlatformID: platformNT, Name: id.Name}}
	case 101:
		info.Value = &srvsvc.ServerInfo_101{ServerInfo101: &dtyp.ServerInfo101{
			PlatformID: platformNT, Name: id.Name, VersionMajor: versionMajor, VersionMinor: versionMinor,
			VersionType: serverTypes, Comment: text(id.Comment),
		}}
	case 102:
		info.Value = &srvsvc.ServerInfo_102{ServerInfo102: &srvsvc.ServerInfo102{
			PlatformID: platformNT, Name: id.Name, VersionMajor: versionMajor, VersionMinor: versionMinor,
			Type: serverTypes, Comment: text(id.Comment),
			Users: 0xFFFFFFFF, Disc: 15, Announce: 240, AnnounceDelta: 3000, Licenses: 100000, UserPath: `C:\`, // Samba: the numbers (4.17)
		}}
	case 1005:
		info.Value = &srvsvc.ServerInfo_1005{ServerInfo1005: &srvsvc.ServerInfo1005{Comment: text(id.Comment)}}
	case 502, 503, 599:
		return &srvsvc.GetInfoResponse{Level: q.Level, Info: info, Return: errorInvalidLevel}, nil
	default:
		return nil, noSuchLevel(q.Level)
	}
	return &srvsvc.GetInfoResponse{Level: q.Level, Info: info}, nil
}

// DiskEnum is NetrServerDiskEnum ([MS-SRVS] 3.1.4.19): shares lie on one disk. Samba: its name (4.17).
func (s *srvsvcServer) DiskEnum(_ context.Context, q *srvsvc.DiskEnumRequest) (*srvsvc.DiskEnumResponse, error) {
	r := &srvsvc.DiskEnumResponse{DiskInfo: &srvsvc.DiskEnumContainer{Buffer: []*srvsvc.DiskInfo{}}}
	if q.Level != 0 {
		r.Return = errorInvalidLevel
		return r, nil
	}
	list := []*srvsvc.DiskInfo{{Disk: "C:"}, {}} // the end of the list is an entry
	r.DiskInfo.EntriesRead, r.DiskInfo.Buffer, r.TotalEntries = uint32(len(list)), list, uint32(len(list))
	return r, nil
}

// RemoteToD is NetrRemoteTOD ([MS-SRVS] 3.1.4.21), in UTC and with our offset from it.
func (s *srvsvcServer) RemoteToD(context.Context, *srvsvc.RemoteToDRequest) (*srvsvc.RemoteToDResponse, error) {
	now := time.Now()
	_, east := now.Zone()
	u := now.UTC()
	return &srvsvc.RemoteToDResponse{BufferPointer: &srvsvc.TimeOfDayInfo{
		ElapsedTime: uint32(u.Unix()), Msecs: uint32(u.UnixMilli()),
		Hours: uint32(u.Hour()), Mins: uint32(u.Minute()), Secs: uint32(u.Second()), Hunds: uint32(u.Nanosecond() / 1e7),
		Timezone: int32(-east / 60), Tinterval: 310,
		Day: uint32(u.Day()), Month: uint32(u.Month()), Year: uint32(u.Year()), Weekday: uint32(u.Weekday()),
	}}, nil
}

// nameTypeShare is the type of names that NetprNameValidate knows here ([MS-SRVS] 2.2.2.8).
const nameTypeShare = 9

// NameValidate is NetprNameValidate ([MS-SRVS] 3.1.4.33), for names of shares.
func (s *srvsvcServer) NameValidate(_ context.Context, q *srvsvc.NameValidateRequest) (*srvsvc.NameValidateResponse, error) {
	longest := 80
	switch {
	case q.Flags == 0x80000000:
		longest = 12
	case q.Flags != 0:
		return &srvsvc.NameValidateResponse{Return: errorInvalidParam}, nil
	}
	if q.NameType != nameTypeShare {
		return &srvsvc.NameValidateResponse{Return: errorInvalidParam}, nil
	}
	if q.Name == "" || len([]rune(q.Name)) > longest || strings.ContainsAny(q.Name, "\"/\\[]:|<>+=;,*?") {
		return &srvsvc.NameValidateResponse{Return: errorInvalidName}, nil
	}
	return &srvsvc.NameValidateResponse{}, nil
}
