package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/spnego"

	"smbproxy/internal/rawsmb"
)

// Mechanism gets a user a fresh ticket for a service and makes of it what rawsmb logs on with: under SPNEGO,
// without mutual authentication, so that the session key is the ticket's. lifetime is the ticket's, in whole
// seconds; 0: what the realm gives.
func (k *KDC) Mechanism(user, password, service string, lifetime time.Duration) (rawsmb.Mechanism, error) {
	conf, err := os.ReadFile(k.ConfFile())
	if err != nil {
		return nil, err
	}
	cfg, err := config.NewFromString(string(conf))
	if err != nil {
		return nil, fmt.Errorf("krb5.conf: %w", err)
	}
	if lifetime > 0 {
		cfg.LibDefaults.TicketLifetime = lifetime
	}
	cl := client.NewWithPassword(user, k.Realm, password, cfg, client.DisablePAFXFAST(true))
	defer cl.Destroy()
	if err := cl.Login(); err != nil {
		return nil, fmt.Errorf("ticket-granting ticket of %s: %w", user, err)
	}
	ticket, key, err := cl.GetServiceTicket(service)
	if err != nil {
		return nil, fmt.Errorf("ticket of %s for %s: %w", user, service, err)
	}
	init, err := spnego.NewNegTokenInitKRB5(cl, ticket, key)
	if err != nil {
		return nil, err
	}
	token, err := (&spnego.SPNEGOToken{Init: true, NegTokenInit: init}).Marshal()
	return &ticketMechanism{token: token, key: key.KeyValue}, err
}

// ticketMechanism is Kerberos of a single leg.
type ticketMechanism struct{ token, key []byte }

// Token implements rawsmb.Mechanism.
func (m *ticketMechanism) Token(_ context.Context, challenge []byte) ([]byte, error) {
	if challenge != nil {
		return nil, errors.New("the server asks for a second leg of Kerberos")
	}
	return m.token, nil
}

// SessionKey implements rawsmb.Mechanism.
func (m *ticketMechanism) SessionKey() []byte { return m.key }
