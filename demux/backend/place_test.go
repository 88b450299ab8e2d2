package backend

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// placed is a pool that has no backend, for choosing lanes only.
func placed(lanes, maxLanes int) *Pool {
	cfg := Config{Lanes: lanes, MaxLanes: maxLanes, MaxOpens: 1000}
	p := &Pool{cfg: cfg, clients: make(map[clientKey]*assignment)}
	p.maxOpens.Store(int64(cfg.MaxOpens))
	for i := range lanes {
		p.lanes = append(p.lanes, &lane{id: i, users: make(map[string]int)})
	}
	return p
}

// on connects a lane on paper.
func (p *Pool) on(a *assignment) *connection {
	if a.lane.conn == nil {
		a.lane.conn = &connection{pool: p, lane: a.lane.id}
	}
	return a.lane.conn
}

// Users get lanes of their own as long as there are any.
func TestPlaceUsersApart(t *testing.T) {
	p := placed(4, 16)
	byLane := map[*lane]map[string]bool{}
	for client := range 200 {
		user := fmt.Sprintf("user%d", client%12)
		a := p.attach(clientKey{uint64(client), user, names})
		p.on(a)
		if byLane[a.lane] == nil {
			byLane[a.lane] = map[string]bool{}
		}
		byLane[a.lane][user] = true
	}
	for ln, users := range byLane {
		if len(users) != 1 {
			t.Errorf("lane %d has %d users", ln.id, len(users))
		}
	}
	if len(p.lanes) != 12 {
		t.Errorf("%d lanes for 12 users", len(p.lanes))
	}
}

// One user alone gets the lanes that there are from the start, and more only when
// these are slow, up to a part of all.
func TestPlaceOneUser(t *testing.T) {
	p := placed(4, 64)
	var all []*assignment
	add := func() *assignment {
		a := p.attach(clientKey{uint64(len(all)), "user1", names})
		p.on(a)
		all = append(all, a)
		return a
	}
	for range 40 {
		add()
	}
	if len(p.lanes) != 4 || p.lanes[0].clients != 10 || p.lanes[3].clients != 10 {
		t.Errorf("40 clients of one user: %d lanes, %d clients on the first", len(p.lanes), p.lanes[0].clients)
	}
	for range 100 { // each client makes its lane slow
		p.on(add()).slow.Store(true)
	}
	if want := p.cfg.maxOwn(); len(p.lanes) != want {
		t.Errorf("%d lanes, want %d however slow they are", len(p.lanes), want)
	}
	a := p.attach(clientKey{1, "user2", names})
	if a.lane.clients != 1 {
		t.Error("another user shares a lane")
	}
}

// With more users than lanes some share: where there are few, and not where it is
// stuck or full.
func TestPlaceWhenFull(t *testing.T) {
	p := placed(2, 3)
	var all []*assignment
	for i := range 3 {
		a := p.attach(clientKey{uint64(i), fmt.Sprint("user", i), names})
		p.on(a)
		all = append(all, a)
	}
	p.on(all[0]).stuckBy.Store(&session{user: "user0"})
	p.on(all[1]).opens.Store(700)
	if a := p.attach(clientKey{9, "user9", names}); a.lane != all[2].lane {
		t.Errorf("placed on lane %d", a.lane.id)
	}
	p.on(all[2]).stuckBy.Store(&session{user: "user2"})
	if a := p.attach(clientKey{10, "user10", names}); a.lane == nil {
		t.Error("no lane at all")
	}
	// The one who is stuck stays where he is; who shares his lane goes elsewhere.
	p.on(all[1]).opens.Store(0)
	if a := p.attach(clientKey{2, "user2", names}); a != all[2] {
		t.Error("the user whose request hangs was given another lane")
	}
	if a := p.attach(clientKey{9, "user9", names}); a.lane != all[1].lane {
		t.Errorf("who shared the stuck lane is on lane %d now", a.lane.id)
	}
	// A full lane is left too, by its own clients.
	p.on(all[1]).opens.Store(990)
	if a := p.attach(clientKey{1, "user1", names}); a.lane == all[1].lane && !p.on(all[1]).avoid("user1") {
		t.Error("a full lane is not avoided")
	}
}

