// Package transport is one SMB connection over TCP, in either role: it cuts the
// stream into frames, unseals and seals them, and writes without waiting for the
// peer ([MS-SMB2] 2.1, 2.2.41, 3.1.4.3). What the messages say is not its
// business, apart from where a signature is and how a compound is strung.
//
//	         Serve's goroutine (the only reader)          anyone
//	                  |                                      |
//	socket -> read buffer -> Frame -> fn(f) ---------> Send(f, seal)
//	          (pooled, taken           (borrowed)            |
//	          when readable)                     nonblocking write to the socket
//	                                                         | what it does not take
//	                                             queue -> writer goroutine, on demand
//
// # Run to completion
//
// fn runs on the reader's goroutine and normally ends in a Send on another
// connection: no goroutine and no channel stands between two sockets. While more
// complete frames wait in the read buffer, small sends are held back and leave
// together. fn must not block.
//
// # Buffers
//
// An idle connection holds none. A frame given to fn is borrowed: it lies in the
// read buffer, its head room is where the frame before it was, its tail room is
// the start of the next one. Detach makes an owned frame of it, by reference if
// it is large and nothing lies behind it, else by copying. Frames larger than
// the read buffer get a buffer of their own, but only once a part of them worth
// the memory has arrived. After Send a frame's bytes belong to the connection:
// Release is the only thing left to do with it.
//
// SetPoison makes released bytes unreadable, for tests.
//
// # Locks
//
// sendState.mu is taken before reader.dirtyMu; nothing is called under either
// but nonblocking writes, which have to happen in order. What waits for the peer
// (the writer's write, Close) runs without.
package transport
