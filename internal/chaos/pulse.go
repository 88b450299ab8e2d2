package chaos

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"time"

	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// pulse is one client that never stops: it writes a number, reads it back, and opens and closes the
// file by name. Its longest wait is the pause that clients see.
type pulse struct {
	t    *rawsmb.Tree
	id   smb2.FileID
	stop context.CancelFunc
	done chan struct{} // closed when run has ended

	mu      sync.Mutex // guards what is below
	count   uint64     // numbers written and read back
	longest time.Duration
	err     error
}

// pulseName is its file.
const pulseName = "pulse"

// beat is the time between two steps.
const beat = 5 * time.Millisecond

func startPulse(e *Env) (*pulse, error) {
	ctx, stop := context.WithCancel(context.Background())
	p := &pulse{stop: stop, done: make(chan struct{})}
	var err error
	if p.t, err = e.connect(ctx, 9); err != nil {
		stop()
		return nil, err
	}
	r, err := open(p.t, pulseName, 0)
	if err != nil {
		stop()
		p.t.Conn.Close()
		return nil, err
	}
	p.id = r.FileID
	go p.run(ctx)
	return p, nil
}

func (p *pulse) run(ctx context.Context) {
	defer close(p.done)
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for n := uint64(1); ; n++ {
		for _, step := range []struct {
			name string
			do   func(n uint64) error
		}{{"write", p.write}, {"read", p.read}, {"open", p.open}} {
			start := time.Now()
			err := step.do(n)
			took := time.Since(start)
			p.mu.Lock()
			p.longest = max(p.longest, took)
			if err != nil && p.err == nil {
				p.err = fmt.Errorf("pulse %d, %s after %v: %w", n, step.name, took.Round(time.Millisecond), err)
			}
			p.mu.Unlock()
			if err != nil {
				return
			}
		}
		p.mu.Lock()
		p.count = n
		p.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (p *pulse) write(n uint64) error {
	return write(p.t, p.id, 8*(n%512), binary.LittleEndian.AppendUint64(nil, n))
}

func (p *pulse) read(n uint64) error {
	got, err := read(p.t, p.id, 8*(n%512), 8)
	if err != nil {
		return err
	}
	if len(got) != 8 || binary.LittleEndian.Uint64(got) != n {
		return fmt.Errorf("read %x, want %d", got, n)
	}
	return nil
}

func (p *pulse) open(uint64) error {
	r, err := open(p.t, pulseName, 0)
	if err != nil {
		return err
	}
	return p.t.CloseFile(r.FileID)
}

// state is how many numbers went through, and the first error.
func (p *pulse) state() (count uint64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count, p.err
}

// forget starts measuring anew: what was slow before a fault is not the fault's.
func (p *pulse) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.longest = 0
}

// end stops it and returns the longest wait.
func (p *pulse) end(e *Env) (time.Duration, error) {
	p.stop()
	<-p.done
	if p.err != nil {
		p.t.Conn.Close()
		return p.longest, p.err
	}
	err := p.t.CloseFile(p.id)
	p.t.Conn.Close()
	if err != nil {
		return p.longest, fmt.Errorf("close the pulse's file: %w", err)
	}
	got, err := os.ReadFile(e.path(pulseName))
	if err != nil {
		return p.longest, err
	}
	for n := max(1, int64(p.count)-511); n <= int64(p.count); n++ {
		at := 8 * (n % 512)
		if at+8 > int64(len(got)) || binary.LittleEndian.Uint64(got[at:]) != uint64(n) {
			return p.longest, fmt.Errorf("the pulse's file does not have %d at %d, of %d written", n, at, p.count)
		}
	}
	return p.longest, nil
}
