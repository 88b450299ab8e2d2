package backend

import (
	"errors"
	"fmt"
	"log/slog"
	"syscall"
	"time"

	"smbproxy/internal/ntstatus"
)

// State is what may be asked of a backend.
//
//	                 no sign of life for SuspectAfter,
//	                 a connection cannot be made
//	            Up ────────────────────────────────────> Suspect
//	             ▲ <──────────── sign of life ──────────── │
//	             │                                         │ no sign of life for DownAfter
//	probe answers│      refused, and no lane is left       ▼
//	             ├──────────────── Up ─────────────────> Down
//	             │                                         │ nothing that was in flight there
//	             └───────────────────────────────────── Fenced  can be executed any more
//
//	Draining: enabled no more, clients are still there. Disabled: nobody is, or may be.
//
// A sign of life is any reply on any lane, or a NEGOTIATE on a fresh connection: a
// request that is stuck in the file system does not make its backend Suspect.
type State uint8

// The states of a backend. Draining and Disabled are the admin's; a backend that
// is Draining and fails is shown as Down.
const (
	StateUp State = iota
	StateSuspect
	StateDown
	StateFenced
	StateDraining
	StateDisabled
)

// stateNames are the words of "smbproxy backends".
var stateNames = [...]string{"up", "suspect", "down", "fenced", "draining", "disabled"}

// String is the word of "smbproxy backends".
func (s State) String() string { return stateNames[s] }

// Usable tells whether new opens may go there.
func (s State) Usable() bool { return s <= StateSuspect }

// Event is one change of a backend's state.
type Event struct {
	Pool     *Pool
	Backend  string
	From, To State
	Reason   error // of Suspect and Down
	Time     time.Time
}

// vital is the health of a backend, apart from what the admin wants. Guarded by
// Pool.mu.
type vital struct {
	state  State // Up, Suspect, Down or Fenced
	admin  State // Up (enabled), Draining or Disabled
	shown  State // what the last Event said
	since  time.Time
	reason error // of state

	alive   int64 // last sign of life, by Pool.now
	fell    int64 // when it went Down
	dialErr error // of the last attempt to connect, nil if it succeeded
	failing int64 // since when attempts to connect fail, 0: they do not
	probing int64 // since when a probe dials, 0: none does
	probeAt int64 // when the next one may
	urgent  bool  // a lane was lost: probe now
}

// sight is what the watcher sees of the lanes in one look.
type sight struct {
	lanes int   // that are connected
	heard bool  // something was received since the last look
	asked int64 // since when the oldest request waits for its reply, 0: none does
	lost  int   // sessions that have to be fenced
}

// refused tells that the backend's host answers and nobody listens there.
func (v *vital) refused() bool { return errors.Is(v.dialErr, syscall.ECONNREFUSED) }

// silence is how long the backend owes us any sign of life.
func (v *vital) silence(now int64, s sight) time.Duration {
	asked := s.asked
	earlier := func(at int64) {
		if at != 0 && (asked == 0 || at < asked) {
			asked = at
		}
	}
	earlier(v.probing)
	if s.lanes == 0 {
		earlier(v.failing)
	}
	if asked == 0 {
		return 0
	}
	return time.Duration(now - max(asked, v.alive))
}

// step draws the conclusions: the next state, and why.
func (v *vital) step(now int64, s sight, cfg *Config) (State, error) {
	if v.state == StateDown || v.state == StateFenced {
		switch {
		case v.alive > v.fell:
			return StateUp, nil
		case s.lost == 0:
			return StateFenced, v.reason
		}
		return StateDown, v.reason
	}
	silence := v.silence(now, s)
	switch {
	case s.lanes == 0 && v.refused():
		return StateDown, v.dialErr
	case silence > cfg.DownAfter:
		return StateDown, v.silent(cfg.DownAfter)
	case silence > cfg.SuspectAfter:
		return StateSuspect, v.silent(cfg.SuspectAfter)
	case v.dialErr != nil:
		return StateSuspect, v.dialErr
	}
	return StateUp, nil
}

// silent is the reason of a state that comes from silence.
func (v *vital) silent(limit time.Duration) error {
	if v.dialErr != nil {
		return fmt.Errorf("%w for %v: %w", errSilent, limit, v.dialErr)
	}
	return fmt.Errorf("%w for %v", errSilent, limit)
}

// errSilent says that a backend does not answer.
var errSilent = errors.New("no sign of life")

