package demux

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"smbproxy/internal/ntstatus"
)

// TestCreateName holds what Samba 4.17 answered to the same names, where it answers by the
// name alone.
func TestCreateName(t *testing.T) {
	const ok, invalid, above, parameter = ntstatus.Success, ntstatus.ObjectNameInvalid, ntstatus.ObjectPathSyntaxBad, ntstatus.InvalidParameter
	for _, c := range []struct {
		raw, want string
		status    ntstatus.Status
	}{
		{``, ``, ok},
		{`d`, `d`, ok},
		{`d\`, `d`, ok},
		{`d\e`, `d\e`, ok},
		{`d\\e`, `d\e`, ok},
		{`d/e`, `d\e`, ok},
		{`d/../top.txt`, `top.txt`, ok},
		{`d\..\top.txt`, `top.txt`, ok},
		{`nope\..\top.txt`, `top.txt`, ok},
		{`d\e\..\..\top.txt`, `top.txt`, ok},
		{`d\e\..`, `d`, ok},
		{`d\..`, ``, ok},
		{`d\..\`, ``, ok},
		{`..`, ``, above},
		{`..\\`, ``, above},
		{`..\top.txt`, ``, above},
		{`d\..\..`, ``, above},
		{`..\a|b`, ``, above},
		{`\d`, ``, parameter},
		{`/d`, ``, parameter},
		{`\`, ``, parameter},
		{`.`, `.`, ok},
		{`d\.\..\top.txt`, `d\top.txt`, ok},
		{`.\..\top.txt`, `top.txt`, ok},
		{`...`, `...`, ok},
		{`d\...\e`, `d\...\e`, ok},
		{`.. `, `.. `, ok},
		{`*`, ``, invalid},
		{`top?`, ``, invalid},
		{`d*\e`, ``, invalid},
		{`"a`, ``, invalid},
		{`<`, ``, invalid},
		{`>`, ``, invalid},
		{`d*\..\top.txt`, `top.txt`, ok},
		{`d\..\*`, ``, invalid},
		{`"..\..\top.txt`, `top.txt`, ok},
		{`a|b`, ``, invalid},
		{`a|b\..\top.txt`, ``, invalid},
		{"a\x01b", ``, invalid},
		{"x\x00y", ``, invalid},
		{"d\x00", ``, invalid},
		{`top.txt:s`, `top.txt:s`, ok},
		{`top.txt::$DATA`, `top.txt::$DATA`, ok},
		{`top.txt:s:$DATA`, `top.txt:s:$DATA`, ok},
		{`top.txt:a*`, `top.txt:a*`, ok},
		{`top.txt:a|b`, `top.txt:a|b`, ok},
		{`top.txt:..`, `top.txt:..`, ok},
		{`d\..\top.txt:s`, `top.txt:s`, ok},
		{`:s`, `:s`, ok},
		{`top.txt:`, ``, invalid},
		{`a:b:`, ``, invalid},
		{`a::`, ``, invalid},
		{`a:b:c:d`, ``, invalid},
		{`top.txt:..\x`, ``, invalid},
		{`top.txt:a/b`, ``, invalid},
		{`x:\y`, ``, invalid},
		{"a:s\x00", ``, invalid},
		{`a*:s`, ``, invalid},
		{`d\:s`, ``, invalid},
		{`..:s`, ``, invalid},
		{`d\..:s`, ``, invalid},
		{`d\..\..:s`, ``, invalid},
		{`@GMT-2020.01.01-00.00.00\d`, `@GMT-2020.01.01-00.00.00\d`, ok},
		{"\xed\xa0\x80\\..\\a\xed\xb0\x80", "a\xed\xb0\x80", ok},
	} {
		got, err := createName(c.raw, false)
		if status := ntstatus.From(err); got != c.want || status != c.status {
			t.Errorf("createName(%q) = %q, %v; want %q, %v", c.raw, got, status, c.want, c.status)
		}
	}
}

func TestDFSName(t *testing.T) {
	for raw, want := range map[string]string{
		`srv\share`: ``, `srv\share\`: ``, `srv\share\d\e`: `d\e`, `\srv\share\d`: `d`, `srv`: ``, `srv\share\a\..\b`: `b`,
	} {
		if got, err := createName(raw, true); got != want || err != nil {
			t.Errorf("createName(%q) of a DFS path = %q, %v; want %q", raw, got, err, want)
		}
	}
	if _, err := createName(`srv\share\..\x`, true); !errors.Is(err, ntstatus.ObjectPathSyntaxBad) {
		t.Errorf("a DFS path above its share: %v", err)
	}
}

func TestTargetName(t *testing.T) {
	for raw, want := range map[string]string{`ren2`: `ren2`, `\ren2`: `ren2`, `\\ren2`: `ren2`, `d/ren2`: `d\ren2`, `x\..\ren2`: `ren2`, `:t`: `:t`} {
		if got, err := targetName(raw); got != want || err != nil {
			t.Errorf("targetName(%q) = %q, %v; want %q", raw, got, err, want)
		}
	}
	for raw, want := range map[string]ntstatus.Status{``: ntstatus.InvalidParameter, `..\x`: ntstatus.ObjectPathSyntaxBad, `x*`: ntstatus.ObjectNameInvalid} {
		if _, err := targetName(raw); !errors.Is(err, want) {
			t.Errorf("targetName(%q): %v, want %v", raw, err, want)
		}
	}
}

func TestShareName(t *testing.T) {
	for path, want := range map[string]string{
		`\\srv\data`: `data`, `\\10.0.0.1\IPC$`: `IPC$`, `\\srv\`: ``, `\\srv`: ``, `srv\data`: ``, `\\srv\a\b`: ``, `\\\data`: ``, ``: ``,
	} {
		if got, ok := shareName(path); ok != (want != "") || ok && got != want {
			t.Errorf("shareName(%q) = %q, %v; want %q", path, got, ok, want)
		}
	}
}

// naiveFold is the rule for plain names in its simplest form: a stack of components.
func naiveFold(raw string) (string, bool) {
	var stack []string
	for _, c := range strings.FieldsFunc(raw, func(r rune) bool { return r == '\\' || r == '/' }) {
		if c != ".." {
			stack = append(stack, c)
		} else if len(stack) == 0 {
			return "", false
		} else {
			stack = stack[:len(stack)-1]
		}
	}
	return strings.Join(stack, `\`), true
}

func TestFoldProperty(t *testing.T) {
	component := rapid.SampledFrom([]string{"a", "bc", ".", "..", "...", "", "Ä", "..x", "x..", " ", "*", "|", ":s", "a:b", "..:q"})
	sep := rapid.SampledFrom([]string{`\`, `/`, `\\`})
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		for range rapid.IntRange(0, 7).Draw(t, "n") {
			b.WriteString(component.Draw(t, "component"))
			b.WriteString(sep.Draw(t, "separator"))
		}
		b.WriteString(component.Draw(t, "last"))
		raw := b.String()
		got, err := fold(raw)
		if err != nil {
			got = ""
		}
		path, _ := splitStream(got)
		if slices.Contains(strings.FieldsFunc(path, func(r rune) bool { return r == '\\' || r == '/' }), "..") {
			t.Fatalf("fold(%q) = %q lets `..` through", raw, got)
		}
		if err == nil {
			if again, err := fold(got); again != got || err != nil {
				t.Fatalf("fold(%q) = %q, but folded again %q, %v", raw, got, again, err)
			}
		}
		if !strings.ContainsAny(raw, `:*|`) {
			want, ok := naiveFold(raw)
			if got != want || ok != (err == nil) {
				t.Fatalf("fold(%q) = %q, %v; want %q, %v", raw, got, err, want, ok)
			}
		}
	})
}
