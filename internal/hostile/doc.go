// Package hostile sends smbproxy what no decent client sends, and holds how it must end: by which
// status, or by the end of the connection ([MS-SMB2] 3.3.5.2; where that leaves a choice, as smbd 4.17
// has it). In all cases the process lives on, other sessions notice nothing, and memory and goroutines
// come back to where they were.
//
// There are two sites:
//
//	binary   the real smbproxy before a real smbd, for what has to do with files and ids
//	stack    session, demux and demux/backend in this process before a backend in memory (store_test.go),
//	         for limits, memory, goroutines, and the fuzz target
//
// FuzzConnection is a whole connection, before and after authentication; see fuzz_test.go for how an
// input is read. TestIdle and TestBusy are the scale tests; "make scale" runs them in full size.
package hostile
