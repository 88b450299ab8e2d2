package main

import (
	"fmt"
	"time"

	"smbproxy/demux/backend"
)

// backendRow is one element of the answer to GET /backends.
type backendRow struct {
	Name     string    `json:"name"`
	Address  string    `json:"address"`
	Roles    []string  `json:"roles"`
	State    string    `json:"state"` // up, suspect, down, fenced, draining, disabled
	Duty     string    `json:"duty"`  // what the admin wants: enabled, draining, disabled
	Since    time.Time `json:"since"` // of the state
	Reason   string    `json:"reason,omitempty"`
	Shares   []string  `json:"shares"`   // that it serves
	Clients  int       `json:"clients"`  // with names, with data and with pipes each count
	Opens    int64     `json:"opens"`    // files open there
	InFlight int       `json:"inflight"` // requests sent and not answered
	Waiting  int       `json:"waiting"`  // requests that wait for credits
	Unfenced int       `json:"unfenced"` // lost sessions that may still change something
	Lanes    []laneRow `json:"lanes"`    // that are connected, or were
}

// laneRow is one lane of a backendRow: a connection, and so one smbd process.
type laneRow struct {
	Lane      int     `json:"lane"`
	Class     string  `json:"class"` // names, data, pipes
	Connected bool    `json:"connected"`
	Slow      bool    `json:"slow,omitempty"`  // its oldest request waits for long
	Stuck     bool    `json:"stuck,omitempty"` // its smbd hangs in a request
	HeadWait  float64 `json:"head_wait"`       // how long the oldest request waits, in seconds
	Clients   int     `json:"clients"`
	Users     int     `json:"users"`
	Sessions  int     `json:"sessions"`
	Opens     int64   `json:"opens"`
	InFlight  int     `json:"inflight"`
	Waiting   int     `json:"waiting"`
	Credits   int     `json:"credits"`
	Replies   uint64  `json:"replies"`
	Lost      uint64  `json:"lost"` // connections so far
	Signing   string  `json:"signing,omitempty"`
	Cipher    string  `json:"cipher,omitempty"`
}

// backendRows is what `smbproxy backends` shows (adminSource).
func (n *node) backendRows() []backendRow {
	cfg := n.current.Load().cfg
	rows := []backendRow{}
	for _, b := range cfg.Backends {
		pool := n.pools.find(b.Name)
		if pool == nil {
			continue // a reload has just taken it out
		}
		row := newBackendRow(pool.Status(), pool.Duty())
		row.Roles, row.Shares = b.Role, []string{}
		for _, s := range cfg.Shares {
			if s.Available && (s.usedBy(b) || s.dataOf(b)) {
				row.Shares = append(row.Shares, s.Name)
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// newBackendRow is what a pool says of itself.
func newBackendRow(st backend.Status, duty backend.State) backendRow {
	row := backendRow{
		Name: st.Name, Address: st.Address, State: st.State.String(), Duty: dutyWords[duty], Since: st.Since,
		Clients: st.Clients, Unfenced: st.Lost, Lanes: []laneRow{},
	}
	if st.Reason != nil {
		row.Reason = st.Reason.Error()
	}
	for _, l := range st.Lanes {
		row.Opens += l.Opens
		row.InFlight += l.InFlight
		row.Waiting += l.Waiting
		if !l.Connected && l.Clients == 0 && l.Lost == 0 {
			continue
		}
		row.Lanes = append(row.Lanes, laneRow{
			Lane: l.Lane, Class: l.Class, Connected: l.Connected, Slow: l.Slow, Stuck: l.Stuck, HeadWait: l.HeadWait.Seconds(),
			Clients: l.Clients, Users: l.Users, Sessions: l.Sessions, Opens: l.Opens, InFlight: l.InFlight, Waiting: l.Waiting,
			Credits: l.Credits, Replies: l.Replies, Lost: l.Lost, Signing: l.Signing, Cipher: l.Cipher,
		})
	}
	return row
}

// dutyWords are the words for what an admin wants of a backend.
var dutyWords = map[backend.State]string{backend.StateUp: "enabled", backend.StateDraining: "draining", backend.StateDisabled: "disabled"}

// dutyReply answers POST /duty and GET /duty.
type dutyReply struct {
	Fault   string `json:"fault,omitempty"` // there is no such backend, or no such duty
	Duty    string `json:"duty,omitempty"`
	State   string `json:"state,omitempty"`
	Clients int    `json:"clients"`
	Opens   int64  `json:"opens"`
}

// duty tells what an admin wants of a backend, and how far that is (adminSource). want changes it:
// enabled, draining or disabled; empty: nothing.
func (n *node) duty(name, want string) dutyReply {
	cfg := n.current.Load().cfg
	b := cfg.backend(name)
	if b == nil {
		return dutyReply{Fault: fmt.Sprintf("there is no [backend:%s]", name)}
	}
	pool := n.pools.find(b.Name)
	if pool == nil {
		return dutyReply{Fault: fmt.Sprintf("backend %s is just being taken out", b.Name)}
	}
	if want != "" && want != dutyWords[pool.Duty()] {
		switch want {
		case "enabled":
			pool.Enable()
		case "draining":
			pool.Drain()
		case "disabled":
			pool.Disable()
		default:
			return dutyReply{Fault: fmt.Sprintf("%q is none of enabled, draining, disabled", want)}
		}
		n.log.Info("an admin changes the duty of a backend", "backend", b.Name, "duty", want)
	}
	row := newBackendRow(pool.Status(), pool.Duty())
	return dutyReply{Duty: row.Duty, State: row.State, Clients: row.Clients, Opens: row.Opens}
}
