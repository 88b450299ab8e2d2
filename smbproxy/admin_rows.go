package main

import (
	"fmt"
	"os"
	"slices"

	"smbproxy/demux/backend"
	"smbproxy/internal/smbconf"
)

// status is what `smbproxy status` shows (adminSource).
func (n *node) status() statusReply {
	now := n.current.Load()
	state := n.state.Stats()
	trees, opens := n.demux.Counts()
	reply := statusReply{
		Version: versionString(), PID: os.Getpid(), ServerName: now.cfg.Global.NetBIOSName, ServerGUID: formatGUID(n.guid), Started: n.started,
		Config: n.configFile, ConfigLoaded: now.at, Listening: n.listeners.addresses(), Draining: n.draining.Load(),
		Connections: len(n.sessions.Connections()), Sessions: len(n.sessions.Sessions()), Trees: trees, Opens: opens,
		Disconnected: state.Disconnected, Files: state.Files, Leases: state.Leases, Watches: state.Watches, Waiting: state.Waiting,
		Backends: []backendStatus{}, Shares: []shareStatus{},
	}
	if faults := n.faults.Load(); faults != nil {
		reply.ReloadFaults = *faults
	}
	for _, w := range flatten(n.auth.Load().Fault()) {
		reply.Warnings = append(reply.Warnings, w.Error())
	}
	pools := n.pools.status()
	for _, b := range now.cfg.Backends {
		row := summary(pools[b.Name])
		row.Name, row.Address, row.Shares = b.Name, b.Address, sharesOf(now.cfg, b)
		reply.Backends = append(reply.Backends, row)
	}
	for _, s := range now.cfg.Shares {
		if s.Available {
			reply.Shares = append(reply.Shares, shareStatus{Name: s.Name, Backend: smbconf.FormatList(s.Backends), ReadOnly: s.ReadOnly})
		}
	}
	return reply
}

// summary adds up the lanes of a backend.
func summary(st backend.Status) (row backendStatus) {
	row.State = st.State.String()
	if st.Down != nil {
		row.Down = st.Down.Error()
	}
	for _, lane := range st.Lanes {
		if lane.Connected {
			row.Lanes++
		}
		row.Clients += lane.Clients
		row.Opens += lane.Opens
	}
	return row
}

// sharesOf counts the shares that a backend serves.
func sharesOf(cfg *Config, b *Backend) (count int) {
	for _, s := range cfg.Shares {
		if s.Available && s.usedBy(b) {
			count++
		}
	}
	return count
}

// sessionRows is what `smbproxy sessions` shows (adminSource).
func (n *node) sessionRows() []sessionRow {
	shares := map[uint64][]string{}
	for _, t := range n.demux.Trees() {
		if !slices.Contains(shares[t.SessionID], t.Share) {
			shares[t.SessionID] = append(shares[t.SessionID], t.Share)
		}
	}
	rows := []sessionRow{}
	for _, s := range n.sessions.Sessions() {
		row := sessionRow{
			ID: hexID(s.ID), User: s.User, Domain: s.Domain, Guest: s.Guest, Client: s.Client, Dialect: s.Dialect, Signing: s.Signing,
			Encryption: s.Encryption, Connected: s.Since, Channels: len(s.Connections), Shares: shares[s.ID],
		}
		if s.Anonymous {
			row.User = "(anonymous)"
		}
		if row.Shares == nil {
			row.Shares = []string{}
		}
		slices.Sort(row.Shares)
		rows = append(rows, row)
	}
	return rows
}

// hexID writes an id as logs and captures do.
func hexID(id uint64) string { return fmt.Sprintf("0x%x", id) }

// addGauges registers what is asked for when Prometheus looks.
func (n *node) addGauges() {
	n.metrics.gauge("smbproxy_client_connections", "Connections of clients.", func() float64 { return float64(len(n.sessions.Connections())) })
	n.metrics.gauge("smbproxy_client_sessions", "Authenticated sessions of clients.", func() float64 { return float64(len(n.sessions.Sessions())) })
	n.metrics.gauge("smbproxy_opens", "Files and directories that clients have open.", func() float64 {
		_, opens := n.demux.Counts()
		return float64(opens)
	})
	n.metrics.gauge("smbproxy_secrets_faulty", "1: the password file or the clients' keytab, as it is on disk now, cannot be used; the last good content is.", func() float64 {
		if n.auth.Load().Fault() != nil {
			return 1
		}
		return 0
	})
	n.metrics.registry.MustRegister(backendCollector{n.pools})
}
