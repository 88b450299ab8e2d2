package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"smbproxy/internal/clusterfs"
	"smbproxy/internal/lab"
)

// Plan is one run.
type Plan struct {
	Seed     uint64
	Workload string
	Fault    string
	After    time.Duration // from the first beat of the pulse to the fault
	Scale    Scale
	Spread   bool       // data lie on backends of their own, stripe by stripe
	Data     bool       // with Spread: the victim is one of those
	Lines    []string   // further lines of the share
	Fence    *lab.Fence // instead of the fault's, to show what it is for
}

func (p Plan) String() string {
	where := ""
	switch {
	case p.Data:
		where = " of a backend for data"
	case p.Spread:
		where = " of a backend for names"
	}
	return fmt.Sprintf("seed %d: %s%s during %s, after %v", p.Seed, p.Fault, where, p.Workload, p.After.Round(time.Millisecond))
}

// Draw makes the plan of a seed; workloads and faults are those to choose from.
func Draw(seed uint64, workloads, faults []string, scale Scale) Plan {
	r := rand.New(rand.NewPCG(seed, 5))
	p := Plan{Seed: seed, Scale: scale, Workload: workloads[r.IntN(len(workloads))], Fault: faults[r.IntN(len(faults))],
		After: 100*time.Millisecond + time.Duration(r.Int64N(int64(900*time.Millisecond)))}
	p.Spread = r.IntN(2) == 1
	// Only large files surely reach every backend for data.
	p.Data = r.IntN(2) == 1 && p.Spread && (p.Workload == "upload" || p.Workload == "download")
	return p
}

// Result is how a run ended.
type Result struct {
	Pause  time.Duration // the longest wait of the pulse since the fault
	Beats  uint64
	Rounds int
	Err    error // of clients, of the faults themselves, of names and contents
}

func (r Result) String() string {
	return fmt.Sprintf("%d rounds, %d beats, longest pause %v", r.Rounds, r.Beats, r.Pause.Round(time.Millisecond))
}

// Backends of a run: the first of each kind is the victim. With Spread there are as many for data.
const backends = 3

// victim is the index of the backend that the fault is for.
func (p Plan) victim() int {
	if p.Data {
		return backends
	}
	return 0
}

// dataUser is who may open any file where only data are served.
const dataUser = "datauser"

// stripe is the size of a stripe with Spread, in KiB.
const stripe = 256

// Run runs a plan on a cluster of its own. A pause over the fault's limit is in Result.Err too.
func Run(t testing.TB, p Plan) Result {
	t.Helper()
	fault, ok := named(Faults(), p.Fault, func(f Fault) string { return f.Name })
	if !ok {
		t.Fatalf("no fault %q", p.Fault)
	}
	w, ok := named(Workloads(), p.Workload, Workload.Name)
	if !ok {
		t.Fatalf("no workload %q", p.Workload)
	}
	if p.Fence != nil {
		fault.Fence = *p.Fence
	}
	e := newEnv(t, p, fault)
	if err := w.Prepare(e); err != nil {
		t.Fatalf("prepare: %v", err)
	}
	r := e.run(w, fault, p)
	if r.Err == nil && r.Pause > fault.Limit {
		r.Err = fmt.Errorf("a pause of %v, more than %v", r.Pause, fault.Limit)
	}
	return r
}

