package lab

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Network is a network namespace with one wire to this one, so that a server in it can be cut off.
// It has no name and is gone with the last process in it and with Stop.
//
//	this namespace             the server's
//	 Host/30 --- veth -------- IP/30
type Network struct {
	Host string // our end's address
	IP   string // the other end's

	link string   // our end's name
	ns   *os.File // the namespace
}

// networkLink is the name of the wire's other end, in its namespace.
const networkLink = "eth0"

// Network makes a namespace; the lab ends it.
func (l *Lab) Network(ctx context.Context) (*Network, error) {
	if program("ip") == "" {
		return nil, &Missing{Packages: []string{"iproute2"}}
	}
	n := &Network{}
	err := onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		var err error
		n.ns, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := n.wire(ctx); err != nil {
		return nil, errors.Join(err, n.Stop())
	}
	l.add(n)
	return n, nil
}

// wire makes the pair of devices. The neighbours are told, so that what is sent to a server cut off
// is lost without a word, as it is behind a dead switch.
func (n *Network) wire(ctx context.Context) error {
	const tries = 20
	var err error
	for range tries {
		net4 := fmt.Sprintf("10.%d.%d.%d", 192+rand.IntN(60), rand.IntN(256), 4*rand.IntN(64))
		base := net.ParseIP(net4).To4()
		n.Host, n.IP = fmt.Sprintf("%d.%d.%d.%d", base[0], base[1], base[2], base[3]+1), fmt.Sprintf("%d.%d.%d.%d", base[0], base[1], base[2], base[3]+2)
		n.link = fmt.Sprintf("lab%x", rand.Uint32())
		err = run(ctx, program("ip"), "link", "add", n.link, "type", "veth", "peer", "name", networkLink, "netns", fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.ns.Fd()))
		if err == nil {
			break
		}
	}
	if err != nil {
		return err
	}
	ip := func(args ...string) error { return run(ctx, append([]string{program("ip")}, args...)...) }
	in := func(args ...string) error { return n.Run(func() error { return ip(args...) }) }
	if err := errors.Join(
		ip("address", "add", n.Host+"/30", "dev", n.link), ip("link", "set", n.link, "up"),
		in("link", "set", "lo", "up"), in("address", "add", n.IP+"/30", "dev", networkLink), in("link", "set", networkLink, "up"),
	); err != nil {
		return err
	}
	var there string
	if err := n.Run(func() error {
		iface, err := net.InterfaceByName(networkLink)
		if err == nil {
			there = iface.HardwareAddr.String()
		}
		return err
	}); err != nil {
		return err
	}
	return ip("neighbour", "replace", n.IP, "lladdr", there, "dev", n.link, "nud", "permanent")
}

// onThread runs do on a thread of its own that ends with it, so that what do changes of the thread
// reaches nothing else.
func onThread(do func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		done <- do()
	}()
	return <-done
}

// Run runs do in the namespace; processes that it starts stay there. On nil it just runs do.
func (n *Network) Run(do func() error) error {
	if n == nil {
		return do()
	}
	return onThread(func() error {
		if err := unix.Setns(int(n.ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter the network namespace: %w", err)
		}
		return do()
	})
}

// CutOff loses everything that either side sends, without a word to the other.
func (n *Network) CutOff() error { return n.set("down") }

// Reconnect ends CutOff. Connections that both sides kept go on.
func (n *Network) Reconnect() error { return n.set("up") }

func (n *Network) set(state string) error {
	return n.Run(func() error {
		out, err := exec.Command(program("ip"), "link", "set", networkLink, state).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip link set %s %s: %w: %s", networkLink, state, err, strings.TrimSpace(string(out)))
		}
		return nil
	})
}

// Stop lets go of the namespace; the wire goes with it or at once.
func (n *Network) Stop() error {
	if n.ns == nil {
		return nil
	}
	if n.link != "" {
		// It may be gone already.
		_ = run(context.Background(), program("ip"), "link", "delete", n.link)
	}
	err := n.ns.Close()
	n.ns = nil
	return err
}

func (n *Network) tail() string { return "" }
