package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"smbproxy/acl"
)

// listeners are the sockets that clients connect to. A reload opens new ones and closes those that
// are no longer wanted; connections made through them live on.
type listeners struct {
	gate *hostGate
	dead *deadClients
	log  *slog.Logger
	// serve accepts until its listener is closed; it runs on a goroutine of its own, which the
	// group of the node waits for.
	serve func(ln net.Listener)

	mu   sync.Mutex // guards open
	open map[string]net.Listener
}

// set opens what addresses asks for and, if all of it could be opened, closes the rest. If not,
// nothing has changed.
func (l *listeners) set(addresses []string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	fresh := map[string]net.Listener{}
	var faults []error
	for _, a := range addresses {
		if l.open[a] != nil {
			continue
		}
		ln, err := listenTCP(a)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		fresh[a] = ln
	}
	if len(faults) > 0 {
		for _, ln := range fresh {
			_ = ln.Close() // nobody has connected
		}
		return errors.Join(faults...)
	}
	for a, ln := range l.open {
		if !slices.Contains(addresses, a) {
			_ = ln.Close() // ends its serve
			delete(l.open, a)
			l.log.Info("stopped listening", "address", a)
		}
	}
	for a, ln := range fresh {
		l.open[a] = ln
		l.log.Info("listening", "address", ln.Addr().String())
		l.serve(&gatedListener{ln, l.gate, l.dead, l.log})
	}
	return nil
}

// addresses are the sockets' own, sorted.
func (l *listeners) addresses() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := []string{}
	for _, ln := range l.open {
		out = append(out, ln.Addr().String())
	}
	slices.Sort(out)
	return out
}

func listenTCP(address string) (net.Listener, error) {
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	return ln, nil
}

// hostGate is `hosts allow` and `hosts deny` of [global].
type hostGate struct{ policy atomic.Pointer[acl.Policy] }

// set puts two lists in force.
func (g *hostGate) set(allow, deny []string) error {
	var p acl.Policy
	var errs [2]error
	p.HostsAllow, errs[0] = acl.ParseHosts(allow)
	p.HostsDeny, errs[1] = acl.ParseHosts(deny)
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	g.policy.Store(&p)
	return nil
}

// admits says whether somebody at addr may connect at all.
func (g *hostGate) admits(addr netip.Addr) error {
	return g.policy.Load().Admit(context.Background(), acl.Subject{Addr: addr}, addressesOnly{})
}

// addressesOnly is the Lookup of lists that hold no names: checkGlobalHosts has seen to it, because
// a question to DNS would hold up everybody who connects.
type addressesOnly struct{}

// Member is never asked: there are no users at this point.
func (addressesOnly) Member(context.Context, string, string) (bool, error) { return false, nil }

// HostNames knows none.
func (addressesOnly) HostNames(context.Context, netip.Addr) []string { return nil }

// gatedListener closes connections from addresses that [global] refuses, before a byte is read.
type gatedListener struct {
	net.Listener
	gate *hostGate
	dead *deadClients
	log  *slog.Logger
}

// Accept returns the next connection that is let in.
func (l *gatedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		t, ok := c.RemoteAddr().(*net.TCPAddr)
		if !ok {
			return c, nil
		}
		denied := l.gate.admits(t.AddrPort().Addr().Unmap())
		if denied == nil {
			l.watch(c)
			return c, nil
		}
		l.log.Info("connection refused", "client", t.String(), "reason", denied.Error())
		_ = c.Close() // nothing was sent on it
	}
}

// watch has the kernel look after a connection.
func (l *gatedListener) watch(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		if err := l.dead.set.Load().apply(t); err != nil {
			l.log.Warn("a dead client will not be noticed", "client", c.RemoteAddr().String(), "error", err)
		}
	}
}
