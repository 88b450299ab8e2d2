// Package bench is the load generator behind "smbproxy bench" and "make bench": many SMB clients at once,
// each with a connection, a session, a tree connect and opens of its own, which work in a closed loop.
//
//	Run ── clients (Config.Clients goroutines) ── engine raw:     internal/rawsmb.Stream, Depth requests in flight
//	 │                                        └── engine go-smb2: the library, Depth goroutines
//	 ├── phases: connect ── prepare ── warm up ── measure ── drain ── clean up
//	 └── Result: operations, bytes, latency percentiles, fairness, errors
//
// An operation is what the workload says: one READ, or CREATE with its CLOSE. Its latency counts from its
// first request to its last reply. Only operations that end while it is measured count.
//
// The raw engine is our own codec without a reader goroutine, so that it costs less than what it measures and
// can hold thousands of connections; the library is there so that figures do not rest on our own client alone.
package bench
