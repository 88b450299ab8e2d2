package session

import (
	"sync/atomic"
	"time"

	"smbproxy/internal/ntstatus"
)

// TreeConnect is a share in use by a session ([MS-SMB2] 3.3.1.9).
type TreeConnect struct {
	ID      uint32
	Share   string // as the configuration spells it
	Session *Session
	// Upper belongs to the layer above; it is set by AddTree's caller.
	Upper any
	// EncryptData: the share wants encryption of this client. Plain requests are refused.
	EncryptData bool

	born   time.Time
	closed atomic.Bool
}

// Closed tells whether the tree has been disconnected, or its session closed.
func (t *TreeConnect) Closed() bool { return t.closed.Load() }

// noTree is the TreeId that is never given out.
const noTree = 0xFFFFFFFF

// AddTree enters a tree connect and gives it its TreeId. The error is a Status: the session is closed or has too
// many. TREE_CONNECT then says SetTree before it replies.
func (s *Session) AddTree(share string, encryptData bool, upper any) (*TreeConnect, error) {
	t := &TreeConnect{Share: share, Session: s, Upper: upper, EncryptData: encryptData, born: s.cfg.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.trees == nil:
		return nil, ntstatus.UserSessionDeleted
	case len(s.trees) >= s.cfg.MaxTrees:
		return nil, ntstatus.InsufficientResources
	}
	for {
		s.lastTree++
		if s.lastTree == 0 || s.lastTree == noTree {
			continue
		}
		if _, taken := s.trees[s.lastTree]; !taken {
			break
		}
	}
	t.ID = s.lastTree
	s.trees[t.ID] = t
	return t, nil
}

// tree looks one up, or returns nil.
func (s *Session) tree(id uint32) *TreeConnect {
	s.mu.RLock()
	t := s.trees[id]
	s.mu.RUnlock()
	return t
}

// Trees lists the tree connects.
func (s *Session) Trees() []*TreeConnect {
	s.mu.RLock()
	defer s.mu.RUnlock()
	list := make([]*TreeConnect, 0, len(s.trees))
	for _, t := range s.trees {
		list = append(list, t)
	}
	return list
}

// CloseTree disconnects a tree, on whosever behalf: cancels its requests and tells Upper. Only the first call does
// anything.
func (s *Session) CloseTree(t *TreeConnect) {
	s.mu.Lock()
	there := s.trees[t.ID] == t
	if there {
		delete(s.trees, t.ID)
		t.closed.Store(true)
	}
	channels := s.channels
	s.mu.Unlock()
	if !there {
		return
	}
	for _, ch := range channels {
		ch.conn.cancelWhere(func(r *Request) bool { return r.onTree == t })
	}
	s.server.upper.TreeClosed(t)
}
