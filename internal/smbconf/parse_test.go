package smbconf

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	text := "\xef\xbb\xbf# a comment \\\n; another = one\r\n[ Global ]\r\n" +
		"\tServer  String = the \\\n  proxy # not a comment\n" +
		"readonly=yes\nempty =\n[My   Share]\npath = \"/a b\"\n"
	f, faults := Parse("t.conf", []byte(text))
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	if len(f.Sections) != 2 || f.Sections[0].Name != "Global" || f.Sections[1].Name != "My Share" {
		t.Fatalf("sections: got %+v", f.Sections)
	}
	want := []Parameter{
		{"Server String", "the   proxy # not a comment", Position{"t.conf", 4}},
		{"readonly", "yes", Position{"t.conf", 6}},
		{"empty", "", Position{"t.conf", 7}},
	}
	got := f.Section("GLOBAL").Parameters
	if len(got) != len(want) {
		t.Fatalf("parameters: got %+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("parameter %d: got %+v want %+v", i, got[i], want[i])
		}
	}
	if f.Section("my share") == nil || f.Section("other") != nil {
		t.Error("Section does not fold names as smb.conf does")
	}
}

func TestParseFaults(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no equals sign", "[global]\nhello there\n", `t:2: [global] "hello there" is neither [section] nor name = value`},
		{"no name", "[global]\n= x\n", "t:2: [global] there is no name before the ="},
		{"before a section", "a = b\n", "t:1: a: stands before the first [section]"},
		{"bracket not closed", "[global\na = b\n", `t:1: "[global" has no closing ]`},
		{"behind the bracket", "[global] x\n", `t:1: "x" stands behind the closing ]`},
		{"section without a name", "[ ]\n", "t:1: the section has no name"},
		{"parameter twice", "[g]\nread only = yes\nReadOnly = no\n", "t:3: [g] ReadOnly: is set twice, first at t:2"},
		{"section twice", "[g]\n[h]\n[G]\n", "t:3: [g] the section is opened twice, first at t:1"},
		{"not UTF-8", "[g]\na = \xff\n", "t:2: [g] the line is not UTF-8 text"},
		{"NUL", "[g]\na = \x00\n", "t:2: [g] the line is not UTF-8 text"},
		{"backslash at the end", "[g]\na = b\\", "t:2: [g] the last line ends in a backslash: what it continues with is missing"},
		{"backslash and newline at the end", "[g]\na = b\\\n", "t:2: [g] the last line ends in a backslash: what it continues with is missing"},
		{"include without a file", "[g]\ninclude =\n", "t:2: [g] include: the file name is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, faults := Parse("t", []byte(c.text))
			if err := faults.Err(); err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// All faults are reported, in the order of the lines, and what is right between
// them is still there.
func TestParseGoesOnAfterFaults(t *testing.T) {
	f, faults := Parse("t", []byte("x = 1\n[a]\nnonsense\nb = 2\n[c\nd = 3\n[e]\nf = 4\n"))
	var fs Faults
	if !errors.As(faults.Err(), &fs) || len(fs) != 3 {
		t.Fatalf("got %v, want 3 faults", faults)
	}
	if len(f.Sections) != 2 || len(f.Section("a").Parameters) != 1 || len(f.Section("e").Parameters) != 1 {
		t.Errorf("got %+v", f.Sections)
	}
}

func TestInclude(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	main := write("main.conf", "[a]\ninclude = sub.conf\nd = 4\ninclude = missing.conf\n")
	sub := write("sub.conf", "b = 2\n[c]\nd = 3\nwrong\ninclude = main.conf\n")
	f, faults := Load(main)
	if got := f.Section("a").Parameters; len(got) != 1 || got[0].Position != (Position{sub, 1}) {
		t.Errorf("[a]: got %+v", got)
	}
	// The section that the included file opened goes on behind it, as in smbd,
	// so the second d is the same parameter set twice.
	want := []string{
		main + ":3: [c] d: is set twice, first at " + sub + ":3",
		main + ":4: [c] include: cannot be read: ",
		sub + ":4: [c] \"wrong\" is neither",
		sub + ":5: [c] include: " + main + " includes itself",
	}
	lines := strings.Split(faults.Err().Error(), "\n")
	if len(lines) != len(want) {
		t.Fatalf("got %d faults, want %d:\n%v", len(lines), len(want), faults)
	}
	for i := range want {
		if !strings.HasPrefix(lines[i], want[i]) {
			t.Errorf("fault %d:\ngot  %s\nwant %s", i, lines[i], want[i])
		}
	}
}

func TestLoadUnreadable(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "none"), t.TempDir()} {
		if _, faults := Load(path); len(faults) != 1 || faults[0].Line != 0 || faults[0].File != path {
			t.Errorf("Load(%s): got %v", path, faults)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("[a]\nb = c \\\n d\n; e\n[f"))
	f.Fuzz(func(t *testing.T, text []byte) {
		out, _ := Parse("t", text)
		for _, s := range out.Sections {
			for _, p := range s.Parameters {
				if Key(p.Name) == "" || p.Line < s.Line {
					t.Fatalf("parameter %+v of section %+v", p, s.Position)
				}
			}
		}
	})
}
