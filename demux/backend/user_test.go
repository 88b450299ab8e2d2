package backend

import (
	"errors"
	"os/user"
	"strings"
	"testing"

	"smbproxy/internal/ntstatus"
)

// fakePasswd is a passwd database of a few names.
func fakePasswd(users ...User) LookupFunc {
	return func(name string) (User, error) {
		for _, u := range users {
			if u.Name == name {
				return u, nil
			}
		}
		return User{}, user.UnknownUserError(name)
	}
}

func TestResolve(t *testing.T) {
	passwd := fakePasswd(
		User{"root", 0}, User{"toor", 0}, User{"backup", 34}, User{"nobody", 65534}, User{"none", 1<<32 - 1},
		User{"alice", 1000}, User{"Bob", 1001}, User{"carol", 1002}, User{"Carol", 1003}, User{"a/b", 1004},
	)
	for name, tc := range map[string]struct {
		user   string
		want   string
		status ntstatus.Status
		says   string
	}{
		"plain":                      {user: "alice", want: "alice"},
		"folded to the entry":        {user: "ALICE", want: "alice"},
		"entry in mixed case":        {user: "Bob", want: "Bob"},
		"unknown":                    {user: "dave", status: ntstatus.NoSuchUser, says: `"dave"`},
		"root":                       {user: "root", status: ntstatus.AccessDenied, says: "root"},
		"root by another case":       {user: "ROOT", status: ntstatus.AccessDenied, says: "root"},
		"another name of root":       {user: "toor", status: ntstatus.AccessDenied, says: "uid 0"},
		"system user":                {user: "backup", status: ntstatus.AccessDenied, says: "34"},
		"system user, upper case":    {user: "BACKUP", status: ntstatus.AccessDenied, says: "34"},
		"nobody":                     {user: "nobody", status: ntstatus.AccessDenied, says: "65534"},
		"uid that chown ignores":     {user: "none", status: ntstatus.AccessDenied, says: "4294967295"},
		"smbd would take another":    {user: "Carol", status: ntstatus.AccessDenied, says: "carol"},
		"the one smbd would take":    {user: "carol", want: "carol"},
		"instance":                   {user: "a/b", status: ntstatus.AccessDenied, says: "/"},
		"realm":                      {user: "alice@OTHER", status: ntstatus.AccessDenied, says: "@"},
		"domain":                     {user: `DOM\alice`, status: ntstatus.AccessDenied},
		"end of a C string":          {user: "alice\x00x", status: ntstatus.AccessDenied},
		"end of a passwd field":      {user: "alice:x", status: ntstatus.AccessDenied},
		"nothing":                    {user: "", status: ntstatus.AccessDenied},
		"longer than any name there": {user: strings.Repeat("a", 257), status: ntstatus.AccessDenied},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Name: "b1", MinUID: 1000, Lookup: passwd}
			u, err := cfg.resolve(tc.user)
			if tc.want != "" {
				if err != nil || u.Name != tc.want {
					t.Fatalf("resolve(%q) = %v, %v, want %q", tc.user, u, err, tc.want)
				}
				return
			}
			if !errors.Is(err, tc.status) || ntstatus.From(err) != tc.status {
				t.Fatalf("resolve(%q) = %v, %v, want %v", tc.user, u, err, tc.status)
			}
			if !strings.Contains(err.Error(), "b1") || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("error %q names neither backend nor %q", err, tc.says)
			}
		})
	}
}

// A database that does not answer must not pass for "no such user".
func TestResolveBrokenDatabase(t *testing.T) {
	cfg := Config{Name: "b1", MinUID: 1000, Lookup: func(string) (User, error) { return User{}, errors.New("sssd is away") }}
	_, err := cfg.resolve("alice")
	if ntstatus.From(err) != ntstatus.InternalError {
		t.Fatalf("got %v, want InternalError", err)
	}
}
