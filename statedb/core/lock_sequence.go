package core

// lockSequences is the number of lock sequences an open remembers ([MS-SMB2] 3.3.1.10).
const lockSequences = 64

// noSequence marks an entry as not valid; numbers have four bits.
const noSequence = 0xFF

// lockSequence is the LockSequence of one request, index 0 where it is not looked at.
type lockSequence struct {
	index  uint32
	number uint8
}

// sequence says whether the request's sequence counts: on resilient, durable and
// persistent opens, and on all where the caller says so ([MS-SMB2] 3.3.5.14).
func (c *Lock) sequence(o *open) lockSequence {
	if c.SequenceIndex == 0 || c.SequenceIndex > lockSequences || !c.Verify && o.durable() == nil {
		return lockSequence{}
	}
	return lockSequence{c.SequenceIndex, c.SequenceNumber}
}

// replayed says whether this very request has succeeded before.
func (q lockSequence) replayed(o *open) bool {
	return q.index != 0 && o.extra != nil && o.extra.seq != nil && o.extra.seq[q.index-1] == q.number
}

// start makes the entry invalid until the request has succeeded.
func (q lockSequence) start(o *open) {
	if q.index == 0 {
		return
	}
	x := o.more()
	if x.seq == nil {
		x.seq = new([lockSequences]uint8)
		for i := range x.seq {
			x.seq[i] = noSequence
		}
	}
	x.seq[q.index-1] = noSequence
}

// done remembers the request.
func (q lockSequence) done(o *open) {
	if q.index != 0 {
		o.extra.seq[q.index-1] = q.number
	}
}
