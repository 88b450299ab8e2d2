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
// one lane (by affinity), and on another with its pipes. Lanes are dialed when first needed and again when lost.
//
// # The way of a call
//
//	Tree.Submit ── credits? ──yes──> message id, in flight ──> sign or seal ──> socket
//	                  │ no                   ▲ pump (a reply brought credits)
//	                  └──> fair queue ───────┘
//	reader: verify ──> interim: Completion.Pending    (moves to pending, CANCEL by AsyncId)
//	               └─> final:   Completion.Complete   (exactly once)
//	lane lost, session or tree gone: Complete with ntstatus.UnexpectedNetworkError
//
// Submit never blocks and allocates nothing; completions run on the lane's reader
// goroutine (errors found at once: on the submitter's). There is no goroutine per
// call. A few credits stay with CLOSE, TREE_DISCONNECT and LOGOFF; CANCEL needs
// none.
//
// # Watching
//
// Pool.Run looks at every lane each 100 ms: a lane whose oldest unanswered
// request is older than SlowAfter gets no new clients, one older than
// RequestTimeout ends its lane. Requests that may wait for ever by their nature
// (LOCK, CHANGE_NOTIFY, pipes) do not count. Once a second unused trees and
// sessions are given up, and sessions are reauthenticated before their ticket
// ends. One tree connect (IPC$) is kept on each lane: smbd drops a connection
// without any.
//
// # Locks
//
// connection.mu before Pool.mu; neither is held over I/O or over a Completion.
// Everything of connection, session, treeConnect, clientQueue and of a submitted
// Call is guarded by connection.mu unless its comment says otherwise.
package backend