// Names, data and pipes never share a lane, and pipes do not cost a lane for each user.
func TestPlaceClasses(t *testing.T) {
	p := placed(2, 64)
	seen := map[*lane]class{}
	pipeLanes := map[*lane]bool{}
	for i := range 30 {
		for _, c := range []class{names, data, pipes} {
			a := p.attach(clientKey{uint64(i), fmt.Sprint("user", i%5), c})
			p.on(a)
			if was, ok := seen[a.lane]; ok && was != c {
				t.Fatalf("lane %d serves %v and %v", a.lane.id, classNames[was], classNames[c])
			}
			seen[a.lane] = c
			if c == pipes {
				pipeLanes[a.lane] = true
			}
		}
	}
	if len(pipeLanes) != 1 {
		t.Errorf("%d lanes for pipes", len(pipeLanes))
	}
	if len(seen) != 11 {
		t.Errorf("%d lanes, want 5 for names, 5 for data, 1 for pipes", len(seen))
	}
}

// Lanes that nobody is on any more are used again, for whatever is wanted.
func TestPlaceReuse(t *testing.T) {
	p := placed(1, 64)
	for round := range 5 {
		var all []*assignment
		for i := range 10 {
			all = append(all, p.attach(clientKey{uint64(i), fmt.Sprint("user", round, i), class(i % 2)}))
		}
		for _, a := range all {
			p.detach(a)
		}
	}
	if len(p.lanes) > 11 {
		t.Errorf("%d lanes for 10 users at a time", len(p.lanes))
	}
	if len(p.clients) != 0 {
		t.Errorf("%d clients left", len(p.clients))
	}
}

// A lane whose smbd is full gets no new opens, and the limit need not be known.
func TestFullLane(t *testing.T) {
	r := newRig(t, "\tmax open files = 1100\n")
	cfg := r.config()
	cfg.MaxLanes = 4
	p := startPool(t, cfg)
	tree := mustConnect(t, p, "user1", "share", 1)
	first, st := tree.Lane(), ntstatus.Success
	opened := 0
	for ; st == ntstatus.Success && opened < 1200; opened++ {
		_, st = create(t, tree, "", smb2.FileListDirectory, smb2.FileOpen)
	}
	if st != ntstatus.InsufficientResources {
		t.Fatalf("after %d opens: %v", opened, st)
	}
	if !tree.Avoid() {
		t.Error("the full lane is not avoided")
	}
	tree = mustConnect(t, p, "user1", "share", 1)
	if tree.Lane() == first {
		t.Error("the client is on the full lane again")
	}
	_, st = create(t, tree, "", smb2.FileListDirectory, smb2.FileOpen)
	must(t, "open on another lane", st)
	for !tree.Avoid() && opened < 3000 {
		_, st = create(t, tree, "", smb2.FileListDirectory, smb2.FileOpen)
		must(t, "open on the other lane", st)
		opened++
	}
	if !tree.Avoid() {
		t.Error("the second lane is filled to the brim though the limit is known")
	}
}

// listing is a request that only the main thread of smbd can answer.
func listing(tree *Tree, dir FileID) *op {
	return submit(tree, smb2.CommandQueryDirectory, &smb2.QueryDirectoryRequest{
		FileInformationClass: 1, Flags: smb2.QueryDirectoryRestartScans, FileID: dir.Wire(), OutputBufferLength: 1024, FileName: "*"})
}

// root opens the share's root.
func root(t testing.TB, tree *Tree) FileID {
	t.Helper()
	id, st := create(t, tree, "", smb2.FileListDirectory, smb2.FileOpen)
	must(t, "open the root", st)
	return id
}

