package main

import (
	"cmp"
	"slices"

	"smbproxy/demux"
	"smbproxy/statedb/core"
)

// openRows is what `smbproxy opens` shows (adminSource).
func (n *node) openRows() []openRow {
	rows := []openRow{}
	for _, o := range n.demux.Opens() {
		rows = append(rows, newOpenRow(&o))
	}
	return rows
}

// newOpenRow puts an open in smbstatus's words.
func newOpenRow(o *demux.Open) openRow {
	row := openRow{
		ID: hexID(o.FileID), User: o.User, Client: o.Client, Share: o.Share, Name: cmp.Or(o.Path, `\`), Directory: o.Directory,
		Access: accessWord(o.Access), AccessMask: mask(uint32(o.Access)), Granted: mask(uint32(o.Granted)),
		ShareMode: shareMode(o.ShareAccess), DenyMode: denyMode(o.ShareAccess), ReadWrite: readWrite(o.Granted), Oplock: "NONE",
		Backend: o.Backend,
	}
	if o.SessionID != 0 {
		row.Session = hexID(o.SessionID)
	}
	if !o.Since.IsZero() {
		row.Opened = &o.Since
	}
	if o.Pipe {
		row.ShareMode, row.DenyMode = "RWD", "DENY_NONE"
	}
	if i := o.State; i != nil {
		row.Oplock, row.Breaking, row.Locks, row.Durable = oplockWord(i), i.Breaking, i.Locks, i.Durable
		row.DeleteOnClose, row.DeletePending = i.DeleteOnClose, i.DeletePending
		if i.LeaseKey != ([16]byte{}) {
			row.LeaseKey = leaseKey(i.LeaseKey)
		}
	}
	return row
}

// opensByID finds the rows that tell whose a lock, a lease or a watch is.
func (n *node) opensByID() map[core.OpenID]openRow {
	rows := map[core.OpenID]openRow{}
	for _, o := range n.demux.Opens() {
		rows[core.OpenID(o.FileID)] = newOpenRow(&o)
	}
	return rows
}

// lockRows is what `smbproxy locks` shows (adminSource), by file and offset.
func (n *node) lockRows() []lockRow {
	opens := n.opensByID()
	rows := []lockRow{}
	for _, l := range n.state.Locks() {
		o, ok := opens[l.Open]
		if !ok {
			o.Share, o.Name = n.demux.ShareOf(l.Name.Volume), l.Name.Path
		}
		row := lockRow{
			Open: hexID(uint64(l.Open)), User: o.User, Client: o.Client, Share: o.Share, Name: o.Name, Type: "R",
			Start: l.Offset, Size: l.Length, Waiting: l.Waiting,
		}
		if l.Exclusive {
			row.Type = "W"
		}
		rows = append(rows, row)
	}
	slices.SortStableFunc(rows, func(a, b lockRow) int {
		return cmp.Or(cmp.Compare(a.Share, b.Share), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Start, b.Start), cmp.Compare(a.Open, b.Open))
	})
	return rows
}

// leaseRows is what `smbproxy leases` shows (adminSource), by file.
func (n *node) leaseRows() []leaseRow {
	opens := n.opensByID()
	rows := []leaseRow{}
	for _, l := range n.state.Leases() {
		row := leaseRow{
			Key: leaseKey(l.ID.Key), ClientGUID: leaseKey(l.ID.Client), User: l.User, Share: n.demux.ShareOf(l.Name.Volume), Name: cmp.Or(l.Name.Path, `\`),
			Directory: l.Directory, Caching: caching(l.State), Breaking: l.Breaking, Epoch: l.Epoch, Version: l.Version, Opens: []string{},
		}
		if l.Parent != nil {
			row.Parent = leaseKey(*l.Parent)
		}
		for _, id := range l.Opens {
			row.Opens = append(row.Opens, hexID(uint64(id)))
			if o, ok := opens[id]; ok && o.Session != "" {
				row.Client, row.Share, row.Name = o.Client, o.Share, o.Name
			}
		}
		slices.Sort(row.Opens)
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b leaseRow) int {
		return cmp.Or(cmp.Compare(a.Share, b.Share), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ClientGUID, b.ClientGUID), cmp.Compare(a.Key, b.Key))
	})
	return rows
}

// notifyRows is what `smbproxy notify` shows (adminSource), by directory.
func (n *node) notifyRows() []notifyRow {
	opens := n.opensByID()
	rows := []notifyRow{}
	for _, w := range n.state.Watches() {
		o, ok := opens[w.Open]
		if !ok {
			o.Share, o.Name = n.demux.ShareOf(w.Name.Volume), cmp.Or(w.Name.Path, `\`)
		}
		rows = append(rows, notifyRow{
			Open: hexID(uint64(w.Open)), User: o.User, Client: o.Client, Share: o.Share, Name: o.Name, Filter: mask(uint32(w.Filter)),
			Subtree: w.Tree, Requests: w.Waiting, Buffered: w.Buffered, Overflow: w.Overflow,
		})
	}
	slices.SortFunc(rows, func(a, b notifyRow) int {
		return cmp.Or(cmp.Compare(a.Share, b.Share), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Open, b.Open))
	})
	return rows
}
