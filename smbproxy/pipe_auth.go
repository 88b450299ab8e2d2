package main

import (
	"context"
	"net"

	"smbproxy/demux/rpc"
	"smbproxy/session/auth"
)

// pipeAuth authenticates clients inside RPC as sessions are authenticated.
func (n *node) pipeAuth(remote net.Addr) rpc.Exchange {
	return rpcExchange{(*currentAuth)(&n.auth).Begin(remote)}
}

// rpcExchange gives an exchange the form that RPC wants.
type rpcExchange struct{ exchange auth.Exchange }

// Step implements rpc.Exchange.
func (x rpcExchange) Step(ctx context.Context, token []byte) ([]byte, *rpc.Authenticated, error) {
	reply, done, err := x.exchange.Step(ctx, token)
	if done == nil {
		return reply, nil, err
	}
	a := &rpc.Authenticated{User: done.Identity.User}
	if done.Protection != nil {
		if c := done.Protection(); c != nil {
			a.Protection = c
		}
	}
	return reply, a, nil
}
