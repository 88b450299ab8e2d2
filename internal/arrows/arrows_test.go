package arrows

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// root is the repository, seen from this package's directory.
const root = "../.."

// source is one Go file of the repository.
type source struct {
	path  string // slash-separated, from the root
	lines int
	fset  *token.FileSet
	file  *ast.File
}

// dir is the package's path.
func (s source) dir() string { return path.Dir(s.path) }

// test says whether the file is compiled for tests only.
func (s source) test() bool { return strings.HasSuffix(s.path, "_test.go") }

// sources parses every Go file of the repository.
func sources(t *testing.T) []source {
	t.Helper()
	var list []source
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && p != root && (name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(p, ".go") {
			return nil
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, p, nil, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		list = append(list, source{filepath.ToSlash(rel), fset.File(file.Pos()).LineCount(), fset, file})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 20 {
		t.Fatalf("found only %d Go files from %s", len(list), root)
	}
	return list
}

// row is the package whose rules a directory has: its own, or those of the nearest above it.
func row(dir string) (string, bool) {
	for ; dir != "."; dir = path.Dir(dir) {
		if _, ok := allowed[dir]; ok {
			return dir, true
		}
	}
	return "", false
}

// below says whether an arrow, or several in a row, lead from one package to another.
func below(from, to string) bool {
	return slices.ContainsFunc(allowed[from], func(p string) bool { return p == to || below(p, to) })
}

// forbidden says why a file of dir may not import target, or nothing. Both from the root. Tests may
// import what is for tests, from anywhere, and whatever lies below.
func forbidden(dir, target string, test bool) string {
	from, ok := row(dir)
	if !ok {
		return "the package has no row in arrows.go"
	}
	to, ok := row(target)
	switch {
	case !ok:
		return "the imported package has no row in arrows.go"
	case from == to:
		return ""
	case slices.Contains(forTests, to) && !slices.Contains(forTests, from):
		if test {
			return ""
		}
		return "it is for tests only"
	case test && (slices.Contains(forTests, from) || slices.Contains(anyTest, to) || below(from, to)):
		return ""
	case !slices.Contains(allowed[from], to):
		return "the arrow does not run downwards"
	}
	return ""
}

func TestImports(t *testing.T) {
	for _, s := range sources(t) {
		for _, imp := range s.file.Imports {
			p, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			target, ours := strings.CutPrefix(p, module)
			if !ours {
				continue
			}
			if why := forbidden(s.dir(), target, s.test()); why != "" {
				t.Errorf("%s imports %s: %s", s.path, target, why)
			}
		}
	}
}

// TestForbidden shows that the rules can say no.
func TestForbidden(t *testing.T) {
	for _, c := range []struct {
		from, to string
		test, ok bool
	}{
		{"demux", "session", false, true},
		{"demux", "demux/backend", false, true},
		{"session", "demux", false, false},
		{"session", "demux/backend", false, false},
		{"demux/backend", "session", false, false},
		{"demux/backend", "demux", false, false},
		{"acl", "session", false, false},
		{"crypto", "internal/smb2", false, false},
		{"internal/smb2", "crypto", false, false},
		{"session/auth/ntlm", "session/auth/passdb", false, true},
		{"session/auth/ntlm", "session", false, false},
		{"session", "session/auth/ntlm", false, true},
		{"demux", "session/auth", false, false},
		{"session", "internal/lab", false, false},
		{"session", "internal/lab", true, true},
		{"session", "demux", true, false},
		{"demux", "session/auth", true, true},
		{"nowhere", "session", false, false},
	} {
		if why := forbidden(c.from, c.to, c.test); (why == "") != c.ok {
			t.Errorf("%s -> %s (test %v): %q, want allowed %v", c.from, c.to, c.test, why, c.ok)
		}
	}
}

func TestArrowsRunDownwards(t *testing.T) {
	var visit func(p string, above []string)
	visit = func(p string, above []string) {
		if slices.Contains(above, p) {
			t.Fatalf("a circle: %v", append(above, p))
		}
		for _, q := range allowed[p] {
			visit(q, append(slices.Clip(above), p))
		}
	}
	for p := range allowed {
		visit(p, nil)
	}
}

func TestLengths(t *testing.T) {
	needed := map[string]bool{}
	check := func(key string, lines, limit int) {
		switch {
		case lines <= limit:
		case tooLong[key] != "":
			needed[key] = true
		default:
			t.Errorf("%s has %d lines, more than %d: split it, or give the reason in arrows.go", key, lines, limit)
		}
	}
	for _, s := range sources(t) {
		check(s.path, s.lines, maxFile)
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			lines := s.fset.Position(f.End()).Line - s.fset.Position(f.Pos()).Line + 1
			if !s.test() {
				check(s.path+":"+f.Name.Name, lines, maxFunction)
			}
		}
	}
	for key, reason := range tooLong {
		if !needed[key] {
			t.Errorf("%s is not too long any more: take it out of arrows.go (%q)", key, reason)
		}
	}
}

// TestLogKeys: the cause of a line of the log has one key, "error", so that it can be looked for.
func TestLogKeys(t *testing.T) {
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Value == `"err"` && !strings.HasPrefix(s.path, "internal/arrows/") {
				t.Errorf("%s:%d: the key of an error in the log is \"error\"", s.path, s.fset.Position(lit.Pos()).Line)
			}
			return true
		})
	}
}
