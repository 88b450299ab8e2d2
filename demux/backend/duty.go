package backend

import (
	"fmt"

	"smbproxy/internal/ntstatus"
)

// errDisabled is what a pool says whose backend the admin has disabled.
var errDisabled = fmt.Errorf("backend is disabled: %w", ntstatus.UnexpectedNetworkError)

// Enable takes Drain and Disable back.
func (p *Pool) Enable() { p.setDuty(StateUp) }

// Drain announces that the backend is to be left. It serves whom it serves until
// the last Tree is released; then it is Disabled.
func (p *Pool) Drain() { p.setDuty(StateDraining) }

// Disable ends all lanes and refuses every Connect. Calls under way end with a
// LostError, and the sessions that had changes in flight are fenced as ever.
func (p *Pool) Disable() { p.setDuty(StateDisabled) }

// Duty is what the admin wants of the backend: StateUp, StateDraining or StateDisabled.
func (p *Pool) Duty() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.vital.admin
}

// SetDuty is Enable, Drain or Disable, for a pool that takes the place of another.
func (p *Pool) SetDuty(duty State) { p.setDuty(duty) }

// setDuty notes what the admin wants; the watcher does it.
func (p *Pool) setDuty(duty State) {
	p.mu.Lock()
	if duty != StateDraining || p.vital.admin != StateDisabled {
		p.vital.admin = duty
	}
	p.mu.Unlock()
	p.stir()
}

// Clients is how many clients have Trees: with files, with data and with pipes
// each count.
func (p *Pool) Clients() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.clients)
}
