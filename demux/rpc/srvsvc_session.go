package rpc

import (
	"context"
	"strings"
	"time"

	"github.com/oiweiwei/go-msrpc/msrpc/srvs/srvsvc/v3"
)

// sessionGuest is of a session without a user of its own ([MS-SRVS] 2.2.4.15, sesi1_user_flags).
const sessionGuest = 1

// seconds is a time span as these structures have it.
func seconds(since time.Time) uint32 { return uint32(max(0, time.Since(since)/time.Second)) }

// flags are the session's user flags.
func (s *Session) flags() uint32 {
	if s.Guest {
		return sessionGuest
	}
	return 0
}

// named says whether it is a session of a client and a user, where these are named; a client's name may begin with
// two backslashes.
func (s *Session) named(client, user string) bool {
	client = strings.TrimPrefix(client, `\\`)
	return (client == "" || strings.EqualFold(s.Client, client)) && (user == "" || strings.EqualFold(s.User, user))
}

func session0(s *Session) *srvsvc.SessionInfo0 {
	return &srvsvc.SessionInfo0{ClientName: text(s.Client)}
}

func session1(s *Session) *srvsvc.SessionInfo1 {
	return &srvsvc.SessionInfo1{
		ClientName: text(s.Client), UserName: text(s.User), NumOpens: s.Opens, Time: seconds(s.Since), IdleTime: seconds(s.Used), UserFlags: s.flags(),
	}
}

func session2(s *Session) *srvsvc.SessionInfo2 {
	return &srvsvc.SessionInfo2{
		ClientName: text(s.Client), UserName: text(s.User), NumOpens: s.Opens, Time: seconds(s.Since), IdleTime: seconds(s.Used), UserFlags: s.flags(),
		ClientTypeName: text(s.Dialect),
	}
}

func session10(s *Session) *srvsvc.SessionInfo10 {
	return &srvsvc.SessionInfo10{ClientName: text(s.Client), UserName: text(s.User), Time: seconds(s.Since), IdleTime: seconds(s.Used)}
}

func session502(s *Session) *srvsvc.SessionInfo502 {
	return &srvsvc.SessionInfo502{
		ClientName: text(s.Client), UserName: text(s.User), NumOpens: s.Opens, Time: seconds(s.Since), IdleTime: seconds(s.Used), UserFlags: s.flags(),
		ClientTypeName: text(s.Dialect), Transport: text("SMB2"),
	}
}

// sessions are those of a client and a user, where these are named.
func (s *srvsvcServer) sessions(client, user string) []Session {
	var list []Session
	for _, x := range s.cluster.Sessions() {
		if x.named(client, user) {
			list = append(list, x)
		}
	}
	return list
}

// SessionEnum is NetrSessionEnum ([MS-SRVS] 3.1.4.5), for administrators.
func (s *srvsvcServer) SessionEnum(_ context.Context, q *srvsvc.SessionEnumRequest) (*srvsvc.SessionEnumResponse, error) {
	r := &srvsvc.SessionEnumResponse{Info: q.Info}
	var list []Session
	switch all := s.sessions(q.ClientName, q.UserName); {
	case !s.caller.Admin:
		r.Return = errorAccessDenied
	case q.ClientName != "" && len(all) == 0:
		r.Return = nerrClientNotFound
	default:
		list, r.Resume, r.Return = page(all, q.Resume, q.PreferredMaximumLength, 256)
		r.TotalEntries = uint32(len(all))
	}
	n := uint32(len(list))
	u := &srvsvc.SessionEnumUnion{}
	switch q.Info.Level {
	case 0:
		u.Value = &srvsvc.SessionEnumUnion_Level0{Level0: &srvsvc.SessionInfo0Container{EntriesRead: n, Buffer: each(list, session0)}}
	case 1:
		u.Value = &srvsvc.SessionEnumUnion_Level1{Level1: &srvsvc.SessionInfo1Container{EntriesRead: n, Buffer: each(list, session1)}}
	case 2:
		u.Value = &srvsvc.SessionEnumUnion_Level2{Level2: &srvsvc.SessionInfo2Container{EntriesRead: n, Buffer: each(list, session2)}}
	case 10:
		u.Value = &srvsvc.SessionEnumUnion_Level10{Level10: &srvsvc.SessionInfo10Container{EntriesRead: n, Buffer: each(list, session10)}}
	case 502:
		u.Value = &srvsvc.SessionEnumUnion_Level502{Level502: &srvsvc.SessionInfo502Container{EntriesRead: n, Buffer: each(list, session502)}}
	}
	r.Info.SessionInfo = u
	return r, nil
}

// SessionDelete is NetrSessionDel ([MS-SRVS] 3.1.4.6), for administrators.
func (s *srvsvcServer) SessionDelete(_ context.Context, q *srvsvc.SessionDeleteRequest) (*srvsvc.SessionDeleteResponse, error) {
	if !s.caller.Admin {
		return &srvsvc.SessionDeleteResponse{Return: errorAccessDenied}, nil
	}
	if q.ClientName == "" && q.UserName == "" {
		return &srvsvc.SessionDeleteResponse{Return: errorInvalidParam}, nil
	}
	list := s.sessions(q.ClientName, q.UserName)
	if len(list) == 0 {
		return &srvsvc.SessionDeleteResponse{Return: nerrClientNotFound}, nil
	}
	for i := range list {
		s.cluster.CloseSession(list[i].ID)
	}
	return &srvsvc.SessionDeleteResponse{}, nil
}

func connection0(c *Connection) *srvsvc.ConnectionInfo0 {
	return &srvsvc.ConnectionInfo0{Coni0ID: c.ID}
}

func connection1(c *Connection) *srvsvc.ConnectionInfo1 {
	kind := uint32(shareDisk)
	if c.Pipes {
		kind = sharePipes
	}
	return &srvsvc.ConnectionInfo1{
		ID: c.ID, Type: kind, NumOpens: c.Opens, NumUsers: 1, Time: seconds(c.Since), UserName: text(c.User), NetworkName: text(c.Share),
	}
}

// ConnectionEnum is NetrConnectionEnum ([MS-SRVS] 3.1.4.1), for administrators: those of a share, or of a client.
func (s *srvsvcServer) ConnectionEnum(_ context.Context, q *srvsvc.ConnectionEnumRequest) (*srvsvc.ConnectionEnumResponse, error) {
	r := &srvsvc.ConnectionEnumResponse{Info: q.Info}
	var list []Connection
	if !s.caller.Admin {
		r.Return = errorAccessDenied
	} else {
		var all []Connection
		client, byClient := strings.CutPrefix(q.Qualifier, `\\`)
		for _, c := range s.cluster.Connections() {
			if byClient && strings.EqualFold(c.Client, client) || !byClient && (q.Qualifier == "" || strings.EqualFold(c.Share, q.Qualifier)) {
				all = append(all, c)
			}
		}
		list, r.Resume, r.Return = page(all, q.Resume, q.PreferredMaximumLength, 128)
		r.TotalEntries = uint32(len(all))
	}
	n := uint32(len(list))
	u := &srvsvc.ConnectEnumUnion{}
	if q.Info.Level == 0 {
		u.Value = &srvsvc.ConnectEnumUnion_Level0{Level0: &srvsvc.ConnectInfo0Container{EntriesRead: n, Buffer: each(list, connection0)}}
	} else {
		u.Value = &srvsvc.ConnectEnumUnion_Level1{Level1: &srvsvc.ConnectInfo1Container{EntriesRead: n, Buffer: each(list, connection1)}}
	}
	r.Info.ConnectInfo = u
	return r, nil
}
