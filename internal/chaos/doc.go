// Package chaos loses backends in the middle of things: the harness behind "make chaos".
//
//	Plan   what happens in one run, drawn from a seed: workload, fault, victim, moment
//	 |
//	 v     a cluster of its own: three backends, each on its node of a cluster file system
//	Run -- clients of the workload, round after round -------------------------------+
//	 |  -- pulse: one more client that writes, reads and opens all the time          |
//	 |  -- the fault, at the moment; the backend comes back when the pulse goes on   |
//	 v                                                                               v
//	Result: the longest pause of the pulse; every client's status; names and contents afterwards
//
// A run fails when a client ends with another exit status than 0 or prints an error line, when
// anything on the file system afterwards differs from what the workload makes without a fault, when
// the pulse reads what it did not write, and when the pause is longer than [Fault].Limit.
//
// The backends write nothing back by themselves (clusterfs.Options.WriteBack), so that what is lost
// with a node is all that was not flushed.
//
// TestShort has one run each of combinations that hold, with small files; what does not hold stands
// at its table. make chaos has 50 random ones with large files, of all there are.
package chaos
