package bench

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Protection is what the client does with its messages.
type Protection string

// The protections. Plain is what is left if the server does not insist on more.
const (
	Plain Protection = "plain" // neither signed nor sealed, where the server lets us
	Sign  Protection = "sign"  // AES-128-GMAC where the server knows it
	Seal  Protection = "seal"  // AES-128-GCM where the server knows it
)

// Protections are all of them.
var Protections = []Protection{Plain, Sign, Seal}

// Engine is the SMB client that makes the load.
type Engine string

// The engines.
const (
	Raw    Engine = "raw"     // our own codec: every workload, thousands of clients
	GoSMB2 Engine = "go-smb2" // hirochachacha/go-smb2: an independent client, workloads with files only
)

// Engines are all of them.
var Engines = []Engine{Raw, GoSMB2}

// User is an account to log in with.
type User struct{ Name, Password string }

// Config says what to do. The zero value of what is optional means the workload's default.
type Config struct {
	Address    string // host:port
	Share      string
	Users      []User // clients take them in turn
	Workload   string // a name of Workloads
	Engine     Engine
	Protection Protection
	Clients    int           // connections
	Depth      int           // operations that each client keeps in flight
	Block      int           // bytes of a READ or WRITE
	FileSize   int64         // of each client's file
	Warmup     time.Duration // before Duration, not counted
	Duration   time.Duration // what is counted
	Operations int64         // of each client, instead of Warmup and Duration; 0: as long as Duration
	Directory  string        // on the share; made if need be
	Keep       bool          // leave the files, for the next run
	Progress   func(Progress)
	Window     func(open bool) // told when measuring begins and when it ends
}

// Progress is told once a second.
type Progress struct {
	Phase     string // "connecting", "preparing", "warming up", "measuring", "cleaning up"
	Done      int    // clients that have passed the phase, of those that count clients
	Clients   int
	Elapsed   time.Duration // within the phase
	Ops       int64         // in the last second
	Bytes     int64         // in the last second
	Errors    int64         // so far
	Measuring bool          // Ops and Bytes mean something
}

// Defaults fills in what is optional.
func (c Config) Defaults() (Config, error) {
	w, ok := Workloads[c.Workload]
	if !ok {
		return c, fmt.Errorf("unknown workload %q: it is one of %s", c.Workload, strings.Join(Names(), ", "))
	}
	c.Engine = cmpOr(c.Engine, Raw)
	c.Protection = cmpOr(c.Protection, Plain)
	c.Clients = cmpOr(c.Clients, 1)
	c.Depth = cmpOr(c.Depth, w.depth)
	c.Block = cmpOr(c.Block, w.block)
	if c.Duration = cmpOr(c.Duration, 10*time.Second); c.Operations > 0 {
		c.Warmup, c.Duration = 0, maxDuration
	}
	c.Directory = cmpOr(c.Directory, "smbproxy-bench")
	if c.FileSize == 0 {
		// A thousand clients shall not write 64 GiB first.
		c.FileSize = max(int64(c.Block), min(64<<20, (4<<30)/int64(c.Clients)&^(1<<20-1)), 1<<20)
	}
	return c, c.check(w)
}

// maxDuration bounds a run that is to do a number of operations.
const maxDuration = 24 * time.Hour

// check finds every fault at once.
func (c *Config) check(w *Workload) error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	fault(c.Address == "", "no server")
	fault(c.Share == "", "no share")
	fault(len(c.Users) == 0, "no user")
	fault(!slices.Contains(Engines, c.Engine), "unknown engine %q", c.Engine)
	fault(!slices.Contains(Protections, c.Protection), "unknown protection %q", c.Protection)
	fault(c.Clients < 1, "%d clients", c.Clients)
	fault(c.Depth < 1 || c.Depth > 512, "depth %d is not within 1 and 512", c.Depth)
	fault(w.block != 0 && (c.Block < 1 || c.Block > 8<<20), "block of %d bytes is not within 1 and 8 MiB", c.Block)
	fault(w.file && c.FileSize < int64(c.Block), "a file of %d bytes does not hold a block of %d", c.FileSize, c.Block)
	fault(c.Duration <= 0 || c.Warmup < 0, "duration %v, warm-up %v", c.Duration, c.Warmup)
	fault(c.Engine == GoSMB2 && w.library == nil, "workload %q needs the engine %q", c.Workload, Raw)
	fault(c.Engine == GoSMB2 && c.Protection == Seal, "engine %q seals only if the server demands it", c.Engine)
	return errors.Join(errs...)
}

// user is whom a client logs in as.
func (c *Config) user(client int) User { return c.Users[client%len(c.Users)] }

// directory is where a client's files are: one user may not write to what another one has made.
func (c *Config) directory(client int) string {
	if len(c.Users) == 1 {
		return c.Directory
	}
	return c.Directory + "-" + c.user(client).Name
}

// file is the name of a client's own file.
func (c *Config) file(client int) string {
	return fmt.Sprintf(`%s\client-%05d`, c.directory(client), client)
}

// cmpOr is v, or def where v is zero.
func cmpOr[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
