package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"smbproxy/demux"
	"smbproxy/statedb/core"
)

// close closes what an admin names (adminSource): a session or an open by its id, or a file by
// SHARE/PATH, with every open of it, through whatever share or name. Clients find out when they next
// use what is gone: USER_SESSION_DELETED, FILE_CLOSED.
func (n *node) close(what string) closeReply {
	reply := n.closeNamed(what)
	for _, s := range reply.Sessions {
		n.log.Info("session closed by an admin", "session", s.ID, "user", s.User, "client", s.Client)
	}
	for _, o := range reply.Opens {
		n.log.Info("open closed by an admin", "open", o.ID, "user", o.User, "client", o.Client, "share", o.Share)
	}
	return reply
}

// closeNamed is close without its log.
func (n *node) closeNamed(what string) (reply closeReply) {
	if !strings.ContainsAny(what, `\/`) {
		hex, ok := strings.CutPrefix(strings.ToLower(what), "0x")
		id, err := strconv.ParseUint(hex, 16, 64)
		if !ok || err != nil {
			reply.Fault = fmt.Sprintf(`%q is neither an id as "sessions" and "opens" show it (0x...) nor a file (SHARE/PATH)`, what)
			return reply
		}
		return n.closeID(id)
	}
	opens := n.demux.Opens()
	matches, fault := n.opensOf(opens, what)
	if fault != "" {
		return closeReply{Fault: fault}
	}
	for _, o := range matches {
		if n.demux.CloseOpen(o.FileID) {
			reply.Opens = append(reply.Opens, newOpenRow(&o))
		}
	}
	if len(reply.Opens) == 0 {
		reply.Fault = fmt.Sprintf("nobody has %s open any more", what)
	}
	return reply
}

// closeID closes a session or an open.
func (n *node) closeID(id uint64) (reply closeReply) {
	sessions, opens := n.sessionRows(), n.demux.Opens()
	session := slices.IndexFunc(sessions, func(s sessionRow) bool { return s.ID == hexID(id) })
	open := slices.IndexFunc(opens, func(o demux.Open) bool { return o.FileID == id })
	switch {
	case session >= 0 && open >= 0:
		reply.Fault = fmt.Sprintf("%s is a session and an open: name the file (SHARE/PATH) instead", hexID(id))
	case session >= 0 && (n.demux.CloseSession(id) || n.sessions.CloseSession(id)):
		reply.Sessions = append(reply.Sessions, sessions[session])
	case open >= 0 && n.demux.CloseOpen(id):
		reply.Opens = append(reply.Opens, newOpenRow(&opens[open]))
	default:
		reply.Fault = fmt.Sprintf("there is no session and no open %s", hexID(id))
	}
	return reply
}

// opensOf finds the opens of a file: all with the identity of those that have the name. A name
// without a stream is the file with all its streams.
func (n *node) opensOf(opens []demux.Open, what string) (list []demux.Open, fault string) {
	name := strings.ReplaceAll(what, "/", `\`)
	if unc, ok := strings.CutPrefix(name, `\\`); ok { // \\server\share\path
		_, name, _ = strings.Cut(unc, `\`)
	}
	share, path, _ := strings.Cut(strings.TrimPrefix(name, `\`), `\`)
	path = strings.TrimSuffix(path, `\`)
	if !n.demux.HasShare(share) {
		return nil, fmt.Sprintf("there is no share %q", share)
	}
	base, stream, streamOnly := strings.Cut(path, ":")
	type file struct {
		key    core.FileKey
		stream string
	}
	files := map[file]bool{}
	for i := range opens {
		o := &opens[i]
		have, haveStream, _ := strings.Cut(o.Path, ":")
		if !strings.EqualFold(o.Share, share) || !strings.EqualFold(have, base) || streamOnly && !strings.EqualFold(haveStream, stream) {
			continue
		}
		switch {
		case o.State == nil:
			list = append(list, *o)
		case streamOnly:
			files[file{o.State.File, o.State.Stream}] = true
		default:
			files[file{key: o.State.File}] = true
		}
	}
	for i := range opens {
		o := &opens[i]
		if o.State == nil {
			continue
		}
		f := file{key: o.State.File}
		if streamOnly {
			f.stream = o.State.Stream
		}
		if files[f] {
			list = append(list, *o)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Sprintf(`nobody has %q open in share %s`, path, share)
	}
	return list, ""
}
