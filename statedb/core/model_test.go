package core

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// model is the same rules without any of the core's sums, lists and indexes: slices that
// are walked, pair by pair. It answers in the words of the scripts, so a history that
// fails is printed as a script.
type model struct {
	t       *testing.T
	now     Instant
	opens   []*mOpen // oldest first
	holds   []*mHold
	pending map[string]bool // files that are delete-pending
	deleter map[string]string
	unlinks map[string]bool
	gone    map[string]bool
	waits   []*mWait
	locks   []mLock
	queue   []mQueued
	out     []string
	touched []string
	breaks  int
}

type mOpen struct {
	name, file, client string
	access             string
	share              string
	doc                bool
	lease              *mHold
}

// mHold is a lease or one open's oplock.
type mHold struct {
	name, file, client string
	lease              bool
	state, req, must   uint8
	breaking           bool
	epoch              int
	deadline           Instant
	seq                int // of breaks, in order
}

type mWait struct {
	req, file string
	client    string
	try       func(first bool) (string, bool)
}

type mLock struct {
	open     *mOpen
	off, end uint64 // end is behind the last byte
	excl     bool
}

type mQueued struct {
	req string
	mLock
}

func newModel(t *testing.T) *model {
	return &model{t: t, now: 1e9, pending: map[string]bool{}, deleter: map[string]string{}, unlinks: map[string]bool{}, gone: map[string]bool{}}
}

func (m *model) emit(f string, a ...any) { m.out = append(m.out, "! "+fmt.Sprintf(f, a...)) }

func (m *model) find(name string) *mOpen {
	for _, o := range m.opens {
		if o.name == name {
			return o
		}
	}
	return nil
}

func (m *model) on(file string) (list []*mOpen) {
	for _, o := range m.opens {
		if o.file == file {
			list = append(list, o)
		}
	}
	return list
}

func (o *mOpen) shares() bool { return strings.ContainsAny(o.access, "rwd") }

// clash is one pair of [MS-FSA] 2.1.5.1.2.2.
func clash(a, b *mOpen) bool {
	if !a.shares() || !b.shares() {
		return false
	}
	for _, c := range "rwd" {
		x := string(c)
		if strings.Contains(a.access, x) && !strings.Contains(b.share, x) || strings.Contains(b.access, x) && !strings.Contains(a.share, x) {
			return true
		}
	}
	return false
}

// contend mirrors the order of rights that go; by is the open whose own oplock it is.
func (m *model) contend(file string, own *mHold, by string, mask uint8, over, spare, first bool) (wait bool) {
	for _, h := range slices.Clone(m.holds) {
		if h.file != file || h.state == 0 && !h.breaking {
			continue
		}
		if h.lease && (spare || h == own) || !h.lease && h.name == by && (!over || h.state&cacheW != 0) {
			continue
		}
		to := h.state &^ mask
		if over {
			to &^= cacheH | cacheR
		}
		if h.state&^to == 0 {
			wait = wait || h.lease && h.breaking
			continue
		}
		if over {
			to &^= cacheW
		}
		was, before := h.state, h.breaking
		m.breakHold(h, to)
		if h.breaking && (was&mask != 0 || h.lease && before && !first) {
			wait = true
		}
	}
	return wait
}

func (m *model) breakHold(h *mHold, to uint8) {
	to &= h.state
	if !h.lease {
		to &= cacheR
	}
	if h.breaking {
		if h.lease {
			h.must &= to
		}
		return
	}
	was := h.state
	if h.lease {
		h.epoch++
	}
	ack := was&(cacheW|cacheH) != 0
	if ack {
		h.breaking, h.req, h.must, h.deadline = true, to, to, m.now.Add(35e9)
		m.breaks++
		h.seq = m.breaks
	} else {
		h.state = to
	}
	m.tell(h, was, to, ack)
}

func (m *model) tell(h *mHold, from, to uint8, ack bool) {
	s := ""
	if ack {
		s = " ack"
	}
	if h.lease {
		m.emit("break %s at %s %s to %s epoch %d%s", h.name, h.client, leaseName(leaseState(from)), leaseName(leaseState(to)), h.epoch, s)
		return
	}
	m.emit("break %s at %s to %s%s", h.name, h.client, oplockName(levelOf(to)), s)
}

// open decides an open; ok is false when it must wait.
func (m *model) open(o *mOpen, oplock, key, state string, over, first bool) (string, bool) {
	var own *mHold
	for _, h := range m.holds {
		if key != "" && h.lease && h.client == o.client && h.name == key {
			own = h
		}
	}
	if own != nil && own.file != o.file {
		return "invalid_parameter", true
	}
	if m.gone[o.file] {
		return "object_name_not_found retry", true
	}
	if m.unlinks[o.file] {
		return "", false
	}
	if m.pending[o.file] {
		return "delete_pending", true
	}
	others := m.on(o.file)
	bad := false
	for _, x := range others {
		bad = bad || clash(o, x)
	}
	full := o.access
	if over {
		full += "w"
	}
	if strings.ContainsAny(full, "rwdc") {
		mask := cacheW
		if bad {
			mask = cacheH
		}
		if m.contend(o.file, own, "", mask, over, !strings.ContainsAny(full, "rwd"), first) {
			return "", false
		}
	}
	if bad {
		return "sharing_violation", true
	}
	return m.grant(o, own, oplock, key, state, over, others), true
}

