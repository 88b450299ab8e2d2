package smbconf

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestBool(t *testing.T) {
	for s, want := range map[string]bool{"yes": true, "No": false, "TRUE": true, "off": false, "1": true, "\"no\"": false} {
		if got, err := Bool(s); err != nil || got != want {
			t.Errorf("Bool(%q) = %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "y", "maybe", "2"} {
		if _, err := Bool(s); err == nil {
			t.Errorf("Bool(%q): no error", s)
		}
	}
}

func TestSize(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "512": 512, "64K": 65536, "64 kB": 65536, "8MiB": 8 << 20, "1g": 1 << 30, "2T": 2 << 40} {
		got, err := Size(s, 0, 1<<50)
		if err != nil || got != want {
			t.Errorf("Size(%q) = %d, %v, want %d", s, got, err, want)
		}
		if again, err := Size(FormatSize(got), 0, 1<<50); err != nil || again != got {
			t.Errorf("FormatSize(%d) = %q reads as %d, %v", got, FormatSize(got), again, err)
		}
	}
	for _, s := range []string{"", "K", "-1", "1X", "1KK", "9999999999T", "1.5M"} {
		if got, err := Size(s, 0, 1<<50); err == nil {
			t.Errorf("Size(%q) = %d, want an error", s, got)
		}
	}
	if _, err := Size("9M", 0, 8<<20); err == nil || err.Error() != "9M is not between 0 and 8M" {
		t.Errorf("out of range: %v", err)
	}
}

func TestDuration(t *testing.T) {
	for s, want := range map[string]time.Duration{"5": 5 * time.Second, "500ms": time.Second / 2, "2 m": 2 * time.Minute, "1h": time.Hour, "1d": 24 * time.Hour, "0": 0} {
		got, err := Duration(s, time.Second, 0, 48*time.Hour)
		if err != nil || got != want {
			t.Errorf("Duration(%q) = %s, %v, want %s", s, got, err, want)
		}
		if again, err := Duration(FormatDuration(got), time.Second, 0, 48*time.Hour); err != nil || again != got {
			t.Errorf("FormatDuration(%s) = %q reads as %s, %v", got, FormatDuration(got), again, err)
		}
	}
	if got, err := Duration("10", time.Minute, 0, time.Hour); err != nil || got != 10*time.Minute {
		t.Errorf("bare minutes: %s, %v", got, err)
	}
	for _, s := range []string{"", "s", "-1s", "1w", "9223372036854775807", "9223372036854775807d", "3d"} {
		if got, err := Duration(s, time.Second, 0, 48*time.Hour); err == nil {
			t.Errorf("Duration(%q) = %s, want an error", s, got)
		}
	}
}

func TestInt(t *testing.T) {
	if n, err := Int(" 7 ", 1, 9); n != 7 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	for _, s := range []string{"0", "10", "x", "", "1.0"} {
		if n, err := Int(s, 1, 9); err == nil {
			t.Errorf("Int(%q) = %d, want an error", s, n)
		}
	}
}

func TestList(t *testing.T) {
	for s, want := range map[string][]string{
		"":                               nil,
		" , ":                            nil,
		"a b,c":                          {"a", "b", "c"},
		`@staff, "domain users" +"a b"c`: {"@staff", "domain users", "+a bc"},
		"10.0.0.0/8 EXCEPT 10.1.2.3":     {"10.0.0.0/8", "EXCEPT", "10.1.2.3"},
	} {
		if got, err := List(s); err != nil || !slices.Equal(got, want) {
			t.Errorf("List(%q) = %q, %v, want %q", s, got, err, want)
		}
	}
	if got, err := List(`a "b`); err == nil {
		t.Errorf("open quote: got %q", got)
	}
}

func TestListRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOf(rapid.StringMatching(`[a-z@+, é]{0,3}[a-z]`)).Draw(t, "list")
		got, err := List(FormatList(list))
		if err != nil || !slices.Equal(got, list) {
			t.Fatalf("%q is written as %q and read as %q, %v", list, FormatList(list), got, err)
		}
	})
}

func TestSuggest(t *testing.T) {
	known := []string{"read only", "read list", "realm", "writeable", "path"}
	for name, want := range map[string]string{
		"raed only": "read only", "readonly": "read only", "writable": "writeable", "Relm": "realm", "pth": "path",
		"completely different": "", "x": "",
	} {
		if got := Suggest(name, known); got != want {
			t.Errorf("Suggest(%q) = %q, want %q", name, got, want)
		}
	}
}
