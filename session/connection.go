package session

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"smbproxy/crypto"
	"smbproxy/internal/transport"
)

// Connection is one TCP connection of a client ([MS-SMB2] 3.3.1.7).
type Connection struct {
	// Upper belongs to the layer above; it is set and read there only.
	Upper any

	id      uint64
	server  *Server
	cfg     *Config // as it was when the connection was accepted
	address netip.Addr
	tc      *transport.Conn
	log     *slog.Logger
	born    time.Time

	// ctx ends with the connection. A field and not an argument, because goroutines begin in Request.Go, which
	// any later callback may call.
	ctx    context.Context
	cancel context.CancelCauseFunc
	work   sync.WaitGroup // goroutines of Request.Go; added to under mu while not closed

	neg       negotiated // written by NEGOTIATE on the reader's goroutine, before any other command is served
	window    window     // CommandSequenceWindow
	lastAsync atomic.Uint64
	readGate  readGate
	inflight  atomic.Int32 // requests not yet ended
	asyncs    atomic.Int32 // of those, the ones with an interim reply
	leaving   atomic.Bool  // close when inflight is 0
	unacked   atomic.Bool  // see PretendUnacked
	known     atomic.Bool  // somebody has authenticated on it

	mu            sync.Mutex // guards all below
	closed        bool
	authenticated int                 // Valid sessions; at 0 the deadline is set
	channels      map[uint64]*channel // Connection.SessionTable, with sessions in progress
	shownDialect  string              // for listings; neg is the reader's
	pending       pendingList         // AsyncCommandList, and what can be cancelled otherwise
}

// newConnection takes over nc. The clock for authentication starts in serve.
func newConnection(s *Server, cfg *Config, id uint64, addr netip.Addr, nc net.Conn) *Connection {
	c := &Connection{
		id: id, server: s, cfg: cfg, address: addr, born: cfg.Now(),
		log:      cfg.Log.With("client", nc.RemoteAddr().String(), "connection", id),
		channels: map[uint64]*channel{},
	}
	c.window.init(cfg.Credits)
	c.readGate.init(cfg.MaxReadOutstanding)
	c.tc = transport.NewConn(nc, transport.Options{
		MaxFrame:     cfg.MaxFrameBeforeAuth,
		Opener:       c.opener,
		QueueLimit:   cfg.SendLimit,
		WriteTimeout: cfg.WriteTimeout,
	})
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	return c
}

// ID numbers the connections of this process, from 1.
func (c *Connection) ID() uint64 { return c.id }

// RemoteAddr is the client's address.
func (c *Connection) RemoteAddr() net.Addr { return c.tc.RemoteAddr() }

// LocalAddr is the address that the client connected to.
func (c *Connection) LocalAddr() net.Addr { return c.tc.LocalAddr() }

// Log is the connection's logger.
func (c *Connection) Log() *slog.Logger { return c.log }

// serve reads requests until the connection ends, then lets everything know that hangs on it.
func (c *Connection) serve(ctx context.Context) {
	c.log.Debug("connection accepted")
	c.setDeadline()
	defer context.AfterFunc(ctx, func() { c.cancel(context.Cause(ctx)) })() // the reader may wait in the read gate
	err := c.tc.Serve(ctx, c.receive)
	if cause := context.Cause(c.ctx); cause != nil {
		err = cause
	}
	c.close(err)
}

// errDisconnect marks the ends of a connection that a client brought about by breaking the protocol.
var errDisconnect = errors.New("protocol violation")

// close is the end of a connection ([MS-SMB2] 3.3.7.1): cancel functions run, sessions without another
// channel are closed, goroutines are waited for.
func (c *Connection) close(err error) {
	if cerr := c.tc.Close(); cerr != nil {
		c.log.Debug("closing the socket", "error", cerr)
	}
	c.mu.Lock()
	c.closed = true
	pending := c.pending.takeAllLocked(nil)
	channels := c.channels
	c.channels = nil
	c.mu.Unlock()
	c.cancel(err)
	cancelAll(pending)
	for _, ch := range channels {
		c.server.dropChannel(ch)
	}
	c.work.Wait()
	c.server.upper.ConnectionClosed(c)
	c.server.forget(c)
	level := slog.LevelDebug
	if errors.Is(err, errDisconnect) {
		level = slog.LevelWarn
	}
	c.log.Log(context.Background(), level, "connection closed", "error", err)
}

