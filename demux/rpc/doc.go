// Package rpc is the server's end of the named pipes that speak for the cluster: connection-oriented
// DCE/RPC ([C706] chapter 12, [MS-RPCE]) over a pipe, and on it srvsvc ([MS-SRVS]) and wkssvc ([MS-WKST]),
// whose shares, sessions and files are those of smbproxy and not of any backend.
//
//	client's WRITE   ->  Pipe.Write: bytes -> PDUs -> bind, or a call   ->  srvsvc.go, wkssvc.go -> Cluster
//	client's READ    <-  Pipe.Read: one fragment after the other        <-  NDR of the answer
//
// It is pure: bytes in, bytes out, no goroutine and no I/O but what Cluster does, which must not block.
// NDR and the methods' structures are go-msrpc's; the PDUs are ours, as they are few and the library has them
// tied to a connection of its own. What a client sends is bounded before anything is allocated for it.
//
// A client may authenticate inside RPC, by NTLM: secured.go. It then stands between the client and a backend's pipe, or
// one of ours, which both know nothing of that.
//
// Methods that no row of a table names are answered with the fault nca_s_op_rng_error, as smbd does.
package rpc