// show is what is told of the backend.
func (v *vital) show() State {
	switch {
	case v.admin == StateDisabled:
		return StateDisabled
	case v.state == StateDown || v.state == StateFenced:
		return v.state
	case v.admin == StateDraining:
		return StateDraining
	}
	return v.state
}

// State is the backend's state now.
func (p *Pool) State() State { return State(p.shown.Load()) }

// Subscribe has fn told every later change of State, once and in order, by a
// goroutine of Run, which fn must not keep for long. It is called with no lock held.
func (p *Pool) Subscribe(fn func(Event)) (stop func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nextSub++
	id := p.nextSub
	p.subs[id] = fn
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.subs, id)
	}
}

// stir has the watcher look at once.
func (p *Pool) stir() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// dialed notes how an attempt to connect went that began then.
func (p *Pool) dialed(began int64, err error) {
	p.mu.Lock()
	v := &p.vital
	v.dialErr = err
	switch {
	case err == nil:
		v.alive, v.failing = p.now(), 0
		p.down = outage{}
	case v.failing == 0:
		v.failing = began
	}
	p.mu.Unlock()
	p.stir()
}

// watch looks at the lanes and does what follows: a change of state, the end of
// the lanes of a backend that is down, probes, fencing. Only Run calls it.
func (p *Pool) watch() {
	conns := p.connections()
	s := sight{lanes: len(conns)}
	for _, cn := range conns {
		asked, heard := cn.tick(p.now())
		s.heard = s.heard || heard
		if asked != 0 && (s.asked == 0 || asked < s.asked) {
			s.asked = asked
		}
	}
	p.mu.Lock()
	var gone []OldSession
	if s.lanes == 0 && p.vital.refused() {
		gone = p.goneLocked()
	}
	over := p.judgeLocked(p.now(), s)
	ev, subs := p.announceLocked()
	p.mu.Unlock()
	if over != nil {
		for _, cn := range conns {
			cn.kill(over)
		}
	}
	p.forgetSessions(gone)
	if ev != nil {
		p.logState(*ev)
		for _, fn := range subs {
			fn(*ev)
		}
	}
	p.probeIfDue(conns, s)
	p.fenceIfDue()
}

// judgeLocked moves the state on. An error is why all lanes have to end.
func (p *Pool) judgeLocked(now int64, s sight) (over error) {
	v := &p.vital
	if s.heard && v.state < StateDown {
		v.alive = now
	}
	s.lost = len(p.lost)
	state, reason := v.step(now, s, &p.cfg)
	switch {
	case state == StateDown && v.state < StateDown:
		v.fell = now
		over = fmt.Errorf("backend %q at %s cannot be reached: %w: %w", p.cfg.Name, p.cfg.Address, ntstatus.UnexpectedNetworkError, reason)
		p.down = outage{err: over, backoff: backoffMin, retryAt: now + int64(backoffMin)}
		if v.refused() {
			p.down.retryAt = now
		}
	case state < StateDown && v.state >= StateDown:
		p.down = outage{}
	}
	v.state, v.reason = state, reason
	if v.admin == StateDraining && len(p.clients) == 0 {
		v.admin = StateDisabled
	}
	if v.admin == StateDisabled {
		over = errDisabled
	}
	return over
}

// announceLocked makes the Event of a change, if there is one, and finds who is
// to be told.
func (p *Pool) announceLocked() (*Event, []func(Event)) {
	v := &p.vital
	to := v.show()
	if to == v.shown {
		return nil, nil
	}
	ev := &Event{Pool: p, Backend: p.cfg.Name, From: v.shown, To: to, Time: time.Now()}
	if to == StateSuspect || to == StateDown || to == StateFenced {
		ev.Reason = v.reason
	}
	v.shown, v.since = to, ev.Time
	p.shown.Store(uint32(to))
	subs := make([]func(Event), 0, len(p.subs))
	for _, fn := range p.subs {
		subs = append(subs, fn)
	}
	return ev, subs
}

// logState says once that the state has changed.
func (p *Pool) logState(ev Event) {
	level := slog.LevelInfo
	switch ev.To {
	case StateSuspect:
		level = slog.LevelWarn
	case StateDown:
		level = slog.LevelError
	default:
	}
	attrs := []any{slog.String("state", ev.To.String()), slog.String("was", ev.From.String()), slog.String("address", p.cfg.Address)}
	if ev.Reason != nil {
		attrs = append(attrs, slog.Any("reason", ev.Reason))
	}
	p.log.Log(p.life, level, "backend has changed its state", attrs...)
}