// terminate ends the connection from anywhere ([MS-SMB2] 3.3.7.1). The reader does the rest.
func (c *Connection) terminate(err error) {
	c.cancel(err)
	if cerr := c.tc.Close(); cerr != nil {
		c.log.Debug("closing the socket", "error", cerr)
	}
}

// leave ends the connection as soon as no request is being worked on. Those that only wait are cancelled.
func (c *Connection) leave() {
	c.leaving.Store(true)
	c.cancelWhere(nil)
	if c.inflight.Load() == 0 {
		c.tc.CloseAfterFlush()
	}
}

// requestEnded counts a request whose reply has been sent.
func (c *Connection) requestEnded() {
	if c.inflight.Add(-1) == 0 && c.leaving.Load() {
		c.tc.CloseAfterFlush()
	}
}

// setDeadline starts the time that the client has to authenticate.
func (c *Connection) setDeadline() {
	// A transport that refuses is closed, and Serve says so.
	_ = c.tc.SetReadDeadline(time.Now().Add(c.cfg.AuthenticationTimeout))
}

// makeReady counts a session that is authenticated on this connection: the limits for strangers go. False: it has
// been taken off meanwhile.
func (c *Connection) makeReady(ch *channel) bool {
	c.mu.Lock()
	if c.channels[ch.session.ID] != ch {
		c.mu.Unlock()
		return false
	}
	ch.ready.Store(true)
	c.known.Store(true)
	c.authenticated++
	first := c.authenticated == 1
	c.mu.Unlock()
	if first {
		c.tc.SetMaxFrame(max(c.neg.maxTransact, c.neg.maxRead, c.neg.maxWrite) + maxMessages*frameMargin)
		_ = c.tc.SetReadDeadline(time.Time{})
	}
	return true
}

// opener is the key for a TRANSFORM_HEADER ([MS-SMB2] 3.3.5.2.1.1); none, and the connection ends.
//
// Samba: a session that the client has on other connections only is opened too, to tell it so (4.17).
func (c *Connection) opener(sessionID uint64) *crypto.Sealer {
	var sess *Session
	if ch := c.channel(sessionID); ch != nil {
		sess = ch.session
	} else if sess = c.server.session(sessionID); sess != nil && sess.clientGUID != c.neg.clientGUID {
		return nil
	}
	if sess == nil || !sess.authenticated() {
		return nil
	}
	return sess.opener
}

// channel is the session of that id on this connection, or nil.
func (c *Connection) channel(sessionID uint64) *channel {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.channels[sessionID]
}

// maxHalfOpen is how many SESSION_SETUPs of one connection may be between their legs: each costs 2 KiB, and that before
// we know the client. A terminal server logs on some users at a time.
const maxHalfOpen = 64

// addChannel enters ch; false: too many, or the connection is closed.
func (c *Connection) addChannel(ch *channel) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.channels) >= c.cfg.MaxSessions || len(c.channels)-c.authenticated >= maxHalfOpen {
		return false
	}
	c.channels[ch.session.ID] = ch
	return true
}

// removeChannel takes ch out, if it is still in. Without any session the client is a stranger again.
func (c *Connection) removeChannel(ch *channel) {
	c.mu.Lock()
	if c.channels[ch.session.ID] != ch {
		c.mu.Unlock()
		return
	}
	delete(c.channels, ch.session.ID)
	last := false
	if ch.ready.Load() {
		c.authenticated--
		last = c.authenticated == 0
	}
	c.mu.Unlock()
	if last {
		c.tc.SetMaxFrame(c.cfg.MaxFrameBeforeAuth)
		c.setDeadline()
	}
}
