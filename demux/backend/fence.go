package backend

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"smbproxy/internal/ntstatus"
)

// Fencing, DESIGN 9: smbd goes on executing what lies in its socket long after we
// have closed it. So before anything that changes data is done elsewhere, the old
// sessions are fenced: a SESSION_SETUP as the same user that names the old session
// as PreviousSessionId is answered only when its process has finished with it, or
// is gone. Samba: smb2srv_session_close_previous waits while that process is
// frozen (4.17). Where the host cannot be asked, Config.FenceCommand sees to it
// that it does nothing any more.

// fenceRetry is the pause between attempts to fence, and how soon a backend that
// is reachable again is asked.
const fenceRetry = 250 * time.Millisecond

// Fence returns nil when none of the sessions of lanes that were lost can do
// anything any more, at once if it is so already; none given means all of Lost.
// Until then it blocks; ctx's error says that they are not fenced. It works in
// every state of the pool.
func (p *Pool) Fence(ctx context.Context, sessions ...OldSession) error {
	if len(sessions) == 0 {
		sessions = p.Lost()
	}
	for {
		if sessions = p.unfenced(sessions); len(sessions) == 0 {
			return nil
		}
		err := p.fenceOnce(ctx, sessions)
		if err == nil {
			continue
		}
		timer := time.NewTimer(fenceRetry)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("backend %q: sessions are not fenced: %w: %w", p.cfg.Name, context.Cause(ctx), err)
		case <-p.life.Done():
			timer.Stop()
			return fmt.Errorf("backend %q: sessions are not fenced: %w", p.cfg.Name, errClosed)
		}
	}
}

// unfenced is which of the sessions are still in Lost.
func (p *Pool) unfenced(sessions []OldSession) (left []OldSession) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range sessions {
		if _, ok := p.lost[s]; ok {
			left = append(left, s)
		}
	}
	return left
}

// fenceOnce tries both ways, side by side where the backend is down: a frozen smbd
// lets us connect and says nothing.
func (p *Pool) fenceOnce(ctx context.Context, sessions []OldSession) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ways := 1
	result := make(chan error, 2)
	defer p.Subscribe(func(e Event) {
		if e.To == StateDown { // now the other way is open too
			cancel()
		}
	})()
	if !p.spawn(func() { result <- p.fenceBySetup(ctx, sessions) }) {
		return errClosed
	}
	if p.cfg.FenceCommand != "" && p.isDown() && p.spawn(func() { result <- p.fenceByCommand(ctx, sessions) }) {
		ways++
	}
	var faults []error
	for range ways {
		select {
		case err := <-result:
			if err == nil {
				return nil
			}
			faults = append(faults, err)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return errors.Join(faults...)
}

// isDown tells that the backend answers nobody: only then may its host be fenced.
func (p *Pool) isDown() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.vital.state >= StateDown
}

// fenceBySetup asks smbd, on a connection of its own.
func (p *Pool) fenceBySetup(ctx context.Context, sessions []OldSession) error {
	dialCtx, cancel := context.WithTimeoutCause(ctx, p.cfg.DialTimeout, p.unanswered())
	cn, err := p.open(dialCtx, noLane)
	cancel()
	if err != nil {
		return err
	}
	defer cn.kill(errFenced)
	var wg sync.WaitGroup
	slots := make(chan struct{}, fenceParallel)
	errs := make([]error, len(sessions))
	for i, old := range sessions {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if errs[i] = cn.fence(ctx, old); errs[i] == nil {
				p.fenced("its smbd", []OldSession{old})
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// fenceParallel is how many sessions are fenced at a time.
const fenceParallel = 32

// noLane is the lane of connections that fence or probe.
const noLane = -1

// errFenced ends a connection that was made to fence.
var errFenced = errors.New("fencing is over")

// fence sets up a session in the place of an old one.
func (cn *connection) fence(ctx context.Context, old OldSession) error {
	s := &session{conn: cn, user: old.User, previous: old.ID, trees: make(map[string]*treeConnect)}
	err := s.authenticate(ctx)
	if err != nil {
		return fmt.Errorf("session %#x of %q: %w", old.ID, old.User, err)
	}
	return nil
}

// fenceByCommand has the admin's command end all that the backend does. It runs
// once at a time; who comes while it runs shares its success.
func (p *Pool) fenceByCommand(ctx context.Context, sessions []OldSession) error {
	p.mu.Lock()
	fell := p.vital.fell
	p.mu.Unlock()
	select {
	case p.fencing <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-p.fencing }()
	if p.commanded == fell {
		return p.byCommand(sessions)
	}
	p.log.Warn("backend is being fenced", slog.String("command", p.cfg.FenceCommand))
	if err := runFenceCommand(p.life, &p.cfg); err != nil {
		p.log.Error("fence command failed", slog.Any("error", err))
		return fmt.Errorf("fence command: %w", err)
	}
	p.commanded = fell
	return p.byCommand(p.Lost())
}

// byCommand notes what the command has fenced.
func (p *Pool) byCommand(sessions []OldSession) error {
	p.fenced("its fence command", sessions)
	return nil
}

// fenceIfDue fences what was lost on a backend that is alive, so that nothing
// stays behind that nobody waits for. Only Run calls it.
func (p *Pool) fenceIfDue() {
	p.mu.Lock()
	due := len(p.lost) > 0 && p.vital.state < StateDown && !p.tidying
	p.tidying = p.tidying || due
	p.mu.Unlock()
	if due && !p.spawn(p.tidy) {
		p.mu.Lock()
		p.tidying = false
		p.mu.Unlock()
	}
}

// tidyLimit is how long tidy stays with what it has begun with: a session whose
// process hangs does not keep others from being fenced.
const tidyLimit = 5 * time.Second

// tidy fences what is lost now.
func (p *Pool) tidy() {
	ctx, cancel := context.WithTimeout(p.life, tidyLimit)
	defer cancel()
	if err := p.fenceBySetup(ctx, p.Lost()); err != nil && !errors.Is(err, ntstatus.UnexpectedNetworkError) && ctx.Err() == nil {
		p.log.Warn("old sessions are not fenced", slog.Any("error", err))
	}
	timer := time.NewTimer(fenceRetry)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.life.Done():
	}
	p.mu.Lock()
	p.tidying = false
	p.mu.Unlock()
	p.stir()
}
