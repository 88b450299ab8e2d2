package acl

import (
	"context"
	"fmt"
	"strings"
)

// Users is a list of users and groups in smb.conf's syntax. The zero value is the empty list.
type Users struct{ entries []userEntry }

// userEntry is one word of a user list: a user's name, or a group's where group is set.
type userEntry struct {
	name  string
	group bool
}

// ParseUsers reads the words of `valid users` and its like: a name, or @group or +group.
// NIS netgroups do not exist here: &group is refused, and @group is the UNIX group only
// (Deviation: smbd asks NIS first where it was built with it).
func ParseUsers(words []string) (Users, error) {
	var u Users
	for _, w := range words {
		name := strings.TrimLeft(w, "@+&")
		switch prefix := w[:len(w)-len(name)]; {
		case name == "":
			return Users{}, fmt.Errorf("%q names nobody", w)
		case strings.Contains(prefix, "&"):
			return Users{}, fmt.Errorf("%q: NIS netgroups are not supported", w)
		case len(prefix) > 1:
			return Users{}, fmt.Errorf("%q: one of @ and + is enough", w)
		default:
			u.entries = append(u.entries, userEntry{name: name, group: prefix != ""})
		}
	}
	return u, nil
}

// Empty says that no entry was given, which for `valid users` means "anybody".
func (u Users) Empty() bool { return len(u.entries) == 0 }

// contains says whether the list names the user or a group of his. User names compare without
// case, as smbd's do; a name DOMAIN\user compares with both parts. unsure is the answer for a
// group whose members could not be looked up.
func (u Users) contains(ctx context.Context, s *Subject, l Lookup, unsure bool) bool {
	for _, e := range u.entries {
		if e.group {
			member, err := l.Member(ctx, s.User, e.name)
			if member || err != nil && unsure {
				return true
			}
			continue
		}
		domain, user, qualified := strings.Cut(e.name, `\`)
		if !qualified {
			domain, user = s.Domain, e.name
		}
		if strings.EqualFold(user, s.User) && strings.EqualFold(domain, s.Domain) {
			return true
		}
	}
	return false
}
