package main

import "time"

// What the admin socket speaks: JSON over HTTP over a unix socket. The commands' --json prints
// these as they are, so fields are only ever added.

// statusReply answers GET /status.
type statusReply struct {
	Version      string          `json:"version"`
	PID          int             `json:"pid"`
	ServerName   string          `json:"server_name"`
	ServerGUID   string          `json:"server_guid"`
	Started      time.Time       `json:"started"`
	Config       string          `json:"config"`
	ConfigLoaded time.Time       `json:"config_loaded"`
	ReloadFaults []string        `json:"reload_faults,omitempty"` // why the last reload was refused; empty: it was not
	Warnings     []string        `json:"warnings,omitempty"`      // files that went bad while running
	Listening    []string        `json:"listening"`
	Draining     bool            `json:"draining"`
	Connections  int             `json:"connections"`
	Sessions     int             `json:"sessions"`
	Trees        int             `json:"trees"`
	Opens        int             `json:"opens"`
	Disconnected int             `json:"disconnected"` // durable handles that wait for their client
	Files        int             `json:"files"`        // that are open, each counted once
	Leases       int             `json:"leases"`
	Watches      int             `json:"watches"` // directories that clients want to be notified of
	Waiting      int             `json:"waiting"` // requests that wait for an acknowledgement, a lock, a name or a change
	Backends     []backendStatus `json:"backends"`
	Shares       []shareStatus   `json:"shares"`
}

// backendStatus is one backend in statusReply.
type backendStatus struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Shares  int    `json:"shares"` // how many it serves
	Lanes   int    `json:"lanes"`  // connections that are up
	Clients int    `json:"clients"`
	Opens   int64  `json:"opens"`
	State   string `json:"state"`          // as in GET /backends
	Down    string `json:"down,omitempty"` // why it cannot be reached
}

// shareStatus is one share in statusReply.
type shareStatus struct {
	Name     string `json:"name"`
	Backend  string `json:"backend"`
	ReadOnly bool   `json:"read_only"`
}

// sessionRow is one element of the answer to GET /sessions.
type sessionRow struct {
	ID         string    `json:"id"`
	User       string    `json:"user"`
	Domain     string    `json:"domain,omitempty"`
	Guest      bool      `json:"guest,omitempty"`
	Client     string    `json:"client"`
	Dialect    string    `json:"dialect"`
	Signing    string    `json:"signing"`
	Encryption string    `json:"encryption"`
	Connected  time.Time `json:"connected"`
	Channels   int       `json:"channels"`
	Shares     []string  `json:"shares"`
}

// openRow is one element of the answer to GET /opens. Words are smbstatus's where it has one.
type openRow struct {
	ID            string     `json:"id"`
	Session       string     `json:"session,omitempty"` // none: disconnected, a durable handle
	User          string     `json:"user"`
	Client        string     `json:"client,omitempty"`
	Share         string     `json:"share"`
	Name          string     `json:"name"`
	Directory     bool       `json:"directory"`
	Access        string     `json:"access"` // r, w, d
	AccessMask    string     `json:"access_mask"`
	Granted       string     `json:"granted_access"`
	ShareMode     string     `json:"sharemode"` // of R, W, D: what others may
	DenyMode      string     `json:"deny_mode"` // DENY_NONE, DENY_WRITE, DENY_READ, DENY_ALL
	ReadWrite     string     `json:"rw"`        // RDONLY, WRONLY, RDWR
	Oplock        string     `json:"oplock"`    // NONE, LEVEL_II, EXCLUSIVE, EXCLUSIVE+BATCH, LEASE(RWH)
	LeaseKey      string     `json:"lease_key,omitempty"`
	Breaking      bool       `json:"breaking,omitempty"` // the client has been asked to give oplock or lease back
	Locks         int        `json:"locks,omitempty"`
	Durable       string     `json:"durable,omitempty"` // v1, v2, persistent, resilient
	DeleteOnClose bool       `json:"delete_on_close,omitempty"`
	DeletePending bool       `json:"delete_pending,omitempty"`
	Backend       string     `json:"backend"`
	Opened        *time.Time `json:"opened,omitempty"`
}

// lockRow is one element of the answer to GET /locks: a byte range.
type lockRow struct {
	Open    string `json:"open"`
	User    string `json:"user"`
	Client  string `json:"client,omitempty"`
	Share   string `json:"share"`
	Name    string `json:"name"`
	Type    string `json:"type"` // R shared, W exclusive
	Start   uint64 `json:"start"`
	Size    uint64 `json:"size"`
	Waiting bool   `json:"waiting,omitempty"` // for others' locks
}

// leaseRow is one element of the answer to GET /leases.
type leaseRow struct {
	Key        string   `json:"lease_key"`
	ClientGUID string   `json:"client_guid"`
	User       string   `json:"user"`
	Client     string   `json:"client,omitempty"`
	Share      string   `json:"share"`
	Name       string   `json:"name"`
	Directory  bool     `json:"directory"`
	Caching    string   `json:"caching"` // of R, W, H
	Breaking   bool     `json:"breaking,omitempty"`
	Epoch      uint16   `json:"epoch"`
	Version    uint8    `json:"version"`
	Parent     string   `json:"parent_lease_key,omitempty"`
	Opens      []string `json:"opens"`
}

// notifyRow is one element of the answer to GET /notify: a directory that is watched.
type notifyRow struct {
	Open     string `json:"open"`
	User     string `json:"user"`
	Client   string `json:"client,omitempty"`
	Share    string `json:"share"`
	Name     string `json:"name"`
	Filter   string `json:"filter"`
	Subtree  bool   `json:"subtree"`
	Requests int    `json:"requests"`           // that wait for a change
	Buffered int    `json:"buffered,omitempty"` // changes that wait for a request
	Overflow bool   `json:"overflow,omitempty"`
}

// closeReply answers POST /close.
type closeReply struct {
	Fault    string       `json:"fault,omitempty"` // why nothing was closed
	Sessions []sessionRow `json:"sessions,omitempty"`
	Opens    []openRow    `json:"opens,omitempty"`
}

// reloadReply answers POST /reload. Faults is empty when the new configuration is in force.
type reloadReply struct {
	Faults []string `json:"faults,omitempty"`
	Notes  []string `json:"notes,omitempty"` // changes that only a restart puts in force
}
