package main

import (
	"testing"
	"time"
)

// TestWatchFor: whatever an admin writes, the last probe and the limit lie within the timeout.
func TestWatchFor(t *testing.T) {
	for _, keepAlive := range []time.Duration{0, time.Second, 20 * time.Second, time.Hour} {
		for _, timeout := range []time.Duration{3 * time.Second, 10 * time.Second, time.Minute, time.Hour} {
			l := watchFor(keepAlive, timeout)
			if l.limit <= 0 || l.limit > timeout {
				t.Errorf("keepalive %v, timeout %v: limit %v", keepAlive, timeout, l.limit)
			}
			if keepAlive == 0 {
				if l.idle != 0 {
					t.Errorf("no keepalive: idle %v", l.idle)
				}
				continue
			}
			if l.idle > keepAlive || (l.limit-l.idle)%l.interval != 0 || l.limit <= l.idle {
				t.Errorf("keepalive %v, timeout %v: %+v", keepAlive, timeout, l)
			}
		}
	}
}
