package main

import (
	"net"
	"sync/atomic"

	"smbproxy/session/auth"
)

// currentAuth is the acceptor in force, whichever that is: connections outlive reloads, and who logs on
// through an old one is checked by the rules of today. (The old acceptor's children have been ended.)
type currentAuth atomic.Pointer[auth.Acceptor]

// now is the acceptor of this moment.
func (c *currentAuth) now() *auth.Acceptor { return (*atomic.Pointer[auth.Acceptor])(c).Load() }

// Begin implements auth.Authenticator.
func (c *currentAuth) Begin(remote net.Addr) auth.Exchange { return c.now().Begin(remote) }

// InitialToken implements auth.Authenticator.
func (c *currentAuth) InitialToken() []byte { return c.now().InitialToken() }

// Blocking implements auth.Authenticator.
func (c *currentAuth) Blocking() bool { return c.now().Blocking() }
