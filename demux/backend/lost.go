package backend

import (
	"errors"
	"io"
	"log/slog"
	"syscall"

	"smbproxy/internal/smb2"
)

// OldSession names a session of ours at a backend, so that it can be fenced when
// its lane is lost, by this process or the next.
type OldSession struct {
	User string // in the passwd entry's spelling
	ID   uint64 // SessionId
}

// SessionLog is told of sessions for as long as they could do something at a
// backend behind our back: what a restarted smbproxy has to fence (DESIGN 9).
type SessionLog interface {
	// Begun is called before the session's first request leaves and may block;
	// an error fails the Connect that needs the session.
	Begun(backend string, s OldSession) error
	// Ended is called when nothing of the session can be executed any more: it
	// was logged off, its lane ended with nothing under way, or it was fenced.
	Ended(backend string, s OldSession)
}

// LostError is what Complete is told of a call whose lane, session or share is
// lost. It wraps ntstatus.UnexpectedNetworkError.
type LostError struct {
	Backend string
	Lane    int
	Session OldSession // zero: the call had none
	// Sent says that the backend may have executed the request, or still may,
	// until the session is fenced. If it is false it never will.
	Sent  bool
	Cause error
}

// Error says what was lost, and why.
func (e *LostError) Error() string { return e.Cause.Error() }

// Unwrap gives the cause.
func (e *LostError) Unwrap() error { return e.Cause }

// lost makes the error of a call of the session, which may be nil.
func (cn *connection) lost(s *session, sent bool, cause error) *LostError {
	e := &LostError{Backend: cn.pool.cfg.Name, Lane: cn.lane, Sent: sent, Cause: cause}
	if s != nil {
		e.Session = s.old()
	}
	return e
}

// old names the session.
func (s *session) old() OldSession { return OldSession{User: s.user, ID: s.id} }

// minCreate is how long a CREATE is at least, [MS-SMB2] 2.2.13.
const minCreate = smb2.HeaderSize + 56

// changes tells whether a request may change something at the backend: then its
// session has to be fenced before anybody else does. CLOSE does, since it deletes
// files and sets times.
func changes(cmd smb2.Command, msg []byte, tc *treeConnect) bool {
	switch cmd {
	case smb2.CommandCreate:
		return len(msg) < minCreate || smb2.RawCreateChanges(msg)
	case smb2.CommandWrite, smb2.CommandSetInfo, smb2.CommandIoctl, smb2.CommandClose:
		return tc == nil || !tc.pipe()
	default:
		return false
	}
}

// sessionsOver sorts the sessions of a connection that has ended: those in
// changed had changes under way and are to be fenced, the others are over. gone
// says that smbd's process has ended it.
func (p *Pool) sessionsOver(all []*session, changed map[*session]bool, gone bool) (over []OldSession) {
	p.mu.Lock()
	for _, s := range all {
		if changed[s] {
			p.lost[s.old()] = gone
		} else {
			over = append(over, s.old())
		}
	}
	p.mu.Unlock()
	return over
}

// peerEnded tells from why a connection has ended that its other end closed it or
// died: the kernel there says so when the last thread of the process is gone.
func peerEnded(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// goneLocked takes out the sessions whose process is gone for good, once the host
// says that no smbd listens there any more. While one does, it is asked (fence.go):
// a process that closes its connections in order may still be writing.
func (p *Pool) goneLocked() (over []OldSession) {
	for s, gone := range p.lost {
		if gone {
			delete(p.lost, s)
			over = append(over, s)
		}
	}
	return over
}

// forgetSessions tells the log.
func (p *Pool) forgetSessions(over []OldSession) {
	if p.cfg.Sessions == nil {
		return
	}
	for _, s := range over {
		p.cfg.Sessions.Ended(p.cfg.Name, s)
	}
}

// Inherit adds sessions of a smbproxy that ran before this one to Lost: those that
// its SessionLog has no end of.
func (p *Pool) Inherit(sessions ...OldSession) {
	p.mu.Lock()
	for _, s := range sessions {
		p.lost[s] = false
	}
	p.mu.Unlock()
	p.stir()
}

// Lost is the sessions of lost lanes that had changes under way and are not
// fenced yet: until they are, nobody may change what they may have been changing.
func (p *Pool) Lost() []OldSession {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]OldSession, 0, len(p.lost))
	for s := range p.lost {
		all = append(all, s)
	}
	return all
}

// fenced notes that nothing of these sessions can happen any more.
func (p *Pool) fenced(how string, sessions []OldSession) {
	known := p.unfenced(sessions)
	p.mu.Lock()
	for _, s := range known {
		delete(p.lost, s)
	}
	p.mu.Unlock()
	if len(known) > 0 {
		p.log.Info("old sessions are fenced", slog.String("by", how), slog.Int("sessions", len(known)))
	}
	p.forgetSessions(known)
	p.stir()
}
