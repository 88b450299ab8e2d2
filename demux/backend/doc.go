// Package backend is the SMB 3.1.1 client towards one stock smbd ([MS-SMB2] 3.2),
// as a relay needs it: few connections, many users on each, every request in the
// name of its user, frames passed through without copying.
//
//	Pool ── lane 0 ── connection ── session (user) ── treeConnect (share)
//	     ── lane 1      one smbd process      └─ minted ticket     ▲
//	     ── ...                                                    │ refs
//	                                              Tree (one per Connect, with the client's affinity)
//
// A lane is a slot for a connection: smbd serves one connection with one process
// and one main thread, so what blocks there blocks the lane. A client stays on
// one lane (by affinity), and on others with its data handles and its pipes. Lanes
// are dialed when first needed and again when lost; who gets which: place.go.
//
// # The way of a call
//
//	Tree.Submit ── credits? ──yes──> message id, in flight ──> sign or seal ──> socket
//	                  │ no                   ▲ pump (a reply brought credits)
//	                  └──> fair queue ───────┘
//	reader: verify ──> interim: Completion.Pending    (moves to pending, CANCEL by AsyncId)
//	               └─> final:   Completion.Complete   (exactly once)
//	lane lost, session or tree gone: Complete with a LostError, in the order of MessageId
//
// Submit never blocks and allocates nothing; completions run on the lane's reader
// goroutine (errors found at once: on the submitter's). There is no goroutine per
// call. A few credits stay with CLOSE, TREE_DISCONNECT and LOGOFF; CANCEL needs
// none.
//
// # Watching
//
// Pool.Run looks at every lane each 50 ms (tick). A lane whose oldest request waits
// for longer than SlowAfter gets no new clients; if not even an ECHO is answered it
// is stuck: smbd hangs in the file system for one user's sake, others go elsewhere
// with what they open (Avoid), and nothing ends the lane while the backend lives.
// Requests that may wait for ever by their nature (LOCK, CHANGE_NOTIFY, pipes) do
// not count. The state of the backend: health.go. Once a second unused trees and
// sessions are given up, and sessions are reauthenticated before their ticket ends.
// One tree connect (IPC$) is kept on each lane: smbd drops a connection without any.
//
// # After a loss
//
// Sessions that had changes in flight are in Lost until they are fenced (fence.go);
// only then may anybody do elsewhere what they may still do. No fence is needed
// where smbd's end of the connection was closed by its kernel and the host refuses
// new ones: then the process is gone. A firewall that answers in smbd's place must
// drop packets, not reject them.
//
// # Locks
//
// connection.mu before Pool.mu; neither is held over I/O or over a Completion.
// Everything of connection, session, treeConnect, clientQueue and of a submitted
// Call is guarded by connection.mu unless its comment says otherwise.
package backend