func (m *model) grant(o *mOpen, own *mHold, oplock, key, state string, over bool, others []*mOpen) string {
	locked, oplocks, handles := false, false, false
	for _, l := range m.locks {
		locked = locked || l.open.file == o.file
	}
	for _, h := range m.holds {
		if h.file == o.file {
			oplocks = oplocks || !h.lease && h.state != 0
			handles = handles || h.state&cacheH != 0
		}
	}
	m.opens = append(m.opens, o)
	if key == "" {
		h := &mHold{name: o.name, file: o.file, client: o.client, state: oplockState(oplockWords[oplock])}
		if !strings.ContainsAny(o.access, "rwdc") && !over || locked || handles {
			h.state = 0
		}
		if len(others) > 0 {
			h.state &= cacheR
		}
		m.holds = append(m.holds, h)
		return "ok " + oplockName((&holder{state: h.state}).level())
	}
	want := uint8(leaseWord(state))
	if want&cacheR == 0 {
		want = 0
	}
	got := want
	for _, x := range others {
		if (x.lease == nil || x.lease != own) && strings.ContainsAny(x.access, "rwd") {
			got &^= cacheW
		}
	}
	for _, h := range m.holds {
		if h.file == o.file && h != own && h.state != 0 {
			got &^= cacheW
		}
	}
	if oplocks {
		got &^= cacheH
	}
	if locked {
		got = 0
	}
	if own == nil {
		own = &mHold{name: key, file: o.file, client: o.client, lease: true, state: got, epoch: 1}
		m.holds = append(m.holds, own)
	} else if !own.breaking && own.state|want == want && got == want && got != own.state {
		own.state = got
		own.epoch++
	}
	o.lease = own
	s := fmt.Sprintf("ok lease %s:%s epoch %d", key, leaseName(leaseState(own.state)), own.epoch)
	if own.breaking {
		s += " breaking"
	}
	return s
}

// run tries a request now and later.
func (m *model) run(req, file, client string, try func(first bool) (string, bool)) string {
	if s, ok := try(true); ok {
		return s
	}
	m.waits = append(m.waits, &mWait{req, file, client, try})
	return "pending " + req
}

// settle tries those who wait for the files that were touched, once.
func (m *model) settle() {
	for len(m.touched) > 0 {
		f := m.touched[0]
		m.touched = m.touched[1:]
		list := m.waits
		m.waits = nil
		for _, w := range list {
			if w.file != f {
				m.waits = append(m.waits, w)
			} else if s, ok := w.try(false); !ok {
				m.waits = append(m.waits, w)
			} else {
				if s == "ok" || strings.HasPrefix(s, "ok ") && w.req[0] == 'h' {
					s = strings.TrimSuffix("ok "+w.req+s[2:], " ") // Complete names the open
					if w.req[0] != 'h' {
						s = "ok"
					}
				}
				m.emit("%s: %s", w.req, s)
			}
		}
		if m.gone[f] {
			delete(m.gone, f)
		}
	}
}

func (m *model) touch(f string) {
	if !slices.Contains(m.touched, f) {
		m.touched = append(m.touched, f)
	}
}

func (m *model) close(o *mOpen) string {
	m.locks = slices.DeleteFunc(m.locks, func(l mLock) bool { return l.open == o })
	m.queue = slices.DeleteFunc(m.queue, func(q mQueued) bool {
		if q.open == o {
			m.emit("%s: range_not_locked", q.req)
		}
		return q.open == o
	})
	m.unlocked(o.file)
	if o.doc && !m.pending[o.file] {
		m.pending[o.file], m.deleter[o.file] = true, o.name
		m.contend(o.file, o.lease, o.name, cacheH, false, false, true)
	}
	m.opens = slices.DeleteFunc(m.opens, func(x *mOpen) bool { return x == o })
	m.holds = slices.DeleteFunc(m.holds, func(h *mHold) bool {
		if !h.lease {
			return h.name == o.name
		}
		return h == o.lease && !slices.ContainsFunc(m.opens, func(x *mOpen) bool { return x.lease == h })
	})
	m.touch(o.file)
	if m.pending[o.file] && len(m.on(o.file)) == 0 {
		m.unlinks[o.file] = true
		return fmt.Sprintf(" delete %s by %s", o.file, m.deleter[o.file])
	}
	return ""
}

// overlap is [MS-FSA] 2.1.4.10 on ranges of at least one byte.
func (l mLock) overlap(x mLock) bool { return l.off < x.end && x.off < l.end }

func (m *model) locked(n mLock) bool {
	for _, l := range m.locks {
		if l.open.file != n.open.file || !l.overlap(n) || !l.excl && !n.excl || l.excl && !n.excl && l.open == n.open {
			continue
		}
		return true
	}
	return false
}

func (m *model) unlocked(file string) {
	var left []mQueued
	for _, q := range m.queue {
		if q.open.file != file || m.locked(q.mLock) {
			left = append(left, q)
			continue
		}
		m.locks = append(m.locks, q.mLock)
		m.emit("%s: ok", q.req)
	}
	m.queue = left
}

// compare brings answers into an order in which they can be compared: the result first.
func compare(lines []string) string {
	lines = slices.Clone(lines)
	sort.Strings(lines[1:])
	return strings.Join(lines, "\n")
}

// TestModel runs random histories against the model.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r, m, g := newRunner(), newModel(t), newGenerator(rt)
		var script []string
		for range rapid.IntRange(1, 60).Draw(rt, "length") {
			line := g.line(m)
			script = append(script, line)
			got, want := compare(r.do(t, line)), compare(m.do(line))
			if got != want {
				rt.Fatalf("script:\n%s\n\ncore:\n%s\n\nmodel:\n%s", strings.Join(script, "\n"), got, want)
			}
			if err := r.s.check(); err != nil {
				rt.Fatalf("script:\n%s\n\n%v", strings.Join(script, "\n"), err)
			}
		}
	})
}
