package chaos

import (
	"context"
	"time"

	"smbproxy/internal/lab"
)

// Health of the backends in a run: how long one may be silent, and how often it is asked.
const (
	suspectAfter  = 500 * time.Millisecond
	downAfter     = 2 * time.Second
	probeInterval = 500 * time.Millisecond
)

// Fault is what happens to a backend.
type Fault struct {
	Name    string
	Isolate bool          // it needs a network namespace
	Fence   lab.Fence     // what smbproxy can do about a silent one
	Limit   time.Duration // the longest pause that a client may see
	Apply   func(ctx context.Context, c *lab.Cluster, victim int) error
	Undo    func(ctx context.Context, c *lab.Cluster, victim int) error
}

// Limits of the issue: under 1 s where it is plain that the backend is gone, else the deadline
// and 1 s.
const (
	plainLimit  = time.Second
	silentLimit = downAfter + time.Second
)

// Faults are all there are, the one that is none first.
func Faults() []Fault {
	nothing := func(context.Context, *lab.Cluster, int) error { return nil }
	revive := func(ctx context.Context, c *lab.Cluster, victim int) error { return c.ReviveNode(ctx, victim) }
	return []Fault{
		{Name: "none", Limit: plainLimit, Apply: nothing, Undo: nothing},
		{Name: "kill", Limit: plainLimit, Undo: revive,
			Apply: func(_ context.Context, c *lab.Cluster, victim int) error { return c.Backends[victim].Kill() }},
		{Name: "freeze", Fence: lab.FenceStorage, Limit: silentLimit, Undo: thaw,
			Apply: func(_ context.Context, c *lab.Cluster, victim int) error { return c.Backends[victim].Freeze() }},
		{Name: "cut", Isolate: true, Fence: lab.FencePower, Limit: silentLimit, Undo: revive,
			Apply: func(_ context.Context, c *lab.Cluster, victim int) error { return c.Network(victim).CutOff() }},
		{Name: "lost", Isolate: true, Fence: lab.FencePower, Limit: silentLimit, Undo: revive,
			Apply: func(_ context.Context, c *lab.Cluster, victim int) error { return c.LoseNode(victim) }},
		{Name: "drain", Limit: plainLimit, Undo: enable,
			Apply: func(ctx context.Context, c *lab.Cluster, victim int) error {
				_, err := c.Proxy.Run(ctx, "drain", lab.BackendName(victim))
				return err
			}},
	}
}

// thaw lets a frozen backend do what lies in its sockets, long after others took over, and
// starts it anew, as the file system has shut it out.
func thaw(ctx context.Context, c *lab.Cluster, victim int) error {
	if err := c.Backends[victim].Thaw(); err != nil {
		return err
	}
	if c.Nodes[victim].Alive() {
		return nil
	}
	// Time for its worst, which must not show: there is nothing to wait for.
	select {
	case <-time.After(suspectAfter):
	case <-ctx.Done():
	}
	return c.ReviveNode(ctx, victim)
}

// enable takes a drain back.
func enable(ctx context.Context, c *lab.Cluster, victim int) error {
	_, err := c.Proxy.Run(ctx, "enable", lab.BackendName(victim))
	return err
}

// named finds a fault or workload in a list.
func named[T any](list []T, name string, of func(T) string) (found T, ok bool) {
	for _, x := range list {
		if of(x) == name {
			return x, true
		}
	}
	return found, false
}
