// Package core is one shard of the state of open files as a pure state machine:
// Apply(now, command) answers a result and effects. It has no goroutine, no clock and
// no I/O, and it is not safe for concurrent use: the driver (package statedb) calls it
// under one mutex and carries the effects out after it has let go of that mutex.
//
// Rules: [MS-FSA] 2.1.5.1 (share access), 2.1.4.12, 2.1.5.17, 2.1.5.18 (oplocks),
// 2.1.4.10, 2.1.5.7, 2.1.5.8 (byte-range locks), 2.1.5.5 (close), 2.1.5.11 and 2.1.5.15
// (change notification, rename, disposition); [MS-SMB2] 3.3.4.6, 3.3.4.7, 3.3.5.9,
// 3.3.5.14, 3.3.5.22. Where they leave room, Samba 4.17 is followed ("Samba:").
//
// Objects. A node is a name that is in use, in a tree of names by volume. A file is what
// the identity (volume, id, birth, snapshot) says, a stream of it has a file of its own
// that points to its base. An open joins a node and a file, and belongs to a session.
//
//	volume -- node "" -- node "dir" -- node "dir\a" <- opens -> file -> locks, waiters
//	                                                     |         \-> leases
//	                                                  session
//
// A name's way through CREATE, rename and delete:
//
//	        Begin (may create, rename)            End, Open
//	free ----------------------------> held ------------------> free
//	 |  Begin (only opens)                                        ^
//	 +----------------------> shared ---- last End or Open -------+
//	 |  last Close of a delete-pending file        Unlinked       |
//	 +----------------------> unlinking --------------------------+
//
// Whoever meets a name that is held or being unlinked waits, first come, first served.
//
// A lease or an oplock (which is a lease of one open with fewer steps):
//
//	          Open (grant, upgrade)             conflict needs an acknowledgement
//	none ----------------------------> state S ----------------------------------> breaking
//	  ^                                 |   ^                                     |  |  |
//	  |   conflict, S was R only        |   |  acknowledged, nothing left to break|  |  |
//	  +---------------------------------+   +-------------------------------------+  |  |
//	  |   35 s without an answer, or the last open closed                            |  |
//	  +------------------------------------------------------------------------------+  |
//	                 breaking <--- acknowledged, but another conflict came meanwhile ---+
//
// A durable open:
//
//	connected --- Disconnect, still with its batch oplock or H lease ---> disconnected
//	    ^                                                                   |      |
//	    +------------------------------ Reconnect --------------------------+      |
//	 closed <--- time-out; for a handle that is not persistent also a conflict ----+
//
// Everything that waits (an open, a rename, a disposition, a lock, a Begin) answered
// StatusPending and ends in exactly one Complete effect with the same RequestID; Cancel,
// Close and Release end it too. Opens, locks and names are woken in the order they came.
package core
