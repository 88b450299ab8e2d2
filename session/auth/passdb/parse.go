package passdb

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// LineError is one fault of an smbpasswd file. It never quotes the hash fields.
type LineError struct {
	File   string
	Line   int
	Reason string
}

// Error formats the fault as file:line: reason, as compilers do.
func (e *LineError) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason) }

// hashLen is the length of a hash field: 16 bytes in hexadecimal, or 32 filler characters.
const hashLen = 32

// maxFaults ends the list of a file that is something else altogether.
const maxFaults = 20

// Parse reads the whole of an smbpasswd file: smbpasswd(5), as `pdbedit -L -w` writes it.
// It returns every fault at once, each a *LineError, joined.
func Parse(file string, data []byte) (*DB, error) {
	db := &DB{accounts: make(map[string]*Account)}
	lineOf := make(map[string]int)
	var faults []error
	line := 0
	for text := range strings.Lines(string(data)) {
		line++
		text = strings.TrimRight(text, "\r\n")
		if strings.TrimSpace(text) == "" || text[0] == '#' {
			continue
		}
		if len(faults) == maxFaults {
			faults = append(faults, &LineError{file, line, "more faults are not listed"})
			break
		}
		a, err := parseLine(text)
		if err != nil {
			faults = append(faults, &LineError{file, line, err.Error()})
			continue
		}
		key := fold(a.Name)
		if first, ok := lineOf[key]; ok {
			faults = append(faults, &LineError{file, line, fmt.Sprintf("user %q is in line %d already", a.Name, first)})
			continue
		}
		lineOf[key] = line
		db.accounts[key] = a
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return db, nil
}

// parseLine reads name:uid:LM:NT:[flags]:LCT-time:rest. Samba: a fifth field that does not
// begin with [ is the old format, a normal account.
func parseLine(text string) (*Account, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("not UTF-8")
	}
	field := strings.SplitN(text, ":", 7)
	if len(field) < 5 {
		return nil, errors.New("want name:uid:LM hash:NT hash:[flags]:LCT-time")
	}
	a := &Account{Name: field[0], Flags: FlagNormal}
	if a.Name == "" || strings.ContainsFunc(a.Name, func(r rune) bool { return unicode.IsControl(r) || strings.ContainsRune(`/\@"`, r) }) {
		return nil, fmt.Errorf("bad user name %q", a.Name)
	}
	uid, err := strconv.ParseUint(field[1], 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %q: uid is not a number of 32 bits", a.Name)
	}
	a.UID = uint32(uid)
	var lm [16]byte
	if _, err := parseHash(field[2], &lm); err != nil {
		return nil, fmt.Errorf("user %q: LM hash: %w", a.Name, err)
	}
	clear(lm[:])
	if a.HasHash, err = parseHash(field[3], &a.Hash); err != nil {
		return nil, fmt.Errorf("user %q: NT hash: %w", a.Name, err)
	}
	if strings.HasPrefix(field[4], "[") {
		if a.Flags, err = parseFlags(field[4]); err != nil {
			return nil, fmt.Errorf("user %q: %w", a.Name, err)
		}
	} else if strings.HasSuffix(a.Name, "$") {
		a.Flags = FlagWorkstation
	}
	if strings.HasPrefix(field[3], "NO PASSWORD") {
		a.Flags |= FlagNoPassword
	}
	if len(field) > 5 && strings.HasPrefix(field[5], "LCT-") {
		sec, err := strconv.ParseUint(strings.TrimPrefix(field[5], "LCT-"), 16, 32)
		if err != nil {
			return nil, fmt.Errorf("user %q: LCT- is not followed by a hexadecimal time", a.Name)
		}
		a.LastChange = time.Unix(int64(sec), 0)
	}
	return a, nil
}

// parseHash reads a hash field; false says that there is no hash: filler of X or *, or
// "NO PASSWORD" and filler.
func parseHash(s string, out *[16]byte) (bool, error) {
	if len(s) != hashLen {
		return false, fmt.Errorf("%d characters long, want %d", len(s), hashLen)
	}
	if strings.HasPrefix(s, "NO PASSWORD") || strings.Trim(s, "X") == "" || strings.Trim(s, "*") == "" {
		return false, nil
	}
	if _, err := hex.Decode(out[:], []byte(s)); err != nil {
		return false, errors.New("not hexadecimal")
	}
	return true, nil
}

// parseFlags reads the account control field, letters between brackets.
func parseFlags(s string) (Flags, error) {
	end := strings.IndexByte(s, ']')
	if end < 0 {
		return 0, errors.New("flags have no closing bracket")
	}
	var flags Flags
	for _, c := range s[1:end] {
		if c == ' ' {
			continue
		}
		f, ok := flagLetters[c]
		if !ok {
			return 0, fmt.Errorf("unknown flag %q", c)
		}
		flags |= f
	}
	return flags, nil
}
