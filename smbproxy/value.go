package main

import (
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"smbproxy/internal/smbconf"
)

// value is one place in a Config seen as text. Set reads what stands in the file, String
// writes it so that Set reads the same again, Type is the word that the documents use.
type value interface {
	Set(s string) error
	String() string
	Type() string
}

// field makes a value of a pointer and two functions.
type field[T any] struct {
	to     *T
	kind   string
	parse  func(s string) (T, error)
	format func(v T) string
}

func (f field[T]) Set(s string) error {
	v, err := f.parse(s)
	if err == nil {
		*f.to = v
	}
	return err
}

func (f field[T]) String() string { return f.format(*f.to) }
func (f field[T]) Type() string   { return f.kind }

// boolean is yes or no.
func boolean(to *bool) value {
	return field[bool]{to, "boolean", smbconf.Bool, smbconf.FormatBool}
}

// text is any one line.
func text(to *string) value {
	return field[string]{to, "text", func(s string) (string, error) { return smbconf.String(s), nil }, func(s string) string { return s }}
}

// textThat is a line that check accepts; an empty one is not shown to it.
func textThat(to *string, kind string, check func(string) error) value {
	return field[string]{to, kind, func(s string) (string, error) {
		if s = smbconf.String(s); s == "" {
			return s, nil
		}
		return s, check(s)
	}, func(s string) string { return s }}
}

// list is words.
func list(to *[]string) value {
	return field[[]string]{to, "list", smbconf.List, smbconf.FormatList}
}

// routes is a list of "PATH -> BACKEND ...", separated by commas.
func routes(to *[]Route) value {
	return field[[]Route]{to, "routes", parseRoutes, func(list []Route) string {
		out := make([]string, len(list))
		for i, r := range list {
			out[i] = r.Path + " -> " + strings.Join(r.Backends, " ")
		}
		return strings.Join(out, ", ")
	}}
}

// parseRoutes reads what routes writes.
func parseRoutes(s string) ([]Route, error) {
	var out []Route
	for entry := range strings.SplitSeq(s, ",") {
		if strings.TrimSpace(entry) == "" {
			continue
		}
		path, names, ok := strings.Cut(entry, "->")
		path = strings.TrimSpace(path)
		r := Route{Path: "/" + strings.Trim(path, "/"), Backends: strings.Fields(names)}
		switch {
		case !ok || len(r.Backends) == 0:
			return nil, fmt.Errorf("%q is not PATH -> BACKEND", strings.TrimSpace(entry))
		case !strings.HasPrefix(path, "/") || r.Path == "/":
			return nil, fmt.Errorf("%q is not a path below the share's root, /", path)
		case strings.ContainsAny(path, `\:*?<>|"`) || strings.Contains(r.Path, "//") || slices.ContainsFunc(strings.Split(r.Path, "/"), func(c string) bool { return c == "." || c == ".." }):
			return nil, fmt.Errorf("%q is not a path that a client could name", path)
		}
		out = append(out, r)
	}
	return out, nil
}

// command is an absolute program and its arguments.
func command(to *[]string) value {
	return field[[]string]{to, "command", func(s string) ([]string, error) {
		argv := strings.Fields(s)
		if len(argv) > 0 && !strings.HasPrefix(argv[0], "/") {
			return nil, fmt.Errorf("the program %q is not an absolute path", argv[0])
		}
		return argv, nil
	}, func(argv []string) string { return strings.Join(argv, " ") }}
}

// number is a whole number between lo and hi.
func number(to *int, lo, hi int64) value {
	return field[int]{to, "number", func(s string) (int, error) {
		n, err := smbconf.Int(s, lo, hi)
		return int(n), err
	}, strconv.Itoa}
}

// size is the number of bytes of a message's payload: from 64 KiB, what one credit pays for, to 8 MiB, the
// most that session serves.
func size(to *int64) value {
	return field[int64]{to, "size", func(s string) (int64, error) { return smbconf.Size(s, 64<<10, 8<<20) }, smbconf.FormatSize}
}

// memory is a number of bytes of it.
func memory(to *int64) value {
	return field[int64]{to, "size", func(s string) (int64, error) { return smbconf.Size(s, 1<<20, 1<<40) }, smbconf.FormatSize}
}

// stripe is the size of a stripe.
func stripe(to *int64) value {
	return field[int64]{to, "size", func(s string) (int64, error) { return smbconf.Size(s, 1, 4<<30) }, smbconf.FormatSize}
}

// seconds is a time between lo and hi, in seconds where no unit is given.
func seconds(to *time.Duration, lo, hi time.Duration) value {
	return field[time.Duration]{to, "time", func(s string) (time.Duration, error) {
		return smbconf.Duration(s, time.Second, lo, hi)
	}, smbconf.FormatDuration}
}

