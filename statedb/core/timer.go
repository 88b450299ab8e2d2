package core

// timed is anything with a deadline. A heap entry is stale, and skipped, when it no
// longer names the thing's deadline: so a deadline is changed by setting it.
type timed interface {
	due() Instant
	expire(s *State, now Instant)
}

// timer is one heap entry.
type timer struct {
	at  Instant
	seq uint64 // of equal times the earlier entry first
	t   timed
}

// before orders entries.
func (a timer) before(b timer) bool { return a.at < b.at || a.at == b.at && a.seq < b.seq }

// timerHeap is a binary heap by time.
type timerHeap []timer

// at asks for x to be looked at when its deadline has come.
func (s *State) at(x timed) {
	s.timed++
	s.timers.push(timer{x.due(), s.timed, x})
}

// push adds an entry.
func (h *timerHeap) push(e timer) {
	*h = append(*h, e)
	a := *h
	for i := len(a) - 1; i > 0; {
		p := (i - 1) / 2
		if a[p].before(a[i]) {
			break
		}
		a[p], a[i] = a[i], a[p]
		i = p
	}
}

// pop removes the earliest entry.
func (h *timerHeap) pop() timer {
	a := *h
	top, last := a[0], len(a)-1
	a[0] = a[last]
	a[last] = timer{}
	a = a[:last]
	*h = a
	for i := 0; ; {
		c := 2*i + 1
		if c >= last {
			break
		}
		if c+1 < last && a[c+1].before(a[c]) {
			c++
		}
		if a[i].before(a[c]) {
			break
		}
		a[i], a[c] = a[c], a[i]
		i = c
	}
	return top
}

// settle drops stale entries from the top.
func (h *timerHeap) settle() {
	for len(*h) > 0 && (*h)[0].t.due() != (*h)[0].at {
		h.pop()
	}
}

// Tick does what is due: breaks nobody acknowledged, durable handles nobody came back for.
type Tick struct{}

func (*Tick) apply(s *State, now Instant) Result {
	for {
		s.timers.settle()
		if len(s.timers) == 0 || s.timers[0].at > now {
			return Result{}
		}
		s.timers.pop().t.expire(s, now)
	}
}
