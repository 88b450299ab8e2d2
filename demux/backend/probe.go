package backend

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"smbproxy/internal/smb2"
)

// Pauses between probes, by Pool.now.
const (
	probeSuspect = 250 * time.Millisecond // something may be wrong
	probeDown    = time.Second            // it is known
)

// probeIfDue asks for a sign of life where there is doubt, where nothing was heard
// for ProbeEvery, and where a backend that is down may be back: an ECHO on a lane
// where nothing waits, else a fresh connection. Only Run calls it.
func (p *Pool) probeIfDue(conns []*connection, s sight) {
	p.mu.Lock()
	v := &p.vital
	now := p.now()
	quiet := time.Duration(now - v.alive)
	doubt := v.urgent || v.dialErr != nil || v.silence(now, s) > p.cfg.SuspectAfter/2
	due := v.probing == 0 && v.admin != StateDisabled && !p.closed &&
		(v.urgent || now >= v.probeAt) && (doubt || v.state >= StateDown || v.alive == 0 || quiet > p.cfg.ProbeEvery)
	if !due {
		p.mu.Unlock()
		return
	}
	pause := min(probeSuspect, p.cfg.SuspectAfter/4)
	if v.state >= StateDown {
		pause = probeDown
	}
	v.probeAt = now + int64(pause)
	var idle *connection
	if v.dialErr == nil && !v.urgent && v.state < StateDown {
		idle = idleLane(conns)
	}
	v.urgent = false
	if idle == nil {
		v.probing = now
		p.children.Go(p.probe)
	}
	p.mu.Unlock()
	if idle != nil {
		idle.ping()
	}
}

// idleLane is a connection where nothing waits for an answer, nil if there is none.
func idleLane(conns []*connection) *connection {
	for _, cn := range conns {
		cn.mu.Lock()
		idle := cn.ready.n == 0 && cn.err == nil
		cn.mu.Unlock()
		if idle {
			return cn
		}
	}
	return nil
}

// errProbed ends a connection that was made to probe.
var errProbed = errors.New("probe is over")

// probe connects and negotiates.
func (p *Pool) probe() {
	began := p.now()
	ctx, cancel := context.WithTimeoutCause(p.life, p.cfg.DialTimeout, p.unanswered())
	defer cancel()
	cn, err := p.open(ctx, noLane)
	if err == nil {
		cn.kill(errProbed)
	}
	p.mu.Lock()
	p.vital.probing = 0
	p.mu.Unlock()
	if p.life.Err() != nil {
		return
	}
	if err != nil {
		p.log.Debug("probe failed", slog.Any("error", err))
	}
	p.dialed(began, err)
}

// ping sends an ECHO of our own, if none is under way and there are credits.
func (cn *connection) ping() {
	cn.mu.Lock()
	if cn.err != nil || cn.pinger.underWay() || cn.credits == 0 {
		cn.mu.Unlock()
		return
	}
	cn.pinger = newEcho()
	w := cn.departLocked(cn.pinger)
	cn.mu.Unlock()
	cn.send(NewRequest(smb2.CommandEcho, &smb2.EchoRequest{}, smallBody), w)
}
