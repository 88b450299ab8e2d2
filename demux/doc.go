// Package demux joins the client side (session) to the backends: the table of commands, one
// file per command, and what must be known to relay each.
//
// # The way of a request
//
//	session reader -> row of the table -> Run -> op: the client's frame, its FileId rewritten
//	    -> backend.Tree.Submit -> (smbd) -> op.Complete on the lane's reader
//	    -> reply looked at, its FileIds rewritten -> Request.ReplyFrame -> client
//
// No goroutine and no copy of a payload on that way; an op is pooled. What must wait for more
// than one answer (TREE_CONNECT, CREATE, rename, deletion, a lost backend's reconnection, a server-side
// copy whose source is elsewhere) runs by Request.Go.
//
// # What is what
//
//	clientSession 1 --- n tree 1 --- n open      session.Session.Upper, session.TreeConnect.Upper
//	                      |             |
//	                      +- attachment-+        one tree connect at a backend, counted
//
// A tree has an attachment to each backend that it has needed; an open is held by a handle (handle.go)
// through one of them. Where that is lost or to be left, the open moves and its requests with it: park.go
// has the states, move.go how, replay.go what may be sent again, kept.go and restore.go what was answered
// and not on disk, sweep.go who is moved on purpose.
//
// # Where to change what
//
//	which command needs what            commands.go
//	a command                           its file; CREATE: create.go, create_backend.go, create_state.go
//	an FSCTL, an information class      fsctl.go, query_info.go, set_info.go: allow-lists
//	FileIds                             idmap.go, the only place where both kinds meet
//	names                               names.go
//	handles that outlive sessions       create_durable.go, detached.go, reconnect.go; restarts: recover.go
//	which backend                       homes.go; for data: striping.go, layout/
//
// # Data at other backends
//
//	open.data (spread) -- slots -- dataHandle     spread.go: opened by the first I/O (spread_open.go), closed before names
//	      |                                       spread_io.go: one place: relayed; several: split.go
//	   dataFile: layout, dirty backends           data_file.go: of the file, not the open; layouts are read by mount.go
//
// # Who decides
//
// Share modes, oplocks, leases, byte-range locks and delete-pending are statedb's: backends open
// every file with full sharing and without oplock, and only learn of a deletion (close.go). What
// statedb wants of a client comes in by sink.go. A read-only share is enforced here (read_only.go):
// no request that could change something leaves for the backend.
//
// Who watches a directory, or holds a lease of one, is told by the state, which hears of all changes that are made through
// us: notify_events.go. What others change behind us comes from the backend: change_notify_backend.go.
//
// # Locks
//
// Demux.mu > tree.mu > clientSession.mu > open.mu; Sink.mu alone; none is held over a call to session, backend or statedb.
package demux
