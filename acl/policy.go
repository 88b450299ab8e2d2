package acl

import (
	"context"
	"fmt"
	"net/netip"
)

// Subject is who asks: the authenticated user and the address of his connection.
type Subject struct {
	User, Domain string
	Addr         netip.Addr
}

// Lookup answers what only the system knows. Both may block until ctx ends.
type Lookup interface {
	// Member says whether the user is in the UNIX group. A group that does not exist has no
	// members; an error is a question that could not be answered.
	Member(ctx context.Context, user, group string) (bool, error)
	// HostNames are the names of an address that resolve back to it, none if it has none.
	HostNames(ctx context.Context, addr netip.Addr) []string
}

// Policy is what one share's section says of who may use it.
type Policy struct {
	ValidUsers   Users // empty: anybody
	InvalidUsers Users // wins over ValidUsers
	HostsAllow   Hosts // empty: any host
	HostsDeny    Hosts
	ReadOnly     bool
}

// Denied is why a subject may not use a share: the parameter that says so, for the log. The
// client learns only that access is denied.
type Denied struct {
	Parameter string
	Subject   Subject
}

func (d *Denied) Error() string {
	return fmt.Sprintf("user %q at %s is refused by %q", d.Subject.User, d.Subject.Addr, d.Parameter)
}

// Admit says whether the subject may connect to the share; the error is a *Denied. The
// host lists go first, as in smbd, so that a refused address costs no group look-up.
func (p *Policy) Admit(ctx context.Context, s Subject, l Lookup) error {
	if !admits(ctx, p.HostsAllow, p.HostsDeny, &s, l) {
		if p.HostsAllow.Empty() {
			return &Denied{"hosts deny", s}
		}
		return &Denied{"hosts allow", s}
	}
	if p.InvalidUsers.contains(ctx, &s, l, true) {
		return &Denied{"invalid users", s}
	}
	if !p.ValidUsers.Empty() && !p.ValidUsers.contains(ctx, &s, l, false) {
		return &Denied{"valid users", s}
	}
	return nil
}
