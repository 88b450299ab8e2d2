package oracle

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// line is one step of a script.
type line struct {
	text string
	verb string
	args map[string]string
	list []line // the elements of a compound
}

// parse reads a script: one step in a line, "#" begins a comment, values with blanks are quoted as in Go.
// "compound A ; B ; C" sends the steps A, B and C in one frame, "related A ; B" as a related compound.
func parse(text string) ([]line, error) {
	var steps []line
	for i, s := range strings.Split(text, "\n") {
		s = strings.TrimSpace(s)
		if s == "" || s[0] == '#' {
			continue
		}
		l, err := parseLine(s)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		steps = append(steps, l)
	}
	return steps, nil
}

func parseLine(s string) (line, error) {
	verb, rest, _ := strings.Cut(s, " ")
	l := line{text: s, verb: verb, args: map[string]string{}}
	if verb == "compound" || verb == "related" {
		for _, part := range strings.Split(rest, " ; ") {
			e, err := parseLine(strings.TrimSpace(part))
			if err != nil {
				return l, err
			}
			l.list = append(l.list, e)
		}
		return l, nil
	}
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		key, after, ok := strings.Cut(rest, "=")
		if !ok {
			return l, fmt.Errorf("%q is not key=value", rest)
		}
		value, err := strconv.QuotedPrefix(after)
		if err == nil {
			rest = after[len(value):]
			value, err = strconv.Unquote(value)
			if err != nil {
				return l, err
			}
		} else {
			value, rest, _ = strings.Cut(after, " ")
		}
		l.args[key] = value
	}
	return l, nil
}

// num is a numeric argument in any base of Go, or def.
func (l line) num(key string, def uint64) uint64 {
	s, ok := l.args[key]
	if !ok {
		return def
	}
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		panic(fmt.Sprintf("script %q: %v", l.text, err))
	}
	return n
}

// data is a byte argument: hex digits in KEY, or N bytes of a pattern in KEYlen, which depends on seed.
func (l line) data(key string) []byte {
	if s, ok := l.args[key]; ok {
		b, err := hex.DecodeString(s)
		if err != nil {
			panic(fmt.Sprintf("script %q: %v", l.text, err))
		}
		return b
	}
	b := make([]byte, l.num(key+"len", 0))
	seed := byte(l.num("seed", 1))
	for i := range b {
		b[i] = byte(i)*7 + byte(i>>8) + seed
	}
	return b
}
