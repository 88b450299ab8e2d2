package smbconf

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Bool reads smb.conf's booleans: yes, no, true, false, on, off, 1, 0.
func Bool(s string) (bool, error) {
	switch strings.ToLower(unquote(s)) {
	case "yes", "true", "on", "1":
		return true, nil
	case "no", "false", "off", "0":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither yes nor no", s)
}

// FormatBool is the form that testparm prints, which is not the one that Samba's
// prints (Yes) but the one that everybody writes.
func FormatBool(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// String takes the double quotes off that may stand around a whole value.
func String(s string) string { return unquote(s) }

// Int reads a decimal number between lo and hi.
func Int(s string, lo, hi int64) (int64, error) {
	n, err := strconv.ParseInt(unquote(s), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a whole number", s)
	}
	if n < lo || n > hi {
		return 0, fmt.Errorf("%d is not between %d and %d", n, lo, hi)
	}
	return n, nil
}

// sizeUnits are powers of 1024, as smbd's conv_str_size has them.
var sizeUnits = []struct {
	suffix string
	factor int64
}{{"T", 1 << 40}, {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}}

// Size reads a number of bytes between lo and hi, with K, M, G or T (powers of
// 1024, "KiB" and "KB" too) behind it.
func Size(s string, lo, hi int64) (int64, error) {
	num, factor := strings.ToUpper(unquote(s)), int64(1)
	for _, u := range sizeUnits {
		for _, suffix := range []string{u.suffix + "IB", u.suffix + "B", u.suffix} {
			if cut, ok := strings.CutSuffix(num, suffix); ok && factor == 1 {
				num, factor = strings.TrimSpace(cut), u.factor
			}
		}
	}
	n, err := strconv.ParseInt(num, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is not a size (examples: 65536, 64K, 8M, 1G)", s)
	}
	if n > (1<<62)/factor {
		return 0, fmt.Errorf("%q is too large", s)
	}
	if n *= factor; n < lo || n > hi {
		return 0, fmt.Errorf("%s is not between %s and %s", FormatSize(n), FormatSize(lo), FormatSize(hi))
	}
	return n, nil
}

// FormatSize writes a size with the largest unit that divides it.
func FormatSize(n int64) string {
	for _, u := range sizeUnits {
		if n != 0 && n%u.factor == 0 {
			return strconv.FormatInt(n/u.factor, 10) + u.suffix
		}
	}
	return strconv.FormatInt(n, 10)
}

// Duration reads a time between lo and hi: a bare number counts in bare, else a
// unit follows it (ms, s, m, h, d).
func Duration(s string, bare, lo, hi time.Duration) (time.Duration, error) {
	num, unit := strings.ToLower(unquote(s)), bare
	for _, u := range []struct {
		suffix string
		unit   time.Duration
	}{{"ms", time.Millisecond}, {"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour}} {
		if cut, ok := strings.CutSuffix(num, u.suffix); ok {
			num, unit = strings.TrimSpace(cut), u.unit
			break
		}
	}
	n, err := strconv.ParseInt(num, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is not a time (examples: 500ms, 30s, 5m, 1h)", s)
	}
	if n > int64(hi/unit)+1 {
		return 0, fmt.Errorf("%s is not between %s and %s", s, FormatDuration(lo), FormatDuration(hi))
	}
	d := time.Duration(n) * unit
	if d < lo || d > hi {
		return 0, fmt.Errorf("%s is not between %s and %s", s, FormatDuration(lo), FormatDuration(hi))
	}
	return d, nil
}

// FormatDuration writes a time with the largest unit that divides it.
func FormatDuration(d time.Duration) string {
	for _, u := range []struct {
		suffix string
		unit   time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if d != 0 && d%u.unit == 0 {
			return strconv.FormatInt(int64(d/u.unit), 10) + u.suffix
		}
	}
	if d == 0 {
		return "0"
	}
	return strconv.FormatInt(int64(d/time.Millisecond), 10) + "ms"
}

// List reads elements separated by blanks or commas; double quotes keep blanks
// and commas inside an element ("domain users"), as in smbd's LIST_SEP.
func List(s string) ([]string, error) {
	var out []string
	for i := 0; i < len(s); {
		if isListSeparator(s[i]) {
			i++
			continue
		}
		var element strings.Builder
		for i < len(s) && !isListSeparator(s[i]) {
			if s[i] != '"' {
				element.WriteByte(s[i])
				i++
				continue
			}
			end := strings.IndexByte(s[i+1:], '"')
			if end < 0 {
				return nil, fmt.Errorf("the quote before %q is not closed", abbreviate(s[i+1:]))
			}
			element.WriteString(s[i+1 : i+1+end])
			i += end + 2
		}
		if element.Len() > 0 {
			out = append(out, element.String())
		}
	}
	return out, nil
}

// FormatList writes a list so that List reads the same elements again.
func FormatList(list []string) string {
	out := make([]string, len(list))
	for i, e := range list {
		if strings.ContainsAny(e, " \t,") {
			e = `"` + e + `"`
		}
		out[i] = e
	}
	return strings.Join(out, ", ")
}

func isListSeparator(c byte) bool { return c == ' ' || c == '\t' || c == ',' }

func unquote(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' && !strings.Contains(s[1:len(s)-1], `"`) {
		return s[1 : len(s)-1]
	}
	return s
}
