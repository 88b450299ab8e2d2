package core

// RequestOf returns the RequestID of a command that may be answered StatusPending, 0 for
// all others.
func RequestOf(c Command) RequestID {
	switch c := c.(type) {
	case *Open:
		return c.Req
	case *Begin:
		return c.Req
	case *Lock:
		return c.Req
	case *Notify:
		return c.Req
	case *Rename:
		return c.Req
	case *Replace:
		return c.Req
	case *SetDisposition:
		return c.Req
	}
	return 0
}