// word is one of a few words. folded are other spellings, lower case, for words of the list.
func word(to *string, folded map[string]string, words ...string) value {
	return field[string]{to, strings.Join(words, " | "), func(s string) (string, error) {
		return oneOf(smbconf.String(s), folded, words)
	}, func(s string) string { return s }}
}

// words is a list of some of a few words, in order of preference, none twice, not empty.
func words(to *[]string, known ...string) value {
	return field[[]string]{to, "list of " + strings.Join(known, ", "), func(s string) ([]string, error) {
		in, err := smbconf.List(s)
		if err != nil {
			return nil, err
		}
		if len(in) == 0 {
			return nil, errors.New("the list is empty")
		}
		var out []string
		for _, e := range in {
			w, err := oneOf(e, nil, known)
			if err != nil {
				return nil, err
			}
			if slices.Contains(out, w) {
				return nil, fmt.Errorf("%s stands there twice", w)
			}
			out = append(out, w)
		}
		return out, nil
	}, smbconf.FormatList}
}

func oneOf(s string, folded map[string]string, words []string) (string, error) {
	if w, ok := folded[strings.ToLower(s)]; ok {
		return w, nil
	}
	for _, w := range words {
		if strings.EqualFold(w, s) {
			return w, nil
		}
	}
	return "", fmt.Errorf("%q is not one of %s", s, strings.Join(words, ", "))
}

// ports is a list of TCP ports.
func ports(to *[]int) value {
	return field[[]int]{to, "list of ports", func(s string) ([]int, error) {
		in, err := smbconf.List(s)
		if err != nil {
			return nil, err
		}
		var out []int
		for _, e := range in {
			n, err := smbconf.Int(e, 1, 65535)
			if err != nil {
				return nil, err
			}
			out = append(out, int(n))
		}
		if len(out) == 0 {
			return nil, errors.New("the list is empty")
		}
		return out, nil
	}, func(p []int) string {
		out := make([]string, len(p))
		for i, n := range p {
			out[i] = strconv.Itoa(n)
		}
		return strings.Join(out, ", ")
	}}
}

// hostPort is host:port; the port may be missing.
func hostPort(to *string, port string) value {
	return textThatBecomes(to, "host[:port]", func(s string) (string, error) { return splitHostPort(s, port) })
}

// textThatBecomes is textThat with a function that also brings the value into one form.
func textThatBecomes(to *string, kind string, parse func(string) (string, error)) value {
	return field[string]{to, kind, func(s string) (string, error) {
		if s = smbconf.String(s); s == "" {
			return s, nil
		}
		return parse(s)
	}, func(s string) string { return s }}
}

func splitHostPort(s, port string) (string, error) {
	host, p, err := net.SplitHostPort(s)
	if err != nil {
		host, p = strings.Trim(s, "[]"), port
		if strings.Contains(host, ":") && net.ParseIP(host) == nil {
			return "", fmt.Errorf("%q is not host:port", s)
		}
	}
	n, err := strconv.ParseUint(p, 10, 16)
	if host == "" || n == 0 || err != nil || strings.ContainsAny(host, " \t/,") {
		return "", fmt.Errorf("%q is not host:port", s)
	}
	return net.JoinHostPort(host, p), nil
}

// serial is a volume serial number, written 0x1234ABCD or, as Windows shows it, 1234-ABCD.
func serial(to *uint32) value {
	return field[uint32]{to, "32-bit number", func(s string) (uint32, error) {
		text := smbconf.String(s)
		if high, low, ok := strings.Cut(text, "-"); ok && len(high) == 4 && len(low) == 4 {
			text = "0x" + high + low
		}
		n, err := strconv.ParseUint(text, 0, 32)
		if err != nil || n == 0 || n == math.MaxUint32 {
			return 0, fmt.Errorf("%q is not a volume serial number (example: 0x1234ABCD)", s)
		}
		return uint32(n), nil
	}, func(n uint32) string { return fmt.Sprintf("0x%08X", n) }}
}

// protocol is a dialect in smb.conf's words.
func protocol(to *string) value {
	return word(to, map[string]string{"smb2": "SMB2_10", "smb3": "SMB3_11"}, protocols...)
}

// protocols are the dialects, oldest first. Samba: SMB2 means SMB2_10, SMB3 means SMB3_11.
var protocols = []string{"SMB2_02", "SMB2_10", "SMB3_00", "SMB3_02", "SMB3_11"}

// The algorithms of [MS-SMB2] 2.2.3.1.2 and 2.2.3.1.7 in smb.conf's words, in our order of preference.
var (
	signingAlgorithms    = []string{"AES-128-GMAC", "AES-128-CMAC", "HMAC-SHA256"}
	encryptionAlgorithms = []string{"AES-128-GCM", "AES-128-CCM", "AES-256-GCM", "AES-256-CCM"}
)
