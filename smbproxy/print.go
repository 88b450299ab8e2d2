package main

import (
	"fmt"
	"io"
	"strings"

	"smbproxy/internal/smbconf"
)

// printOptions chooses what testparm shows.
type printOptions struct {
	SetOnly   bool   // only what the file sets
	Origin    bool   // a comment at each line: where it was set
	Section   string // only this section; empty: all
	Parameter string // only the values of this parameter, one per line
}

// printConfig writes a configuration in the syntax that it was read from.
func printConfig(w io.Writer, cfg *Config, opt printOptions) error {
	var out strings.Builder
	p := &printer{out: &out, cfg: cfg, opt: opt}
	p.section("global", inGlobal, target{global: &cfg.Global}, nil)
	for _, b := range cfg.Backends {
		p.section("backend:"+b.Name, inBackend, target{backend: b}, b.SmbdOptions)
	}
	for _, s := range cfg.Shares {
		p.section(s.Name, inShare, target{share: s}, s.SmbdOptions)
	}
	if out.Len() == 0 && opt.Section != "" && !p.found {
		return fmt.Errorf("%s: there is no section [%s]", cfg.File, opt.Section)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

type printer struct {
	out   *strings.Builder
	cfg   *Config
	opt   printOptions
	found bool // the section asked for exists
}

func (p *printer) section(name string, kind sectionKind, t target, options []SmbdOption) {
	if p.opt.Section != "" && smbconf.SectionKey(p.opt.Section) != smbconf.SectionKey(name) {
		return
	}
	p.found = true
	if p.opt.Parameter == "" {
		if p.out.Len() > 0 {
			p.out.WriteString("\n")
		}
		fmt.Fprintf(p.out, "[%s]\n", name)
	}
	for _, row := range parameters {
		if row.kind == kind {
			p.line(row.name, row.value(t).String(), p.origin(name, row.name))
		}
	}
	for _, o := range options {
		p.line(smbdOptionPrefix+o.Name, o.Value, o.Position)
	}
}

// origin is where a value was set; a share's may come from [global].
func (p *printer) origin(section, parameter string) smbconf.Position {
	at, ok := p.cfg.origin[originKey(section, parameter)]
	if !ok && p.cfg.isShare(section) {
		at = p.cfg.origin[originKey(templateSection, parameter)]
	}
	return at
}

// line prints one parameter as the options want it.
func (p *printer) line(name, value string, at smbconf.Position) {
	switch {
	case p.opt.Parameter != "":
		if found := p.asked(name); found {
			fmt.Fprintln(p.out, value)
		}
		return
	case p.opt.SetOnly && at.Line == 0:
		return
	}
	if p.opt.Origin {
		where := "default"
		if at.Line != 0 {
			where = at.String()
		}
		fmt.Fprintf(p.out, "\t# %s\n", where)
	}
	fmt.Fprintf(p.out, "\t%s\n", strings.TrimSpace(name+" = "+value))
}

// asked says whether the parameter is the one of --parameter-name, by any of its names.
func (p *printer) asked(name string) bool {
	if smbconf.Key(name) == smbconf.Key(p.opt.Parameter) {
		return true
	}
	for _, kind := range []sectionKind{inGlobal, inBackend, inShare} {
		if found, ok := spellings[kind][smbconf.Key(p.opt.Parameter)]; ok && !found.inverted && found.row.name == name {
			return true
		}
	}
	return false
}

func (c *Config) isShare(section string) bool {
	for _, s := range c.Shares {
		if s.Name == section {
			return true
		}
	}
	return false
}

// wrapComment breaks text into lines of comments, 100 columns wide.
func wrapComment(s string) string {
	var lines []string
	line := "#"
	for _, word := range strings.Fields(s) {
		if len(line)+1+len(word) > 100 {
			lines = append(lines, line)
			line = "#"
		}
		line += " " + word
	}
	return strings.Join(append(lines, line), "\n")
}

func indentLines(s string) string { return "\t" + strings.ReplaceAll(s, "\n", "\n\t") }
