package demux

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os/user"
	"slices"
	"time"
)

// systemLookup answers an acl.Policy's questions from the host's NSS and DNS. Both may block.
type systemLookup struct {
	groups chan struct{} // as many as may be asked for at once
	member func(name, group string) (bool, error)
}

// maxLookups bounds the look-ups of groups under way: NSS that hangs costs so many threads, no more.
const maxLookups = 32

func newSystemLookup() *systemLookup {
	return &systemLookup{groups: make(chan struct{}, maxLookups), member: memberOf}
}

// Member says whether a user's groups, primary or supplementary, contain the named one. The C library
// cannot be told to stop asking: when ctx ends first, the answer is not waited for any more.
func (l *systemLookup) Member(ctx context.Context, name, group string) (bool, error) {
	select {
	case l.groups <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	type answer struct {
		member bool
		err    error
	}
	done := make(chan answer, 1)
	go func() {
		defer func() { <-l.groups }()
		member, err := l.member(name, group)
		done <- answer{member, err}
	}()
	select {
	case a := <-done:
		return a.member, a.err
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// memberOf asks NSS.
func memberOf(name, group string) (bool, error) {
	g, err := user.LookupGroup(group)
	var noGroup user.UnknownGroupError
	if errors.As(err, &noGroup) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	u, err := user.Lookup(name)
	if err != nil {
		return false, err
	}
	ids, err := u.GroupIds()
	return slices.Contains(ids, g.Gid), err
}

// lookupTimeout bounds the questions to DNS about one address.
const lookupTimeout = 2 * time.Second

// HostNames are the names of an address that resolve back to it: whoever controls only the
// reverse zone cannot name himself into `hosts allow`.
func (*systemLookup) HostNames(ctx context.Context, addr netip.Addr) []string {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	names, err := net.DefaultResolver.LookupAddr(ctx, addr.Unmap().WithZone("").String())
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(names, func(n string) bool {
		back, err := net.DefaultResolver.LookupNetIP(ctx, "ip", n)
		return err != nil || !slices.ContainsFunc(back, func(a netip.Addr) bool { return a.Unmap() == addr.Unmap() })
	})
}
