package backend

// clientQueue holds the calls of one client (affinity) that wait for credits on
// one connection.
type clientQueue struct {
	affinity uint64
	refs     int // Trees that use it
	calls    callList
	inRing   bool
	next     *clientQueue
}

// fairQueue hands out waiting calls one client after the other, so that a client
// with a thousand requests delays another one's only by one. Our own calls go
// first: without them no user gets anywhere.
type fairQueue struct {
	urgent     callList
	head, tail *clientQueue // ring of clients with waiting calls; emptied ones drop out when met
	n          int
}

// push appends c behind its client's other calls.
func (q *fairQueue) push(c *Call) {
	q.n++
	cl := c.client
	if c.urgent || cl == nil {
		q.urgent.push(c)
		return
	}
	cl.calls.push(c)
	if !cl.inRing {
		q.append(cl)
	}
}

// append puts a client at the end of the ring.
func (q *fairQueue) append(cl *clientQueue) {
	cl.inRing, cl.next = true, nil
	if q.tail == nil {
		q.head = cl
	} else {
		q.tail.next = cl
	}
	q.tail = cl
}

// peek is the call whose turn it is, nil if none waits.
func (q *fairQueue) peek() *Call {
	if q.urgent.head != nil {
		return q.urgent.head
	}
	for q.head != nil && q.head.calls.head == nil {
		q.rotate()
	}
	if q.head == nil {
		return nil
	}
	return q.head.calls.head
}

// rotate moves the first client to the end, or out if nothing of it waits.
func (q *fairQueue) rotate() {
	cl := q.head
	q.head = cl.next
	if q.head == nil {
		q.tail = nil
	}
	cl.inRing, cl.next = false, nil
	if cl.calls.head != nil {
		q.append(cl)
	}
}

// take removes c, the result of peek, and gives the next client its turn.
func (q *fairQueue) take(c *Call) {
	fair := c.list != &q.urgent
	q.remove(c)
	if fair {
		q.rotate()
	}
}

// remove takes any waiting call out.
func (q *fairQueue) remove(c *Call) {
	c.unlink()
	q.n--
}
