package core

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"smbproxy/internal/smb2"
)

func leaseState(s uint8) smb2.LeaseState { return smb2.LeaseState(s) }

// do answers one line of a script.
func (m *model) do(line string) []string {
	m.out = nil
	w := parse(m.t, line)
	s := m.command(w)
	m.settle()
	return append([]string{s}, m.out...)
}

func (m *model) command(w *words) string {
	switch w.arg(0) {
	case "open":
		return m.openLine(w)
	case "ack":
		return m.ack(w)
	case "unlinked":
		return m.unlinked(w.arg(1), w.arg(2) == "ok")
	case "logoff":
		return m.logoff(w.arg(1))
	case "cancel":
		return m.cancel(w.arg(1))
	case "after":
		return m.after()
	}
	o := m.find(w.arg(1))
	if o == nil {
		return "file_closed"
	}
	switch w.arg(0) {
	case "close":
		return "ok" + m.close(o)
	case "write":
		m.contend(o.file, o.lease, o.name, 0, true, false, true)
		return "ok"
	case "disposition":
		if w.arg(2) == "keep" {
			m.pending[o.file] = false
			return "ok"
		}
		return m.run(w.kv["as"], o.file, "", func(first bool) (string, bool) {
			if m.find(o.name) == nil {
				return "file_closed", true
			}
			if m.pending[o.file] {
				return "ok", true
			}
			if m.contend(o.file, o.lease, o.name, cacheH, false, false, first) {
				return "", false
			}
			m.pending[o.file], m.deleter[o.file] = true, o.name
			return "ok", true
		})
	}
	return m.lockLine(w, o)
}

func (m *model) openLine(w *words) string {
	key, state, _ := strings.Cut(w.kv["lease"], ":")
	o := &mOpen{name: w.arg(1), file: w.arg(2), client: w.kv["by"], access: w.kv["access"], share: w.kv["share"], doc: w.has(3, "doc")}
	return m.run(o.name, o.file, o.client, func(first bool) (string, bool) {
		return m.open(o, w.kv["oplock"], key, state, w.has(3, "overwrite"), first)
	})
}

func (m *model) lockLine(w *words, o *mOpen) string {
	var n mLock
	if w.arg(0) == "lock" || w.arg(0) == "unlock" {
		off, length, _ := strings.Cut(w.arg(2), "+")
		n = mLock{open: o, off: w.num(off), excl: strings.HasSuffix(length, "x")}
		n.end = n.off + w.num(strings.TrimRight(length, "xs"))
	} else {
		n = mLock{open: o, off: w.num(w.arg(2)), end: w.num(w.arg(2)) + w.num(w.arg(3))}
	}
	switch w.arg(0) {
	case "lock":
		m.contend(o.file, o.lease, o.name, 0, true, false, true)
		switch {
		case !m.locked(n):
			m.locks = append(m.locks, n)
			return "ok"
		case w.has(3, "wait"):
			m.queue = append(m.queue, mQueued{w.kv["as"], n})
			return "pending " + w.kv["as"]
		}
		return "lock_not_granted"
	case "unlock":
		for _, excl := range []bool{true, false} {
			for i, l := range m.locks {
				if l.open == o && l.off == n.off && l.end == n.end && l.excl == excl {
					m.locks = slices.Delete(m.locks, i, i+1)
					m.unlocked(o.file)
					return "ok"
				}
			}
		}
		return "range_not_locked"
	}
	write := w.arg(0) == "checkwrite"
	for _, l := range m.locks {
		if l.open.file != o.file || !l.overlap(n) || n.off == n.end {
			continue
		}
		if l.open == o && write && !l.excl || l.open != o && (l.excl || write) {
			return "file_lock_conflict"
		}
	}
	return "ok"
}

func (m *model) ack(w *words) string {
	if w.arg(1)[0] == 'h' {
		if m.find(w.arg(1)) == nil {
			return "file_closed"
		}
		for _, h := range m.holds {
			if !h.lease && h.name == w.arg(1) && h.breaking {
				h.state = oplockState(oplockWords[w.arg(2)]) & h.req
				h.breaking = false
				m.touch(h.file)
				return "ok " + oplockName(levelOf(h.state))
			}
		}
		return "invalid_oplock_protocol"
	}
	for _, h := range m.holds {
		if !h.lease || h.name != w.arg(1) || h.client != w.kv["by"] {
			continue
		}
		st := uint8(leaseWord(w.arg(2)))
		if !h.breaking {
			return "unsuccessful"
		}
		if st&^h.req != 0 {
			return "request_not_accepted"
		}
		h.state, h.breaking = st, false
		if st&^h.must != 0 {
			if st&(cacheW|cacheH) != 0 {
				h.breaking, h.req, h.deadline = true, h.must|st&cacheR, m.now.Add(35e9)
				m.breaks++
				h.seq = m.breaks
				m.tell(h, st, h.req, true)
			} else {
				h.state = 0
				m.tell(h, st, 0, false)
			}
		}
		m.touch(h.file)
		return "ok " + leaseName(leaseState(st))
	}
	return "object_name_not_found"
}

func (m *model) unlinked(file string, ok bool) string {
	if !m.unlinks[file] {
		return "invalid_parameter"
	}
	m.unlinks[file], m.pending[file] = false, false
	m.gone[file] = ok
	m.touch(file)
	return "ok"
}

