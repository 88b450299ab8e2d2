package core

import (
	"sync/atomic"
	"time"

	"smbproxy/internal/smb2"
)

// Config holds the shard's settings. The zero value is made usable by New.
type Config struct {
	BreakTimeout    time.Duration // for an acknowledgement, 35 s ([MS-SMB2] 3.3.2.1, 3.3.2.5)
	DurableTimeout  time.Duration // of a v1 durable handle, 16 min ([MS-SMB2] 3.3.5.9.6, Samba)
	DurableDefault  time.Duration // of a v2 one that asks for 0, 60 s
	DurableMax      time.Duration // of a v2 one, 300 s
	ResilientMax    time.Duration // of a resilient one, 300 s ([MS-SMB2] 3.3.5.15.9)
	NotifyMaxEvents int           // buffered per watched directory before it counts as overflown
}

// State is the shard. Fields are plain data; only Apply changes them.
type State struct {
	cfg      Config
	opens    map[OpenID]*open
	files    map[FileKey]*file
	nodes    map[Name]*node
	leases   map[LeaseID]*lease
	sessions map[SessionID]*session
	creates  map[createID]*create
	reserved map[RequestID]*create // creates whose open is still to come
	waiting  map[RequestID]*waiter
	timers   timerHeap
	timed    uint64  // entries pushed so far
	dirty    []*file // their waiters must be looked at before Apply ends
	effects  []Effect
	purges   int           // opens closed by conflict so far: what was looked up before may be gone
	scratch  []*lease      // contend's copy of a list, empty between commands
	watches  int           // opens that watch, to make a change cheap when nobody does
	audience atomic.Uint64 // see Concerned
	apps     map[GUID][]*open
}

// New returns an empty shard.
func New(cfg Config) *State {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&cfg.BreakTimeout, 35*time.Second)
	def(&cfg.DurableTimeout, 16*time.Minute)
	def(&cfg.DurableDefault, 60*time.Second)
	def(&cfg.DurableMax, 300*time.Second)
	def(&cfg.ResilientMax, 300*time.Second)
	if cfg.NotifyMaxEvents == 0 {
		cfg.NotifyMaxEvents = 1000
	}
	return &State{
		cfg:      cfg,
		opens:    map[OpenID]*open{},
		files:    map[FileKey]*file{},
		nodes:    map[Name]*node{},
		leases:   map[LeaseID]*lease{},
		sessions: map[SessionID]*session{},
		creates:  map[createID]*create{},
		reserved: map[RequestID]*create{},
		waiting:  map[RequestID]*waiter{},
		apps:     map[GUID][]*open{},
	}
}

// Command is one of this package's command types, by pointer so that callers can reuse
// them.
type Command interface {
	apply(s *State, now Instant) Result
}

// Apply carries out one command. The effects are valid until the next Apply.
func (s *State) Apply(now Instant, c Command) (Result, []Effect) {
	clear(s.effects)
	s.effects = s.effects[:0]
	r := c.apply(s, now)
	for len(s.dirty) > 0 {
		f := s.dirty[0]
		s.dirty = s.dirty[1:]
		f.dirty = false
		s.wake(now, f)
	}
	return r, s.effects
}

// Next returns when Tick has work to do, 0 if nothing has a deadline.
func (s *State) Next() Instant {
	s.timers.settle()
	if len(s.timers) == 0 {
		return 0
	}
	return s.timers[0].at
}

// emit adds an effect.
func (s *State) emit(e Effect) { s.effects = append(s.effects, e) }

// session is whom opens belong to.
type session struct {
	id     SessionID
	client GUID
	user   string
	opens  *open // list by sessNext
	count  int
}

// sessionOf finds or makes the session of an open.
func (s *State) sessionOf(id SessionID, client GUID, user string) *session {
	ss := s.sessions[id]
	if ss == nil {
		ss = &session{id: id, client: client, user: user}
		s.sessions[id] = ss
	}
	return ss
}

// join puts an open on the session's list.
func (ss *session) join(o *open) {
	o.session = ss
	o.sessNext, o.sessPrev = ss.opens, nil
	if ss.opens != nil {
		ss.opens.sessPrev = o
	}
	ss.opens = o
	ss.count++
}

// leave takes an open off the list and forgets a session without opens.
func (s *State) leave(o *open) {
	ss := o.session
	if ss == nil {
		return
	}
	if o.sessPrev != nil {
		o.sessPrev.sessNext = o.sessNext
	} else {
		ss.opens = o.sessNext
	}
	if o.sessNext != nil {
		o.sessNext.sessPrev = o.sessPrev
	}
	o.session, o.sessNext, o.sessPrev = nil, nil, nil
	if ss.count--; ss.count == 0 {
		delete(s.sessions, ss.id)
	}
}

// clientOf returns the ClientGuid an open was made by, also when it is disconnected.
func (o *open) clientOf() GUID {
	if o.session != nil {
		return o.session.client
	}
	if o.extra != nil && o.extra.durable != nil {
		return o.extra.durable.client
	}
	return smb2.GUID{}
}
