// Package rawsmb is the SMB2/3 client of the tests: it sends exactly what a test says, right or wrong,
// and shows exactly what came back.
//
// go-smb2 and smbclient prove that ordinary clients work; neither lets a test choose a MessageId, leave out
// a signature or build a compound. The oracle compares what a backend and the proxy answer to it, the load
// generator drives thousands of connections with it, and the hostile-input tests break its messages.
//
// It uses internal/smb2 for messages and crypto for keys, but not internal/transport: a fault in the
// product's framing must not cancel itself out. Its NTLM comes from a library, not from session/auth, for
// the same reason.
//
// One goroutine per connection reads; a caller waits on the channel of its request. Lock order: none, Conn
// has a single mutex.
package rawsmb
