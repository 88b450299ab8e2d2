package session

import (
	"cmp"
	"slices"
	"time"
)

// SessionStatus is a line of the admin's list of sessions.
type SessionStatus struct {
	ID          uint64
	User        string
	Domain      string
	Guest       bool
	Anonymous   bool
	Client      string // address of the connection that made it
	Connections []uint64
	Dialect     string
	Signing     string
	Encryption  string // "none", or the cipher if every message is sealed
	Trees       int
	Since       time.Time
	Expires     time.Time // zero: never
}

// ConnectionStatus is a line of the admin's list of connections.
type ConnectionStatus struct {
	ID       uint64
	Client   string
	Local    string
	Dialect  string
	Sessions int
	Credits  int // held by the client
	Queued   int // bytes that the client has not taken
	Since    time.Time
}

// Sessions lists the authenticated sessions, the oldest first.
func (s *Server) Sessions() []SessionStatus {
	s.mu.Lock()
	all := make([]*Session, 0, len(s.sessions))
	for _, sess := range s.sessions {
		all = append(all, sess)
	}
	s.mu.Unlock()
	var list []SessionStatus
	for _, sess := range all {
		if sess.authenticated() {
			list = append(list, sess.Status())
		}
	}
	slices.SortFunc(list, func(a, b SessionStatus) int { return a.Since.Compare(b.Since) })
	return list
}

// Status describes the session.
func (s *Session) Status() SessionStatus {
	id := s.Identity()
	st := SessionStatus{
		ID: s.ID, User: id.User, Domain: id.Domain, Guest: id.Guest, Anonymous: id.Anonymous, Client: s.address,
		Dialect: s.dialect.String(), Signing: "none", Encryption: "none", Since: s.born, Expires: s.expiresAt(),
	}
	if s.signer != nil {
		st.Signing = s.signer.Algorithm().String()
	}
	if s.encryptData {
		st.Encryption = s.cipher.String()
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	st.Trees = len(s.trees)
	for _, ch := range s.channels {
		st.Connections = append(st.Connections, ch.conn.id)
	}
	return st
}

// Connections lists the connections, the oldest first. What is not negotiated yet has no dialect.
func (s *Server) Connections() []ConnectionStatus {
	var list []ConnectionStatus
	for _, c := range s.snapshot() {
		list = append(list, c.status())
	}
	slices.SortFunc(list, func(a, b ConnectionStatus) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// status describes the connection.
func (c *Connection) status() ConnectionStatus {
	st := ConnectionStatus{
		ID: c.id, Client: c.RemoteAddr().String(), Local: c.LocalAddr().String(), Credits: c.window.credits(),
		Queued: c.tc.Queued(), Since: c.born,
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	st.Sessions, st.Dialect = c.authenticated, c.shownDialect
	return st
}

// Close ends the session as LOGOFF does ([MS-SMB2] 3.3.5.6), on the admin's behalf.
func (s *Session) Close() { s.server.closeSession(s) }

// CloseSession is Session.Close by id; false: there is none of that id.
func (s *Server) CloseSession(id uint64) bool {
	sess := s.session(id)
	if sess == nil {
		return false
	}
	sess.Close()
	return true
}
