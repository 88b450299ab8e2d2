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

// systemLookup answers an acl.Policy's questions from the host's NSS and DNS. Used on
// TREE_CONNECT's goroutine only: both may block.
type systemLookup struct{}

// Member says whether a user's groups, primary or supplementary, contain the named one.
func (systemLookup) Member(name, group string) (bool, error) {
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
func (systemLookup) HostNames(addr netip.Addr) []string {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
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
