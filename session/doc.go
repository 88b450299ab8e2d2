// Package session is the client side of the proxy: everything of [MS-SMB2] 3.3 that needs no file.
// Connections, sessions, channels and tree connects live here; what a command does with files is in
// the table of commands that NewServer is given.
//
// The way of a request, all of it on the goroutine that reads the connection:
//
//	frame -> message id and credits -> compound -> session, signature, sealing, tree, size, FileId
//	      -> Run -> one of Reply, ReplyFrame, Fail, Disconnect -> sign or seal -> transport's writer
//
// A compound goes on where its current request ends, on whatever goroutine that is (chain.go).
//
// # Request
//
//	       Run                    Pending
//	new --------> running ------------------> async (interim reply sent, in Connection.pending)
//	                 |  OnCancel: in Connection.pending, no interim reply      |
//	                 |                                                         |
//	                 +------------> ended <------------------------------------+
//	                  Reply, ReplyFrame, Fail, Disconnect: once; a second is logged
//
// CANCEL, LOGOFF, TREE_DISCONNECT and connection loss only call the function given to Pending or
// OnCancel; whoever owns the request still ends it. A request of a lost connection ends silently.
//
// # Session
//
//	                 more processing                      SESSION_SETUP on a Valid session
//	                    +-----+                                    +-----------+
//	                    |     v          authenticated             |           v
//	SESSION_SETUP --> InProgress -----------------------> Valid ---+    reauthentication
//	                    |                                 |  ^  |                |
//	                    | refused              Expiry past|  |  +<---------------+ same keys
//	                    v                                 v  |                   |
//	                  Closed <------------------------- Expired                  | refused
//	                    ^    LOGOFF, PreviousSessionId, last channel gone        |
//	                    +--------------------------------------------------------+
//
// # Connection
//
//	accepted --NEGOTIATE--> negotiated --first Valid session--> authenticated --last session gone--+
//	   |  deadline, small frames  |   ^                                                            |
//	   +--> closed <--------------+   +------------------- deadline again -------------------------+
//
// # Locks
//
// Taken in this order, each only for memory, except that Request.mu is held while the interim reply is
// handed to the transport (which never waits for the peer), so that the final reply cannot overtake it:
//
//	Server.mu > Session.mu > Request.mu > Connection.mu > window.mu
//
// Upper and cancel functions are called with no lock held.
package session
