package kerberos

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jcmturner/gokrb5/v8/types"
)

// userOf maps a client principal to a user name: user@REALM is user. Everything else is
// refused: other realms, host/x and user/admin, machine accounts (x$), and names that would mean
// something else to those who use them next.
func userOf(name types.PrincipalName, realm, ours string) (string, error) {
	full := strings.Join(name.NameString, "/") + "@" + realm
	switch {
	case realm != ours:
		return "", fmt.Errorf("principal %q is of another realm than %q", full, ours)
	case len(name.NameString) != 1:
		return "", fmt.Errorf("principal %q is not a user", full)
	}
	user := name.NameString[0]
	switch {
	case user == "" || !utf8.ValidString(user) || strings.ContainsFunc(user, func(r rune) bool { return unicode.IsControl(r) || strings.ContainsRune(`/\@:"`, r) }):
		return "", fmt.Errorf("principal %q is no user name", full)
	case strings.HasSuffix(user, "$"):
		return "", fmt.Errorf("principal %q is a machine", full)
	}
	return user, nil
}
