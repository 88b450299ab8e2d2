package core

import (
	"fmt"
	"strings"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// command makes the core's command of a line, and the name of its request.
func (r *runner) command(w *words) (Command, string) {
	switch w.arg(0) {
	case "open":
		return r.open(w), w.arg(1)
	case "begin":
		def := "b" + w.arg(1)
		ss, client := sessionWord(w, w.kv["by"])
		c := &Begin{Req: r.req(w, def), Session: ss, Client: client, Name: name(w.arg(1)), MayCreate: w.has(2, "create"), Replay: w.has(2, "replay")}
		if k, ok := w.kv["lease"]; ok {
			g := guid(k)
			c.Lease = &g
		}
		c.Create = guid(w.kv["guid"])
		return c, def
	case "end":
		def := "b" + w.arg(1)
		return &End{Req: r.req(w, def), Name: name(w.arg(1))}, def
	case "close":
		return &Close{Open: handle(w, w.arg(1)), Abandon: w.has(2, "abandon")}, ""
	case "ack":
		if !strings.HasPrefix(w.arg(1), "h") {
			_, client := sessionWord(w, w.kv["by"])
			def := "ack" + w.arg(1)
			return &AckLease{Req: r.req(w, def), Lease: LeaseID{client, guid(w.arg(1))}, State: leaseWord(w.arg(2))}, def
		}
		return &AckOplock{Open: handle(w, w.arg(1)), Level: oplockWords[w.arg(2)]}, ""
	case "after":
		d, err := time.ParseDuration(w.arg(1))
		if err != nil {
			w.t.Fatalf("%q: %v", w.line, err)
		}
		r.now = r.now.Add(d)
		return &Tick{}, ""
	case "cancel":
		return &Cancel{Req: r.req(w, w.arg(1))}, ""
	case "write":
		return &Contend{Open: handle(w, w.arg(1))}, ""
	case "disposition":
		def := "d" + w.arg(1)
		return &SetDisposition{Req: r.req(w, def), Open: handle(w, w.arg(1)), Delete: w.arg(2) == "delete"}, def
	case "unlinked":
		path, stream, _ := strings.Cut(w.arg(1), ":")
		c := &Unlinked{OK: w.arg(2) == "ok"}
		c.Deletion = Deletion{File: r.key(path), Stream: strings.ToLower(stream), Name: name(path)}
		return c, path
	}
	return r.more(w)
}

// more is command's other half.
func (r *runner) more(w *words) (Command, string) {
	switch w.arg(0) {
	case "lock", "unlock":
		return r.lock(w), "l" + w.arg(1)
	case "read", "checkwrite":
		return &CheckIO{Open: handle(w, w.arg(1)), Offset: w.num(w.arg(2)), Length: w.num(w.arg(3)), Write: w.arg(0) != "read"}, ""
	case "lost", "logoff":
		ss, _ := sessionWord(w, w.arg(1))
		return &Release{Session: ss, Keep: w.arg(0) == "lost"}, ""
	case "disconnect":
		return &Disconnect{Open: handle(w, w.arg(1))}, ""
	case "reconnect":
		ss, client := sessionWord(w, w.kv["by"])
		c := &Reconnect{Open: handle(w, w.arg(1)), Session: ss, Client: client, User: w.kv["user"], V2: w.kv["guid"] != "", Create: guid(w.kv["guid"]), Persist: w.has(2, "persistent"), Name: name(w.kv["name"])}
		if k, ok := w.kv["lease"]; ok {
			g := guid(k)
			c.Lease = &g
		}
		return c, ""
	case "replace":
		def := "p" + w.arg(1)
		ss, _ := sessionWord(w, w.kv["by"])
		return &Replace{Req: r.req(w, def), Session: ss, Name: name(w.arg(1)), Over: w.has(2, "over")}, def
	case "forceclose":
		return &ForceClose{Open: handle(w, w.arg(1))}, ""
	case "query":
		return &Query{Open: handle(w, w.arg(1))}, ""
	case "resilient":
		return &Resilient{Open: handle(w, w.arg(1)), Timeout: time.Duration(w.num(w.arg(2))) * time.Second}, ""
	case "seen":
		return &Seen{Open: handle(w, w.arg(1))}, ""
	case "rename":
		def := "m" + w.arg(1)
		path, stream, _ := strings.Cut(w.arg(2), ":")
		return &Rename{Req: r.req(w, def), Open: handle(w, w.arg(1)), To: name(path), Stream: strings.ToLower(stream), Over: w.has(3, "over")}, def
	case "renamed":
		def := "m" + w.arg(1)
		from, to := w.arg(2), w.arg(3)
		c := &Renamed{Req: r.req(w, def), Open: handle(w, w.arg(1)), From: name(from), To: name(to), OK: !w.has(4, "failed"), Directory: w.has(4, "dir"), FromDisplay: from, ToDisplay: to}
		if c.OK {
			r.files[to] = r.files[from]
			delete(r.files, from)
		}
		return c, def
	case "notify":
		def := "n" + w.arg(1)
		c := &Notify{Req: r.req(w, def), Open: handle(w, w.arg(1)), Filter: 0xFFF, Tree: w.has(2, "tree"), Limit: 1000}
		if v, ok := w.kv["filter"]; ok {
			c.Filter = smb2.CompletionFilter(w.num(v))
		}
		if v, ok := w.kv["limit"]; ok {
			c.Limit = uint32(w.num(v))
		}
		return c, def
	case "changed":
		c := &Changed{Name: name(w.arg(1)), Action: smb2.FileActionModified, Filter: smb2.FileNotifyChangeLastWrite, Entry: w.has(2, "entry")}
		if v, ok := w.kv["filter"]; ok {
			c.Filter = smb2.CompletionFilter(w.num(v))
		}
		if v, ok := w.kv["by"]; ok {
			c.By = handle(w, v)
		}
		if w.arg(1) == "." {
			c.Name = Name{}
		}
		if v, ok := w.kv["action"]; ok {
			c.Action = smb2.NotifyAction(w.num(v))
		}
		c.Stream = w.kv["stream"]
		return c, ""
	case "noticed":
		c := &Noticed{Open: handle(w, w.arg(1)), Lost: w.has(2, "lost")}
		for _, a := range w.args[2:] {
			if action, path, ok := strings.Cut(a, ":"); ok {
				c.Changes = append(c.Changes, Change{smb2.NotifyAction(w.num(action)), path})
			}
		}
		return c, ""
	}
	return nil, ""
}

// open makes an Open of "open h1 path ...".
func (r *runner) open(w *words) *Open {
	ss, client := sessionWord(w, w.kv["by"])
	path, stream, _ := strings.Cut(w.arg(2), ":")
	share, ok := w.kv["share"]
	c := &Open{
		Req: r.req(w, w.arg(1)), ID: handle(w, w.arg(1)), Session: ss, Client: client, User: w.kv["user"],
		File: r.key(path), Stream: strings.ToLower(stream), Spelt: stream, WithBase: w.has(3, "withbase"), Name: name(path), Display: path,
		Directory: w.has(3, "dir"), Held: w.has(3, "held"),
		Access: accessWord(w, w.kv["access"]), Share: shareWord(share, ok),
		Created: w.has(3, "created"), Overwrite: w.has(3, "overwrite"), Oplock: oplockWords[w.kv["oplock"]],
	}
	if c.Held {
		c.Req = r.req(w, "b"+w.arg(2))
	}
	if w.has(3, "doc") {
		c.Options |= smb2.FileDeleteOnClose
	}
	if v, ok := w.kv["lease"]; ok {
		k, st, _ := strings.Cut(v, ":")
		c.Oplock = smb2.OplockLevelLease
		c.Lease = &LeaseRequest{Key: guid(k), State: leaseWord(st), Version: 1}
		if e, ok := w.kv["epoch"]; ok {
			c.Lease.Version, c.Lease.Epoch = 2, uint16(w.num(e))
		}
		if p, ok := w.kv["parent"]; ok {
			c.Lease.HasParent, c.Lease.Parent = true, guid(p)
		}
	}
	if v, ok := w.kv["durable"]; ok {
		c.Durable = &DurableRequest{V2: v != "v1", Persistent: v == "persistent", Create: guid(w.kv["guid"])}
		if t, ok := w.kv["timeout"]; ok {
			c.Durable.Timeout = time.Duration(w.num(t)) * time.Second
		}
	}
	if v, ok := w.kv["app"]; ok {
		id, ver, has := strings.Cut(v, ":")
		c.App = &AppInstance{ID: guid(id), HasVersion: has}
		if has {
			c.App.High = w.num(ver)
		}
	}
	return c
}

// lock makes a Lock of "lock h1 0+10x 20+5s wait" or "unlock h1 0+10".
func (r *runner) lock(w *words) *Lock {
	c := &Lock{Req: r.req(w, "l"+w.arg(1)), Open: handle(w, w.arg(1)), Verify: w.has(2, "verify")}
	for _, a := range w.args[2:] {
		off, length, ok := strings.Cut(a, "+")
		if !ok {
			continue
		}
		e := smb2.LockElement{Offset: w.num(off), Flags: LockUnlock}
		if w.arg(0) == "lock" {
			e.Flags = LockExclusive
			if strings.HasSuffix(length, "s") {
				e.Flags = LockShared
			}
			length = length[:len(length)-1]
			if !w.has(2, "wait") {
				e.Flags |= LockFailImmediately
			}
		}
		e.Length = w.num(length)
		c.Locks = append(c.Locks, e)
	}
	if v, ok := w.kv["seq"]; ok {
		i, n, _ := strings.Cut(v, ":")
		c.SequenceIndex, c.SequenceNumber = uint32(w.num(i)), uint8(w.num(n))
	}
	return c
}

// result prints what matters of a Result.
func (r *runner) result(cmd Command, x Result) string {
	s := statusName(x.Status)
	if x.Retry {
		s += " retry"
	}
	if x.Status != ntstatus.Success {
		return s
	}
	switch cmd.(type) {
	case *Open, *Reconnect:
		s += r.granted(x)
	case *AckLease:
		s += " " + leaseName(x.State)
	case *AckOplock:
		s += " " + oplockName(x.Level)
	case nil, *Begin, *Notify:
		if x.Open != 0 {
			s += fmt.Sprintf(" h%d", x.Open) + r.granted(x)
		}
	}
	if i := x.Info; i != nil {
		s += fmt.Sprintf(" %s %s locks %d", i.Name.Path, i.Durable, i.Locks)
		if i.DeletePending {
			s += " delete pending"
		}
	}
	if x.Replayed {
		s += " replayed"
	}
	for _, c := range x.Changes {
		s += fmt.Sprintf(" %d:%s", c.Action, c.Name)
	}
	return s + r.deletion(x.Delete)
}

func (r *runner) granted(x Result) string {
	s := " " + oplockName(x.Oplock)
	if x.Oplock == smb2.OplockLevelLease {
		s += fmt.Sprintf(" %s:%s", unguid(x.Lease.Key), leaseName(x.Lease.State))
		if x.Lease.Version > 1 {
			s += fmt.Sprintf(" epoch %d", x.Lease.Epoch)
		}
		if x.Lease.Breaking {
			s += " breaking"
		}
	}
	switch {
	case x.Persist:
		s += " persistent"
	case x.Durable:
		s += " durable"
	}
	return s
}

func (r *runner) deletion(d *Deletion) string {
	if d == nil {
		return ""
	}
	s := " delete " + d.Name.Path
	if d.Stream != "" {
		s += ":" + d.Stream
	}
	return fmt.Sprintf("%s by h%d", s, d.By)
}

// effect prints an Effect.
func (r *runner) effect(e Effect) string {
	switch e := e.(type) {
	case BreakOplock:
		s := fmt.Sprintf("break h%d at %s to %s", e.Open, sessionName(e.Session), oplockName(e.To))
		if e.Ack {
			s += " ack"
		}
		return s
	case BreakLease:
		s := fmt.Sprintf("break %s at %s %s to %s", unguid(e.Lease.Key), sessionName(e.Session), leaseName(e.Current), leaseName(e.New))
		if e.Epoch != 0 {
			s += fmt.Sprintf(" epoch %d", e.Epoch)
		}
		if e.Ack {
			s += " ack"
		}
		return s
	case Complete:
		return fmt.Sprintf("%s: %s", r.names[e.Req], r.result(nil, e.Result))
	case Closed:
		return fmt.Sprintf("closed h%d at %s by %s", e.Open, sessionName(e.Session), [...]string{"session", "timeout", "conflict", "app instance", "admin"}[e.Reason]) + r.deletion(e.Delete)
	case Persist:
		x := e.Record
		s := fmt.Sprintf("persist h%d %s", x.Open, x.Name.Path)
		if x.Lease != nil {
			s += " " + leaseName(x.Lease.State)
		}
		for _, l := range x.Locks {
			s += fmt.Sprintf(" %d+%d", l.Offset, l.Length)
		}
		if x.DeletePending || x.DeleteOnClose {
			s += " delete"
		}
		return s
	case Forget:
		return fmt.Sprintf("forget h%d", e.Open)
	}
	return fmt.Sprintf("%T", e)
}