// newEnv starts the cluster.
func newEnv(t testing.TB, p Plan, fault Fault) *Env {
	l := lab.New(t, lab.Options{TreeMiB: 32 << 10, Groups: lab.DefaultGroups(),
		Users: append(lab.DefaultUsers(), lab.User{Name: dataUser, UID: 20009, GID: 20009})})
	opt := lab.ClusterOptions{
		Backends: backends, Nodes: &clusterfs.Options{WriteBack: -1}, Isolate: fault.Isolate, Fence: fault.Fence, LogLevel: "info",
		BackendLines: []string{
			fmt.Sprintf("suspect after = %dms", suspectAfter.Milliseconds()), fmt.Sprintf("down after = %dms", downAfter.Milliseconds()),
			fmt.Sprintf("probe interval = %dms", probeInterval.Milliseconds())},
		Shares: []lab.Share{{Name: "share", Backends: []int{0, 1, 2},
			Lines: append([]string{"other writers = no", "route = /" + work + " -> b0 b1 b2"}, p.Lines...)}},
	}
	if p.Spread {
		opt.Backends *= 2
		opt.Shares[0].Lines = append(opt.Shares[0].Lines, "ost backends = b3 b4 b5", fmt.Sprintf("stripe size = %dK", stripe))
		opt.BackendLinesOf = func(i int) []string {
			if i < backends {
				return nil
			}
			return []string{"data user = " + dataUser}
		}
	}
	c := l.MustCluster(opt)
	for _, n := range c.Nodes {
		n.RateLimit(p.Scale.Rate)
	}
	e := &Env{Lab: l, C: c, Dir: t.TempDir(), Share: "share", Scale: p.Scale, Seed: p.Seed}
	if err := e.mkdir(); err != nil {
		t.Fatal(err)
	}
	return e
}

// recovery is how long clients may stand still before a run is given up.
const recovery = 30 * time.Second

// run is the run itself: clients, pulse, fault, and what is there afterwards.
func (e *Env) run(w Workload, fault Fault, p Plan) Result {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	beat, err := startPulse(e)
	if err != nil {
		return Result{Err: err}
	}
	passed := make(chan struct{}) // closed when the backend is back
	rounds, worked := 0, make(chan error, 1)
	go func() {
		for {
			over := false
			select {
			case <-passed:
				over = true
			default:
			}
			if err := w.Round(e, rounds); err != nil {
				worked <- fmt.Errorf("round %d of %s: %w", rounds, w.Name(), err)
				return
			}
			rounds++
			if over { // one whole round after it
				worked <- nil
				return
			}
		}
	}()
	ferr := e.inflict(ctx, beat, fault, p)
	close(passed)
	werr := <-worked
	pause, perr := beat.end(e)
	count, _ := beat.state()
	r := Result{Pause: pause, Beats: count, Rounds: rounds, Err: errors.Join(ferr, werr, perr)}
	if r.Err == nil {
		r.Err = w.Check(e, rounds)
	}
	if r.Err != nil {
		r.Err = fmt.Errorf("%w (fenced: %v)", r.Err, e.C.Fenced())
	}
	return r
}

// inflict waits for the moment, does the fault, waits until clients go on, and takes it back.
func (e *Env) inflict(ctx context.Context, beat *pulse, fault Fault, p Plan) error {
	if err := beat.reaches(1); err != nil {
		return err
	}
	select {
	case <-time.After(p.After): // the moment is drawn, not waited for
	case <-ctx.Done():
		return ctx.Err()
	}
	served := e.C.Nodes[p.victim()].Requests()
	if err := lab.WaitFor(recovery, func() error {
		if e.C.Nodes[p.victim()].Requests() == served {
			return errors.New("nothing goes through the victim: the fault would prove nothing")
		}
		return nil
	}); err != nil {
		return err
	}
	beat.forget()
	count, err := beat.state()
	if err != nil {
		return err
	}
	soon, cancel := context.WithTimeout(ctx, recovery)
	defer cancel()
	if err := fault.Apply(soon, e.C, p.victim()); err != nil {
		return fmt.Errorf("%s: %w", fault.Name, err)
	}
	const goesOn = 10 // the step under way, and whole ones
	if err := beat.reaches(count + goesOn); err != nil {
		return fmt.Errorf("after %s: %w", fault.Name, err)
	}
	if err := fault.Undo(ctx, e.C, p.victim()); err != nil {
		return fmt.Errorf("undo %s: %w", fault.Name, err)
	}
	count, _ = beat.state()
	return beat.reaches(count + goesOn)
}

// reaches waits until the pulse has come so far, or has failed: the run's end tells that.
func (p *pulse) reaches(n uint64) error {
	return lab.WaitFor(recovery, func() error {
		count, err := p.state()
		if err == nil && count < n {
			return fmt.Errorf("clients stand still: the pulse is at %d", count)
		}
		return nil
	})
}
