package demux

import (
	"time"

	"smbproxy/session"
)

// A break that nobody has acknowledged when the connection ends on which it was sent is sent again on another channel of
// the client, if it has one ([MS-SMB2] 3.3.4.6, 3.3.4.7: the server tries channel after channel).

// awaited is a notification whose acknowledgement is still to come.
type awaited struct {
	conn *session.Connection
	send func() *session.Connection
	sent time.Time
}

const (
	// breakPatience is for how long the state waits for an acknowledgement ([MS-SMB2] 3.3.2.1, 3.3.2.5).
	breakPatience = 35 * time.Second
	// manyAwaited is when those are looked for that will not be acknowledged any more.
	manyAwaited = 1000
)

// notify sends a notification; ack says that the client has to acknowledge it.
func (s *Sink) notify(key any, ack bool, send func() *session.Connection) {
	conn := send()
	if conn == nil || !ack {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.awaited == nil {
		s.awaited = map[any]awaited{}
	}
	if len(s.awaited) >= manyAwaited {
		for k, a := range s.awaited {
			if time.Since(a.sent) > breakPatience {
				delete(s.awaited, k)
			}
		}
	}
	s.awaited[key] = awaited{conn, send, time.Now()}
}

// acknowledged notes that the client has answered.
func (s *Sink) acknowledged(key any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.awaited, key)
}

// connectionClosed sends again what was sent on a connection that has ended.
func (s *Sink) connectionClosed(c *session.Connection) {
	again := map[any]awaited{}
	s.mu.Lock()
	for k, a := range s.awaited {
		if a.conn == c {
			delete(s.awaited, k)
			if time.Since(a.sent) < breakPatience {
				again[k] = a
			}
		}
	}
	s.mu.Unlock()
	for k, a := range again {
		s.notify(k, true, a.send)
	}
}
