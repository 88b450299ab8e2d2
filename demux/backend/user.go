package backend

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"
	"strings"

	"smbproxy/internal/ntstatus"
)

// User is what the passwd database says of one user.
type User struct {
	Name string // in the entry's own spelling
	UID  uint32
}

// LookupFunc finds a user by name. Unknown names give an error that is
// user.UnknownUserError; any other error says that the database did not answer.
type LookupFunc func(name string) (User, error)

// OSLookup asks the host's NSS.
func OSLookup(name string) (User, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return User{}, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return User{}, fmt.Errorf("uid of %q: %w", name, err)
	}
	return User{Name: u.Username, UID: uint32(uid)}, nil
}

// uidNobody is what overflows and anonymous NFS map to, uidNone is chown's "no
// change": nobody's files are nobody's business.
const (
	uidNobody = 65534
	uidNone   = 1<<32 - 1
)

// maxUserName is more than any passwd entry has (useradd: 32), in bytes.
const maxUserName = 256

// resolve finds whom a ticket for name may be minted for: the key makes us
// everybody at the backend, so this is the place that says no. Errors are
// ntstatus.AccessDenied for users who may never, NoSuchUser for unknown ones.
//
// Samba: 4.17's getpwnam folds case (lower case first), so a name is minted in
// its entry's spelling only, and not at all if another user's name differs from
// it by case alone.
func (c *Config) resolve(name string) (User, error) {
	if err := checkName(name); err != nil {
		return User{}, c.refuse(name, err)
	}
	lower := strings.ToLower(name)
	u, err := c.Lookup(name)
	var unknown user.UnknownUserError
	if errors.As(err, &unknown) && lower != name {
		u, err = c.Lookup(lower)
	}
	switch {
	case errors.As(err, &unknown):
		return User{}, fmt.Errorf("backend %q: user %q: %w", c.Name, name, ntstatus.NoSuchUser)
	case err != nil:
		return User{}, fmt.Errorf("backend %q: user %q: %w: %w", c.Name, name, ntstatus.InternalError, err)
	}
	switch err := checkName(u.Name); {
	case err != nil:
		return User{}, c.refuse(name, err)
	case u.UID == 0:
		return User{}, c.refuse(name, errors.New("it is root (uid 0)"))
	case u.UID < c.MinUID || u.UID == uidNobody || u.UID == uidNone:
		return User{}, c.refuse(name, fmt.Errorf("its uid %d is not a user's (minimum %d)", u.UID, c.MinUID))
	}
	if fold := strings.ToLower(u.Name); fold != u.Name {
		if other, err := c.Lookup(fold); err == nil && other.UID != u.UID {
			return User{}, c.refuse(name, fmt.Errorf("smbd would take it for %q", other.Name))
		}
	}
	return u, nil
}

// refuse makes the error for a user who may not have a ticket.
func (c *Config) refuse(name string, why error) error {
	return fmt.Errorf("backend %q: user %q refused, %w: %w", c.Name, name, why, ntstatus.AccessDenied)
}

// checkName refuses names that mean something else as a principal: "/" makes
// components, "@" a realm, "\" quotes, and control characters end strings.
func checkName(name string) error {
	if name == "" || len(name) > maxUserName {
		return errors.New("no user name")
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f || strings.ContainsRune(`@/\:`, r) {
			return fmt.Errorf("its name holds %q", r)
		}
	}
	return nil
}
