package backend

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/jcmturner/gokrb5/v8/types"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// strangers tries to get in as those who may not.
func (i *inspector) strangers(ctx context.Context) {
	var suffix [8]byte
	rand.Read(suffix[:])
	_, err := i.enter(ctx, "nobody-"+hex.EncodeToString(suffix[:]), nil)
	i.note("", "map to guest", refusedAs(err, "a user who does not exist"))

	key, _, err := i.p.keys.get()
	if err == nil {
		forged := serviceKey{kvno: key.kvno, key: types.EncryptionKey{KeyType: key.key.KeyType, KeyValue: make([]byte, len(key.key.KeyValue))}}
		rand.Read(forged.key.KeyValue)
		_, err = i.enter(ctx, i.e.User.Name, &forged)
		i.note("", "kerberos method", refusedAs(err, "a ticket made with another key"))
	}
	i.note("", "invalid users", i.root(ctx))
	i.note("", "restrict anonymous", i.anonymous(ctx))
}

// refusedAs wants an error that is the backend's refusal.
func refusedAs(err error, who string) error {
	var st ntstatus.Status
	switch {
	case err == nil:
		return fmt.Errorf("it lets in %s", who)
	case errors.As(err, &st) && st != ntstatus.UnexpectedNetworkError:
		return nil
	}
	return fmt.Errorf("%w: %w", errNotShown, err)
}

// enter sets up a session on a connection of its own, with a ticket made with the
// key, nil for the right one. The connection stays until ctx ends or the pool does.
func (i *inspector) enter(ctx context.Context, user string, key *serviceKey) (*session, error) {
	cn, err := i.p.open(ctx, noLane)
	if err != nil {
		return nil, err
	}
	s := &session{conn: cn, user: user, key: key, trees: make(map[string]*treeConnect)}
	if err := s.authenticate(ctx); err != nil {
		cn.kill(errInspected)
		return nil, err
	}
	return s, nil
}

// root tries every share as root.
func (i *inspector) root(ctx context.Context) error {
	s, err := i.enter(ctx, "root", nil)
	if err != nil {
		return refusedAs(err, "root")
	}
	defer s.conn.kill(errInspected)
	for _, share := range i.e.Shares {
		if _, err := s.inspectTree(ctx, share.Name); err == nil {
			return fmt.Errorf("it lets root use %s", share.Name)
		}
	}
	return nil
}

// The two messages of an anonymous NTLMSSP exchange, [MS-NLMP] 2.2.1.1, 2.2.1.3.
var (
	ntlmNegotiate = append([]byte("NTLMSSP\x00\x01\x00\x00\x00\x97\x82\x08\xe2"), make([]byte, 24)...)
	ntlmAnonymous = func() []byte {
		b := append([]byte("NTLMSSP\x00\x03\x00\x00\x00"), make([]byte, 52)...)
		for _, field := range []int{12, 20, 28, 36, 44, 52} {
			b[field+4] = byte(len(b)) // all are empty and stand at the end
		}
		copy(b[60:], "\x05\x0a\x08\xa2") // NTLMSSP_NEGOTIATE_ANONYMOUS among them
		return b
	}()
)

// anonymous tries to log on without a name, and to connect the shares so.
func (i *inspector) anonymous(ctx context.Context) error {
	cn, err := i.p.open(ctx, noLane)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotShown, err)
	}
	defer cn.kill(errInspected)
	s := &session{conn: cn, trees: make(map[string]*treeConnect)}
	for _, token := range [][]byte{ntlmNegotiate, ntlmAnonymous} {
		st, msg, err := s.ask(ctx, nil, smb2.CommandSessionSetup, &smb2.SessionSetupRequest{
			SecurityMode: uint8(smb2.NegotiateSigningEnabled), SecurityBuffer: token,
		}, 1)
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", errNotShown, err)
		case st != ntstatus.Success && st != ntstatus.MoreProcessingRequired:
			return nil // it has no NTLM, or no anonymous users
		}
		s.id = smb2.RawSessionID(msg)
	}
	for _, share := range append([]ExpectedShare{{Name: ipc}}, i.e.Shares...) {
		if _, err := s.inspectTree(ctx, share.Name); err == nil {
			return fmt.Errorf("it lets anybody use %s", share.Name)
		}
	}
	return nil
}
