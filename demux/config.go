package demux

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"smbproxy/acl"
	"smbproxy/demux/backend"
	"smbproxy/demux/rpc"
	"smbproxy/statedb"
)

// Config is what a Demux serves. It belongs to the Demux once given; Reconfigure takes a new
// one.
type Config struct {
	Shares   []Share
	Backends map[string]*backend.Pool // by the names that shares use; running while in use

	// PipeBackend serves IPC$: all pipes of a client go to one backend, since their handles
	// belong together. Empty: no IPC$.
	PipeBackend string
	// Identity is who the server says it is on the pipes that speak for the cluster, and Admins who may list and close
	// there what others have open; empty: nobody.
	Identity rpc.Identity
	Admins   acl.Users
	// PipeAuth begins an authentication inside RPC on a backend's pipe, as backends know no passwords; nil: there is none.
	PipeAuth func(remote net.Addr) rpc.Exchange
	// GuestAccount is the backend's user for anonymous sessions; empty: they are refused.
	// Guests already have their account's name.
	GuestAccount string
	// State is the state of open files, and Sink what it was given as its sink. Both are needed.
	State statedb.DB
	Sink  *Sink
	// UnflushedLimit is how many bytes that clients have written are kept for one backend before it is flushed; 0: 64 MiB.
	UnflushedLimit int64
	// FailoverTimeout is how long a request waits while no backend of its share can be reached; 0: a minute.
	FailoverTimeout time.Duration
	// Past is what the process before this one has left; only New looks at it. Recover ends it.
	Past Past
	// Interfaces are told to clients that ask for more addresses to connect to
	// (FSCTL_QUERY_NETWORK_INTERFACE_INFO). None: the one that the client has connected to.
	Interfaces []Interface

	// DataHandles bounds the handles at backends of data; 0: 16384.
	DataHandles int

	// SmbtortureFsctls: FSCTLs by which smbtorture asks for faults are served.
	SmbtortureFsctls bool

	Lookup acl.Lookup   // nil: the operating system's users, groups and DNS
	Log    *slog.Logger // nil: slog.Default()
}

// Share is one section of the configuration.
type Share struct {
	Name                  string   // as clients see it; compares without case
	Backends              []string // that serve its names, keys of Config.Backends; all export one tree
	Routes                []Route  // subtrees with a home of their own
	BackendShare          string   // the share's name there; empty: Name
	Striping              Striping // where its files' data are
	Comment               string
	Browseable            bool
	GuestOK               bool
	Encrypt               Encryption
	ContinuouslyAvailable bool // clients may have persistent handles. Not with OtherWriters
	StrictAcknowledge     bool // a WRITE is answered when its data are on disk
	NoChangeNotify        bool // CHANGE_NOTIFY is not served
	OtherWriters          bool // files change behind us: clients cache nothing but reads
	Policy                acl.Policy

	stripes *stripes // of Striping, once in use; nil: none
}

// Route gives the subtree at Path (normalised, without case) a home of its own: its names are served
// by these backends, the first that can. Backends that are not the share's do not share its file
// system; Path is the same in theirs, and a rename across the border is STATUS_NOT_SAME_DEVICE.
type Route struct {
	Path     string
	Backends []string
}

// Encryption is what a share wants, in the words of `server smb encrypt`.
type Encryption int

// The values of Encryption.
const (
	EncryptionOff      Encryption = iota // as the session has it
	EncryptionDesired                    // of clients that can
	EncryptionRequired                   // who cannot is refused
)

// Interface is one of our addresses, as [MS-SMB2] 2.2.32.5 describes it.
type Interface struct {
	Index     uint32
	Addr      netip.Addr
	LinkSpeed uint64 // bits per second
	RSS       bool
}

// ipcShare is the name of the share for named pipes.
const ipcShare = "IPC$"

// check reports every fault of a configuration at once.
func (cfg *Config) check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if _, ok := cfg.Backends[cfg.PipeBackend]; !ok && cfg.PipeBackend != "" {
		fault("pipes: no backend %q", cfg.PipeBackend)
	}
	seen := map[string]bool{strings.ToLower(ipcShare): true}
	for _, s := range cfg.Shares {
		key := strings.ToLower(s.Name)
		switch {
		case s.Name == "" || strings.ContainsAny(s.Name, `\/`):
			fault("share %q: not a share's name", s.Name)
		case seen[key]:
			fault("share %q: the name is taken", s.Name)
		}
		seen[key] = true
		if len(s.Backends) == 0 {
			fault("share %q: no backend", s.Name)
		}
		for _, name := range s.Backends {
			if _, ok := cfg.Backends[name]; !ok {
				fault("share %q: no backend %q", s.Name, name)
			}
		}
		for _, err := range s.Striping.check(func(name string) bool { return cfg.Backends[name] != nil }) {
			fault("share %q: %w", s.Name, err)
		}
		for _, rt := range s.Routes {
			if rt.Path == "" || len(rt.Backends) == 0 {
				fault("share %q: a route needs a path and a backend", s.Name)
			}
			for _, name := range rt.Backends {
				if _, ok := cfg.Backends[name]; !ok {
					fault("share %q: route %q: no backend %q", s.Name, rt.Path, name)
				}
			}
		}
	}
	return errors.Join(faults...)
}
