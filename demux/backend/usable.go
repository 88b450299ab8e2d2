package backend

// Usable says whether a new open may go to the backend: its state lets it, and
// connecting has not just failed.
func (p *Pool) Usable() bool {
	if !p.State().Usable() {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.closed && (p.down.err == nil || p.down.probe == nil && p.now() >= p.down.retryAt)
}
