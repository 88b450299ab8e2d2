package backend

// Usable says whether a new open may go to the backend: it is not known to be unreachable, or it is time to try again.
func (p *Pool) Usable() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.closed && (p.down.err == nil || !p.down.probing && p.now() >= p.down.retryAt)
}
