package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hirochachacha/go-smb2"
)

// libraryClient is a client of engine go-smb2: one session of the library, Config.Depth goroutines.
type libraryClient struct {
	cfg    *Config
	number int

	nc       net.Conn
	session  *smb2.Session
	share    *smb2.Share
	file     *smb2.File
	position atomic.Int64
}

func newLibraryClient(cfg *Config, number int) *libraryClient {
	return &libraryClient{cfg: cfg, number: number}
}

func (c *libraryClient) connect(ctx context.Context) error {
	var d net.Dialer
	var err error
	if c.nc, err = d.DialContext(ctx, "tcp", c.cfg.Address); err != nil {
		return err
	}
	u := c.cfg.user(c.number)
	dialer := smb2.Dialer{Negotiator: smb2.Negotiator{RequireMessageSigning: c.cfg.Protection == Sign},
		Initiator: &smb2.NTLMInitiator{User: u.Name, Password: u.Password}}
	if c.session, err = dialer.DialContext(ctx, c.nc); err != nil {
		return fmt.Errorf("log in as %s: %w", u.Name, err)
	}
	if c.share, err = c.session.Mount(c.cfg.Share); err != nil {
		return fmt.Errorf("connect to share %s: %w", c.cfg.Share, err)
	}
	return nil
}

// protected is not told by the library, which signs with AES-CMAC whatever the server lets it do.
func (c *libraryClient) protected() string { return "as go-smb2 has it" }

func (c *libraryClient) dialect() string { return "as go-smb2 negotiates" }

func (c *libraryClient) fileName() string { return c.cfg.file(c.number) }

func (c *libraryClient) prepare(ctx context.Context) error {
	if err := c.share.Mkdir(c.cfg.directory(c.number), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	var err error
	if c.file, err = c.share.OpenFile(c.fileName(), os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return err
	}
	st, err := c.file.Stat()
	if err != nil || st.Size() >= c.cfg.FileSize || Workloads[c.cfg.Workload].block == 0 {
		return err
	}
	piece := pattern(1 << 20)
	for off := int64(0); off < c.cfg.FileSize; off += int64(len(piece)) {
		if _, err := c.file.WriteAt(piece[:min(int64(len(piece)), c.cfg.FileSize-off)], off); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (c *libraryClient) work(_ context.Context, clock *clock, tally *tally) error {
	var wg sync.WaitGroup
	errs := make([]error, c.cfg.Depth)
	for i := range errs {
		operation := Workloads[c.cfg.Workload].library(c, i)
		wg.Go(func() {
			for now := time.Now(); !clock.over(now, tally); {
				n, err := operation()
				if err != nil {
					errs[i] = err
					return
				}
				was := now
				now = time.Now()
				tally.add(clock, now, now.Sub(was), n)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (c *libraryClient) clean() error {
	if err := c.file.Close(); err != nil {
		return err
	}
	c.file = nil
	return c.share.Remove(c.fileName())
}

func (c *libraryClient) cleanDirectory() error {
	if left, err := c.share.ReadDir(c.cfg.directory(c.number)); err != nil || len(left) > 0 {
		return err
	}
	return c.share.Remove(c.cfg.directory(c.number))
}

// close ends the connection; the server closes what is open.
func (c *libraryClient) close() {
	if c.nc != nil {
		_ = c.nc.Close() // nothing is left to lose
	}
}

// libraryTransfer reads or writes the client's own file.
func libraryTransfer(write, random bool) func(*libraryClient, int) func() (int, error) {
	return func(c *libraryClient, worker int) func() (int, error) {
		buf := pattern(c.cfg.Block)
		blocks := c.cfg.FileSize / int64(len(buf))
		dice := rand.New(rand.NewPCG(uint64(c.number), uint64(worker)))
		return func() (int, error) {
			at := (c.position.Add(1) - 1) % blocks
			if random {
				at = dice.Int64N(blocks)
			}
			if write {
				return c.file.WriteAt(buf, at*int64(len(buf)))
			}
			return c.file.ReadAt(buf, at*int64(len(buf)))
		}
	}
}

func libraryOpen(c *libraryClient, _ int) func() (int, error) {
	return func() (int, error) {
		f, err := c.share.Open(c.fileName())
		if err != nil {
			return 0, err
		}
		return 0, f.Close()
	}
}

func libraryStat(c *libraryClient, _ int) func() (int, error) {
	return func() (int, error) {
		_, err := c.share.Stat(c.fileName())
		return 0, err
	}
}

func libraryList(c *libraryClient, _ int) func() (int, error) {
	return func() (int, error) {
		_, err := c.share.ReadDir(c.cfg.directory(c.number))
		return 0, err
	}
}