// A process that hangs costs its user, for as long as it takes, and nobody else:
// not a user with a lane of his own, nor what one who shares it opens from now on.
func TestStuckLane(t *testing.T) {
	r := newRig(t, "")
	cfg := r.config()
	cfg.Lanes, cfg.MaxLanes = 1, 2
	cfg.SuspectAfter, cfg.DownAfter = 200*time.Millisecond, 600*time.Millisecond
	p := startPool(t, cfg)
	h := subscribe(t, p)
	stuck, pid := r.server(t, p, "user1", 1)
	free := mustConnect(t, p, "user2", "share", 2)
	shares := mustConnect(t, p, "user3", "share", 3)
	if shares.Lane() != stuck.Lane() {
		shares = mustConnect(t, p, "user3", "share", 4)
	}
	if free.Lane() == stuck.Lane() || shares.Lane() != stuck.Lane() {
		t.Fatalf("lanes %d, %d, %d", stuck.Lane(), free.Lane(), shares.Lane())
	}
	dir, freeDir := root(t, stuck), root(t, free)
	stop(t, pid)
	hung := listing(stuck, dir)
	eventually(t, "the lane to be stuck", stuck.Stuck)
	if stuck.Avoid() || !shares.Avoid() || free.Avoid() || free.Stuck() {
		t.Errorf("avoid: the culprit %v, who shares %v, the other %v", stuck.Avoid(), shares.Avoid(), free.Avoid())
	}
	elsewhere := mustConnect(t, p, "user3", "share", shares.at.key.affinity)
	if elsewhere.Lane() != free.Lane() {
		t.Errorf("who shares is on lane %d now, want %d", elsewhere.Lane(), free.Lane())
	}
	worst, begin := time.Duration(0), time.Now()
	for time.Since(begin) < 4*cfg.DownAfter { // far beyond what would make the backend suspect
		was := time.Now()
		if got := listing(free, freeDir).result(t); got.err != nil || got.status != ntstatus.Success {
			t.Fatalf("another user: %+v", got)
		}
		worst = max(worst, time.Since(was))
	}
	if worst > time.Second { // e2e has the limit that is promised
		t.Errorf("another user waited for %v", worst)
	}
	if !stuck.Alive() || p.State() != StateUp || len(h.states()) > 0 {
		t.Errorf("after %v: alive %v, %v, events %v", time.Since(begin), stuck.Alive(), p.State(), h.states())
	}
	// Without anybody else's traffic it takes probes to know that the backend lives.
	elsewhere.Release()
	silent := time.Now()
	eventually(t, "some time to pass", func() bool { return time.Since(silent) > 4*cfg.DownAfter })
	if !stuck.Alive() || p.State() != StateUp {
		t.Errorf("after silence: alive %v, %v", stuck.Alive(), p.State())
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if got := hung.result(t); got.err != nil || got.status != ntstatus.Success {
		t.Errorf("the request that hung: %+v", got)
	}
	eventually(t, "the lane to get on", func() bool { return !stuck.Stuck() && !shares.Avoid() })
}

// What hangs can be cancelled, though smbd does not hear it, and what a CREATE
// opens after that is closed again.
func TestCancelOnStuckLane(t *testing.T) {
	r := newRig(t, "")
	cfg := r.config()
	cfg.Lanes, cfg.MaxLanes = 2, 2
	p := startPool(t, cfg)
	tree, pid := r.server(t, p, "user1", 1)
	mustConnect(t, p, "user2", "share", 2)
	dir := root(t, tree)
	file, st := create(t, tree, "kept", smb2.FileWriteData, smb2.FileCreate)
	must(t, "create", st)
	opens := func() int64 { return p.Status().Lanes[tree.Lane()].Opens }
	before := opens()
	stop(t, pid)
	ops := []*op{
		submit(tree, smb2.CommandCreate, &smb2.CreateRequest{ImpersonationLevel: 2, DesiredAccess: smb2.FileReadData, ShareAccess: 7, CreateDisposition: smb2.FileOpenIf, Name: "late"}),
		listing(tree, dir),
	}
	write := submit(tree, smb2.CommandWrite, &smb2.WriteRequest{FileID: file.Wire(), Data: []byte("x")})
	eventually(t, "the lane to be stuck", tree.Stuck)
	tree.Cancel(&write.Call)
	for _, o := range ops {
		tree.Cancel(&o.Call)
	}
	for i, o := range ops {
		if got := o.result(t); !errors.Is(got.err, ntstatus.Cancelled) {
			t.Errorf("call %d: %+v", i, got)
		}
	}
	if !tree.Stuck() || len(write.done) > 0 {
		t.Errorf("stuck %v; a WRITE that will happen was told to be over: %v", tree.Stuck(), len(write.done) > 0)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	write.result(t)
	eventually(t, "the late handle to be closed", func() bool { return opens() == before && p.Status().Lanes[tree.Lane()].InFlight == 0 })
}
