package smbconf

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// maxIncludeDepth ends a chain of include files; a loop is found earlier.
const maxIncludeDepth = 16

// maxFileSize bounds what is read from one file. A configuration with 10,000
// shares has about 2 MB; a mistyped path may be a disk image.
const maxFileSize = 16 << 20

// File is a configuration with its includes resolved, sections in the order in
// which they were first opened.
type File struct {
	Name     string
	Sections []*Section
}

// Section is one [name] and what stands in it.
type Section struct {
	Name string // as written, white space folded
	Position
	Parameters []Parameter
}

// Parameter is one "name = value". Name is as written; compare with Key(Name).
type Parameter struct {
	Name  string
	Value string
	Position
}

// Key is the form in which two parameter names are equal: lower case, no white
// space at all, as smbd's strwicmp compares them.
func Key(name string) string {
	return strings.ToLower(strings.Join(strings.Fields(name), ""))
}

// SectionKey is the form in which two section names are equal: lower case, runs
// of white space as one blank.
func SectionKey(name string) string {
	return strings.ToLower(strings.Join(strings.Fields(name), " "))
}

// Section finds a section by name, nil if there is none.
func (f *File) Section(name string) *Section {
	for _, s := range f.Sections {
		if SectionKey(s.Name) == SectionKey(name) {
			return s
		}
	}
	return nil
}

// Load reads a configuration file and what it includes. The File is usable even
// when there are faults: it holds every line that could be understood, so that
// the faults of syntax and of meaning can be reported together.
func Load(path string) (*File, Faults) {
	p := newParser(path)
	p.file(path, Position{File: path})
	return p.out, p.faults
}

// Parse is Load for text that is already in memory; name stands for the file in
// positions, and includes are relative to its directory.
func Parse(name string, text []byte) (*File, Faults) {
	p := newParser(name)
	p.text(name, text)
	return p.out, p.faults
}

// parser holds the state that an include shares with its including file: the
// open section goes on, as in smbd.
type parser struct {
	out    *File
	faults Faults
	open   *Section
	stack  []string            // files being read, outermost first
	seen   map[string]Position // section key + NUL + parameter key -> first place
}

func newParser(name string) *parser {
	return &parser{out: &File{Name: name}, seen: map[string]Position{}}
}

func (p *parser) fault(at Position, parameter, format string, args ...any) {
	f := Fault{Position: at, Parameter: parameter, Reason: fmt.Sprintf(format, args...)}
	if p.open != nil {
		f.Section = p.open.Name
	}
	p.faults = append(p.faults, f)
}

// file reads one file; from is where it was named.
func (p *parser) file(path string, from Position) {
	for _, above := range p.stack {
		if above == path {
			p.fault(from, "include", "%s includes itself", path)
			return
		}
	}
	if len(p.stack) >= maxIncludeDepth {
		p.fault(from, "include", "more than %d files deep", maxIncludeDepth)
		return
	}
	st, err := os.Stat(path)
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err == nil && st.Size() > maxFileSize {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxFileSize)
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		what := "include"
		if len(p.stack) == 0 {
			what = ""
		}
		p.fault(from, what, "cannot be read: %v", err)
		return
	}
	p.text(path, text)
}

// text reads the lines of one file.
func (p *parser) text(name string, text []byte) {
	p.stack = append(p.stack, name)
	defer func() { p.stack = p.stack[:len(p.stack)-1] }()
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	lines := strings.Split(string(text), "\n")
	for i := 0; i < len(lines); i++ {
		at := Position{File: name, Line: i + 1}
		line := strings.TrimSuffix(lines[i], "\r")
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';' {
			continue
		}
		for strings.HasSuffix(line, `\`) {
			line = strings.TrimSuffix(line, `\`)
			if i+1 == len(lines) || i+2 == len(lines) && lines[i+1] == "" {
				p.fault(at, "", "the last line ends in a backslash: what it continues with is missing")
				break
			}
			i++
			line += strings.TrimSuffix(lines[i], "\r")
		}
		if !utf8.ValidString(line) || strings.ContainsRune(line, 0) {
			p.fault(at, "", "the line is not UTF-8 text")
			continue
		}
		p.line(at, strings.TrimSpace(line))
	}
}

// line reads one logical line that is neither empty nor a comment.
func (p *parser) line(at Position, line string) {
	if line == "" {
		return
	}
	if line[0] == '[' {
		p.section(at, line)
		return
	}
	name, value, found := strings.Cut(line, "=")
	name = strings.Join(strings.Fields(name), " ")
	value = strings.TrimSpace(value)
	switch {
	case !found:
		p.fault(at, "", "%q is neither [section] nor name = value", abbreviate(line))
		return
	case name == "":
		p.fault(at, "", "there is no name before the =")
		return
	case Key(name) == "include":
		if value = unquote(value); value == "" {
			p.fault(at, name, "the file name is missing")
			return
		}
		if !filepath.IsAbs(value) {
			value = filepath.Join(filepath.Dir(at.File), value)
		}
		p.file(value, at)
		return
	case p.open == nil:
		p.fault(at, name, "stands before the first [section]")
		return
	}
	id := SectionKey(p.open.Name) + "\x00" + Key(name)
	if first, twice := p.seen[id]; twice {
		p.fault(at, name, "is set twice, first at %s", first)
		return
	}
	p.seen[id] = at
	p.open.Parameters = append(p.open.Parameters, Parameter{Name: name, Value: value, Position: at})
}

// section opens [name].
func (p *parser) section(at Position, line string) {
	p.open = nil
	end := strings.IndexByte(line, ']')
	if end < 0 {
		p.fault(at, "", "%q has no closing ]", abbreviate(line))
		p.skip(at)
		return
	}
	if rest := strings.TrimSpace(line[end+1:]); rest != "" {
		p.fault(at, "", "%q stands behind the closing ]", abbreviate(rest))
	}
	name := strings.Join(strings.Fields(line[1:end]), " ")
	if name == "" {
		p.fault(at, "", "the section has no name")
		p.skip(at)
		return
	}
	if first := p.out.Section(name); first != nil {
		p.open = first
		p.fault(at, "", "the section is opened twice, first at %s", first.Position)
		return
	}
	p.open = &Section{Name: name, Position: at}
	p.out.Sections = append(p.out.Sections, p.open)
}

// skip opens a section that is not in the result, so that the lines below a
// broken header are still checked for syntax but make no second fault each.
func (p *parser) skip(at Position) {
	p.open = &Section{Name: "?", Position: at}
}

// abbreviate keeps a fault on one screen line.
func abbreviate(s string) string {
	const limit = 40
	if r := []rune(s); len(r) > limit {
		return string(r[:limit]) + "..."
	}
	return s
}
