package main

import (
	"slices"
	"time"

	"smbproxy/internal/smbconf"
)

// Config is one configuration whose every value is set: by the file, by [global] for the
// shares, or by the default of the table. A Config is never changed once load returned it;
// a reload makes another.
type Config struct {
	File     string
	Global   Global
	Backends []*Backend // in the order of the file
	Shares   []*Share   // in the order of the file

	// origin says where a value was set, for testparm -v: section key, NUL, parameter name.
	// Absent: the default.
	origin map[string]smbconf.Position
}

// Global is the [global] section. Field comments are the help texts of the table.
type Global struct {
	ServerString string
	NetBIOSName  string
	Workgroup    string
	Realm        string
	DNSHostname  string
	MachineSID   string
	AdminUsers   []string

	Interfaces       []string
	Ports            []int
	MultiChannel     bool
	SmbtortureFsctls bool
	AdminSocket      string
	MetricsAddress   string

	PassdbFile        string
	NTLMAuth          string
	NTLMHelper        []string
	NTLMHelpers       int
	KeytabFile        string
	MapToGuest        string
	GuestAccount      string
	RestrictAnonymous int
	MinimumUID        int

	MinProtocol          string
	MaxProtocol          string
	Signing              string
	Encryption           string
	SigningAlgorithms    []string
	EncryptionAlgorithms []string
	MaxCredits           int
	MaxRead              int64
	MaxWrite             int64
	MaxTransact          int64
	MaxDataHandles       int

	MaxConnections           int
	MaxConnectionsPerAddress int
	AuthenticationTimeout    time.Duration
	KeepAlive                time.Duration
	DeadClientTimeout        time.Duration
	UnauthenticatedFrame     int64
	HostsAllow               []string
	HostsDeny                []string

	StateDirectory  string
	DrainTimeout    time.Duration
	FailoverTimeout time.Duration
	UnflushedLimit  int64
	LogLevel        string
	LogFormat       string
}

// Backend is one [backend:NAME] section.
type Backend struct {
	Name string
	smbconf.Position

	Address              string // host:port
	Role                 []string
	KeytabFile           string
	ServicePrincipal     string
	Realm                string
	Encryption           string
	SigningAlgorithms    []string
	EncryptionAlgorithms []string
	Lanes                int
	MaxLanes             int
	ConnectTimeout       time.Duration
	SuspectAfter         time.Duration
	DownAfter            time.Duration
	ProbeInterval        time.Duration
	FenceCommand         string
	FenceTimeout         time.Duration
	OSTIndex             string // a number, or empty: its place in the share's list
	DataUser             string

	// What only the backend's own smb.conf is told.
	HostsAllow   []string
	ValidUsers   []string
	VFSObjects   []string
	MaxOpenFiles int
	SmbdOptions  []SmbdOption
}

// Share is one section of any other name.
type Share struct {
	Name string
	smbconf.Position

	Backends               []string // as [backend:NAME] spells them
	Routes                 []Route
	OSTBackends            []string // likewise
	StripeSize             int64
	StripeCount            int
	MountPoint             string
	Path                   string
	BackendShare           string
	Comment                string
	Available              bool
	Browseable             bool
	ReadOnly               bool
	GuestOK                bool
	ChangeNotify           bool
	OtherWriters           bool
	ContinuousAvailability bool
	StrictAcknowledge      bool
	ValidUsers             []string
	InvalidUsers           []string
	HostsAllow             []string
	HostsDeny              []string
	Encryption             string
	Volume                 string
	VolumeSerial           uint32
	SmbdOptions            []SmbdOption
}

// Route is one entry of a share's "route": a subtree and the backends that serve its names.
type Route struct {
	Path     string // from the share's root, with / before each component
	Backends []string
}

// SmbdOption is a line that goes into the backend's smb.conf as it is: "smbd:NAME = VALUE".
type SmbdOption struct {
	Name  string
	Value string
	smbconf.Position
}

// usedBy says whether a backend serves the share, or a part of it.
func (s *Share) usedBy(b *Backend) bool {
	return slices.Contains(s.Backends, b.Name) ||
		slices.ContainsFunc(s.Routes, func(r Route) bool { return slices.Contains(r.Backends, b.Name) })
}

// dataOf says whether a backend serves the data of the share's files apart from their names.
func (s *Share) dataOf(b *Backend) bool { return slices.Contains(s.OSTBackends, b.Name) }

// dataShare is the share's name at the backends of data: hidden, and for nothing else.
func (s *Share) dataShare() string { return s.BackendShare + ".data$" }

// backend finds a backend by its name, nil if there is none. Names compare as section names do.
func (c *Config) backend(name string) *Backend {
	for _, b := range c.Backends {
		if smbconf.SectionKey(b.Name) == smbconf.SectionKey(name) {
			return b
		}
	}
	return nil
}