func (m *model) logoff(client string) string {
	m.waits = slices.DeleteFunc(m.waits, func(w *mWait) bool {
		if w.client == client {
			m.emit("%s: cancelled", w.req)
		}
		return w.client == client
	})
	for i := len(m.opens) - 1; i >= 0; i-- {
		if o := m.opens[i]; o.client == client {
			s := m.close(o)
			m.emit("closed %s at %s by session%s", o.name, client, s)
		}
	}
	return "ok"
}

func (m *model) cancel(req string) string {
	stop := func(r string) bool {
		if r == req {
			m.emit("%s: cancelled", r)
		}
		return r == req
	}
	m.waits = slices.DeleteFunc(m.waits, func(w *mWait) bool { return stop(w.req) })
	m.queue = slices.DeleteFunc(m.queue, func(q mQueued) bool { return stop(q.req) })
	return "ok"
}

func (m *model) after() string {
	m.now = m.now.Add(20e9)
	list := slices.Clone(m.holds)
	slices.SortFunc(list, func(a, b *mHold) int { return a.seq - b.seq })
	for _, h := range list {
		if h.breaking && h.deadline <= m.now {
			h.breaking, h.state = false, 0
			m.touch(h.file)
		}
	}
	return "ok"
}

// generator draws lines that are likely to mean something.
type generator struct {
	t    *rapid.T
	last int
}

func newGenerator(t *rapid.T) *generator { return &generator{t: t} }

func (g *generator) pick(label string, words ...string) string {
	return rapid.SampledFrom(words).Draw(g.t, label)
}

func (g *generator) open(m *model) string {
	if len(m.opens) == 0 {
		return "h1"
	}
	return rapid.SampledFrom(m.opens).Draw(g.t, "open").name
}

func (g *generator) line(m *model) string {
	file, client := g.pick("file", "f", "f", "f", "g"), g.pick("client", "c1", "c2", "c3")
	switch g.pick("command", "open", "open", "open", "open", "close", "ack", "ack", "ack", "write", "lock", "lock", "unlock", "io", "disposition", "unlinked", "logoff", "cancel", "after") {
	case "open":
		g.last++
		line := fmt.Sprintf("open h%d %s by=%s access=%s share=%s", g.last, file, client,
			g.pick("access", "rw", "rw", "r", "w", "rwd", "d", "s", "c"), g.pick("share", "rwd", "rwd", "rwd", "rw", "r", "", "d"))
		switch g.pick("caching", "none", "oplock", "lease", "lease") {
		case "oplock":
			line += " oplock=" + g.pick("oplock", "II", "exclusive", "batch", "batch")
		case "lease":
			line += fmt.Sprintf(" lease=k%s%s:%s epoch=0", client, g.pick("key", file, file, file, "x"), g.pick("state", "R", "RH", "RW", "RHW", "RHW", "", "HW"))
		}
		return line + g.pick("how", "", "", "", " overwrite", " doc")
	case "ack":
		var busy []*mHold
		for _, h := range m.holds {
			if h.breaking {
				busy = append(busy, h)
			}
		}
		if len(busy) == 0 {
			return fmt.Sprintf("ack k%s%s %s by=%s", client, file, g.pick("to", "R", "none"), client)
		}
		h := rapid.SampledFrom(busy).Draw(g.t, "breaking")
		if !h.lease {
			return fmt.Sprintf("ack %s %s", h.name, g.pick("to", "II", "none"))
		}
		return fmt.Sprintf("ack %s %s by=%s", h.name, g.pick("to", leaseName(leaseState(h.req)), leaseName(leaseState(h.req)), "none", "RHW"), h.client)
	case "write":
		return "write " + g.open(m)
	case "lock":
		g.last++
		return fmt.Sprintf("lock %s %s%s as=r%d", g.open(m), g.rng(), g.pick("how", "x", "s", "x wait", "s wait"), g.last)
	case "unlock":
		if len(m.locks) > 0 {
			l := rapid.SampledFrom(m.locks).Draw(g.t, "lock")
			return fmt.Sprintf("unlock %s %d+%d", l.open.name, l.off, l.end-l.off)
		}
		return "unlock " + g.open(m) + " " + g.rng()
	case "io":
		return fmt.Sprintf("%s %s %s", g.pick("io", "read", "checkwrite"), g.open(m), strings.ReplaceAll(g.rng(), "+", " "))
	case "disposition":
		g.last++
		return fmt.Sprintf("disposition %s %s as=d%d", g.open(m), g.pick("to", "delete", "keep"), g.last)
	case "unlinked":
		return fmt.Sprintf("unlinked %s %s", file, g.pick("how", "ok", "failed"))
	case "logoff":
		return "logoff " + client
	case "cancel":
		if len(m.waits) > 0 {
			return "cancel " + rapid.SampledFrom(m.waits).Draw(g.t, "waiting").req
		}
		return fmt.Sprintf("cancel r%d", g.last)
	case "after":
		return "after 20s"
	}
	return "close " + g.open(m)
}

func (g *generator) rng() string {
	off := rapid.IntRange(0, 6).Draw(g.t, "offset")
	return fmt.Sprintf("%d+%d", off, rapid.IntRange(1, 4).Draw(g.t, "length"))
}
