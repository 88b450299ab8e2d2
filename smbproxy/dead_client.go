package main

import (
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// deadClients are the settings by which the kernel finds clients that have vanished without a word: `keepalive` and
// `dead client timeout`. The end of their connections frees what they had open.
type deadClients struct{ set atomic.Pointer[liveness] }

// liveness is how one connection is watched.
type liveness struct {
	idle     time.Duration // silence before the first probe; 0: no probes
	interval time.Duration // from probe to probe
	limit    time.Duration // of what is sent, or asked for by probes, without an answer: TCP_USER_TIMEOUT
}

// use puts settings in force for connections from now on.
func (d *deadClients) use(g *Global) {
	l := watchFor(g.KeepAlive, g.DeadClientTimeout)
	d.set.Store(&l)
}

// watchFor makes of the admin's two times what the kernel is told. Linux looks whether the limit has passed when it
// sends a probe only, so the last one is sent before the timeout and the limit ends there. The kernel counts whole seconds.
func watchFor(keepAlive, timeout time.Duration) liveness {
	if keepAlive == 0 {
		return liveness{limit: timeout}
	}
	l := liveness{idle: max(min(keepAlive, timeout/2), time.Second)}
	l.interval = max(((timeout - l.idle) / 4).Truncate(time.Second), time.Second)
	probes := max((timeout-l.idle)/l.interval-1, 1)
	l.limit = l.idle + probes*l.interval
	return l
}

// apply sets a connection's options.
func (l liveness) apply(c *net.TCPConn) error {
	count := int((l.limit-l.idle)/max(l.interval, 1)) + 1
	if err := c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: l.idle > 0, Idle: l.idle, Interval: l.interval, Count: count}); err != nil {
		return fmt.Errorf("TCP keep-alive: %w", err)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(l.limit.Milliseconds()))
	})
	if err == nil && set != nil {
		err = fmt.Errorf("TCP_USER_TIMEOUT: %w", set)
	}
	return err
}
