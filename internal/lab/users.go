package lab

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"golang.org/x/crypto/md4" //nolint:staticcheck // the NT hash is MD4, [MS-NLMP] 3.3.1
)

// User is an account that exists for the lab's servers only.
type User struct {
	Name     string
	UID, GID uint32
	Group    string   // name of the primary group GID; "" : Name
	Groups   []string // supplementary groups, names from Options.Groups
	Password string   // "": no entry in any passdb, so known to NSS but cannot log in
}

// Group is a group that users may be supplementary members of.
type Group struct {
	Name string
	GID  uint32
}

// DefaultUsers are two users who share one group, and one who is in none of theirs.
func DefaultUsers() []User {
	return []User{
		{Name: "user1", UID: 20001, GID: 20001, Groups: []string{"staff1", "project"}, Password: "secret1"},
		{Name: "user2", UID: 20002, GID: 20002, Groups: []string{"project"}, Password: "secret2"},
		{Name: "user3", UID: 20003, GID: 20003, Password: "secret3"},
	}
}

// DefaultGroups belong to DefaultUsers.
func DefaultGroups() []Group {
	return []Group{{Name: "staff1", GID: 20101}, {Name: "project", GID: 20102}}
}

// User returns the user of that name; it panics on a name that the lab was not made with.
func (l *Lab) User(name string) User {
	for _, u := range l.users {
		if u.Name == name {
			return u
		}
	}
	panic("lab: no user " + name)
}

// Users returns all users of the lab.
func (l *Lab) Users() []User { return slices.Clone(l.users) }

// PassdbFile is a file in smbpasswd's format with every user that has a password: what
// "pdbedit -L -w" would print, for smbproxy's "passdb file".
func (l *Lab) PassdbFile() string { return filepath.Join(l.Dir, "smbpasswd") }

func (l *Lab) passwdFile() string { return filepath.Join(l.Dir, "passwd") }
func (l *Lab) groupFile() string  { return filepath.Join(l.Dir, "group") }

// Env is what a process needs in its environment to see the lab's users through NSS.
func (l *Lab) Env() []string {
	return []string{
		"LD_PRELOAD=libnss_wrapper.so",
		"NSS_WRAPPER_PASSWD=" + l.passwdFile(),
		"NSS_WRAPPER_GROUP=" + l.groupFile(),
		"GORACE=atexit_sleep_ms=0", // a race detector's smbproxy lingers for a second else
	}
}

// writeUsers writes passwd, group and smbpasswd. nss_wrapper replaces the host's files as a
// whole, so root and nobody (smbd's guest account) must stand in ours.
func (l *Lab) writeUsers() error {
	passwd := []string{"root:x:0:0:root:/root:/bin/sh", "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin"}
	group := []string{"root:x:0:", "nogroup:x:65534:"}
	passwd = append(passwd, fmt.Sprintf("smbproxy:x:%d:%d:smbproxy:/nonexistent:/usr/sbin/nologin", proxyUID, proxyUID))
	group = append(group, fmt.Sprintf("smbproxy:x:%d:", proxyUID))
	for _, u := range l.users {
		passwd = append(passwd, fmt.Sprintf("%s:x:%d:%d:%s:/nonexistent:/usr/sbin/nologin", u.Name, u.UID, u.GID, u.Name))
		name := u.Group
		if name == "" {
			name = u.Name
		}
		line := fmt.Sprintf("%s:x:%d:", name, u.GID)
		if !slices.Contains(group, line) {
			group = append(group, line)
		}
	}
	for _, g := range l.groups {
		var members []string
		for _, u := range l.users {
			if slices.Contains(u.Groups, g.Name) {
				members = append(members, u.Name)
			}
		}
		group = append(group, fmt.Sprintf("%s:x:%d:%s", g.Name, g.GID, strings.Join(members, ",")))
	}
	for path, lines := range map[string][]string{l.passwdFile(): passwd, l.groupFile(): group} {
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(l.PassdbFile(), []byte(l.smbpasswd()), 0o600)
}

// smbpasswd is the text of PassdbFile, the format of smbpasswd(5).
func (l *Lab) smbpasswd() string {
	var b strings.Builder
	for _, u := range l.users {
		if u.Password != "" {
			fmt.Fprintf(&b, "%s:%d:%s:%s:[U          ]:LCT-%08X:\n",
				u.Name, u.UID, strings.Repeat("X", 32), NTHash(u.Password), time.Now().Unix())
		}
	}
	return b.String()
}

// proxyUID is whom smbproxy runs as in the lab: nobody special, as in production.
const proxyUID = 20900

// NTHash is the NT hash of a password in smbpasswd's upper-case hex, [MS-NLMP] 3.3.1 NTOWFv1.
func NTHash(password string) string {
	h := md4.New()
	for _, u := range utf16.Encode([]rune(password)) {
		var b [2]byte
		binary.LittleEndian.PutUint16(b[:], u)
		h.Write(b[:])
	}
	return strings.ToUpper(hex.EncodeToString(h.Sum(nil)))
}
