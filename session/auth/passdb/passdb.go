// Package passdb holds the accounts of an smbpasswd-format file: what `pdbedit -L -w`
// exports and smbpasswd(5) describes. LM hashes are checked for form and forgotten.
package passdb

import (
	"log/slog"
	"strings"
	"time"
	"unicode"

	"smbproxy/session/auth/filecache"
)

// Flags are the account control letters of smbpasswd(5).
type Flags uint16

// The letters that smbpasswd(5) and pdbedit know.
const (
	FlagNormal      Flags = 1 << iota // U
	FlagDisabled                      // D
	FlagNoPassword                    // N: no password required; such accounts are refused
	FlagHomedir                       // H
	FlagTemporary                     // T
	FlagNoExpiry                      // X
	FlagMNS                           // M
	FlagWorkstation                   // W: a machine account
	FlagServer                        // S: a domain controller
	FlagInterdomain                   // I: a trust
	FlagLocked                        // L
)

// flagLetters maps the letters of the file.
var flagLetters = map[rune]Flags{
	'U': FlagNormal, 'D': FlagDisabled, 'N': FlagNoPassword, 'H': FlagHomedir, 'T': FlagTemporary, 'X': FlagNoExpiry,
	'M': FlagMNS, 'W': FlagWorkstation, 'S': FlagServer, 'I': FlagInterdomain, 'L': FlagLocked,
}

// Account is one line of the file. Hash is as good as the password: it is never logged.
type Account struct {
	Name       string // in the file's own spelling
	UID        uint32
	Hash       [16]byte // NT hash: MD4 of the password in UTF-16LE
	HasHash    bool
	Flags      Flags
	LastChange time.Time // zero when the file does not say
}

// DB is one state of the file. It is never changed.
type DB struct{ accounts map[string]*Account }

// Lookup finds an account without regard to case, as Windows compares user names. The Account
// must not be changed.
func (db *DB) Lookup(name string) (*Account, bool) {
	a, ok := db.accounts[fold(name)]
	return a, ok
}

// Len is the number of accounts.
func (db *DB) Len() int { return len(db.accounts) }

// fold makes the key by which user names are compared.
func fold(name string) string { return strings.Map(unicode.ToUpper, name) }

// Open reads the file and keeps it up to date: see filecache.
func Open(path string, now func() time.Time, log *slog.Logger) (*filecache.File[*DB], error) {
	return filecache.Open(path, Parse, now, log)
}
