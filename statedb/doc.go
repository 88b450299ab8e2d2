// Package statedb owns the state of open files. Owner is the driver of one shard: it runs
// the pure state machine of statedb/core under one mutex, keeps persistent handles in a
// statedb/store, and carries effects out after it has let go of the mutex. DB is what the
// rest of the program sees; an owner on another node will be one more DB.
//
// The way of a command:
//
//	Do --- mu ---> core.Apply ---> result, effects
//	                                 |        |
//	                 nothing to keep |        | records
//	                                 v        v
//	              queue (in order) <--- writer: one transaction, one sync for all that wait
//	                     |
//	                 deliver, one goroutine at a time, no lock held:
//	                 Sink.BreakOplock, Sink.BreakLease, Sink.Closed, done(result)
//
// Steps of CREATE ([DESIGN] 7) and the calls that belong to them:
//
//	before 2   Begin{Req, Name, MayCreate}       may be Pending: names in flight
//	step 3     Open{Req, ID, Held: true, ...}    may be Pending: breaks, or the record's sync
//	refused    close the backend handle; with Result.Retry a creating disposition starts again
//	step 4     Close{Open, Abandon: true} if the backend's second CREATE fails
//	no step 3  End{Req, Name}
//	CLOSE      Close{Open}; Result.Delete: delete at the backend, then Unlinked
//	rename     Rename{Req, ...} may be Pending; then the backend; then Renamed
//	READ       CheckIO(id, hint, ...)            free where the file has no locks
//	WRITE      CheckIO and Written(id, hint)     free where nobody caches reads
//
// An open by id is idempotent: asked twice it is the same open, so a caller that lost the
// answer asks again, or sends Close.
//
// Lock order: Owner.mu before writer.mu. No lock is held while the
// store, the sink or a done function is called, so each of them may call Do.
//
// Disk: a persistent open whose record cannot be written is taken back and refused
// (DiskFull, InsuffServerResources); changes of records of opens that exist are kept in
// memory and tried again with the next write, and everything else goes on.
package statedb
