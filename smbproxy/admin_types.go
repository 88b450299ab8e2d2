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

// openRow is one element of the answer to GET /opens.
type openRow struct {
	ID         string    `json:"id"`
	Session    string    `json:"session"`
	User       string    `json:"user"`
	Client     string    `json:"client"`
	Share      string    `json:"share"`
	Name       string    `json:"name"`
	Directory  bool      `json:"directory"`
	Access     string    `json:"access"` // r, w, d
	AccessMask string    `json:"access_mask"`
	Backend    string    `json:"backend"`
	Opened     time.Time `json:"opened"`
}

// reloadReply answers POST /reload. Faults is empty when the new configuration is in force.
type reloadReply struct {
	Faults []string `json:"faults,omitempty"`
	Notes  []string `json:"notes,omitempty"` // changes that only a restart puts in force
}
