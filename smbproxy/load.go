package main

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"smbproxy/internal/smbconf"
)

// loadOptions says how much of the host the configuration is checked against.
type loadOptions struct {
	Hostname string // for `netbios name`; empty: os.Hostname
	NoFiles  bool   // do not look at keytabs, password files and directories: they need not exist yet, or are on another host
}

// loader turns the text into a Config and collects faults on the way.
type loader struct {
	cfg      *Config
	template Share // the shares' defaults: the table's, then [global]'s
	faults   smbconf.Faults
}

// loadConfig reads, defaults and checks a configuration. The error is a smbconf.Faults with
// everything that is wrong; the Config is nil then.
func loadConfig(path string, opt loadOptions) (*Config, error) {
	file, faults := smbconf.Load(path)
	if len(faults) == 1 && len(file.Sections) == 0 {
		return nil, faults.Err()
	}
	return buildConfig(file, faults, opt)
}

// buildConfig is loadConfig behind the reading of the file.
func buildConfig(file *smbconf.File, faults smbconf.Faults, opt loadOptions) (*Config, error) {
	l := &loader{cfg: &Config{File: file.Name, origin: map[string]smbconf.Position{}}, faults: faults}
	defaults(inGlobal, target{global: &l.cfg.Global})
	defaults(inShare, target{share: &l.template})
	if s := file.Section("global"); s != nil {
		l.section(s, inGlobal, target{global: &l.cfg.Global, share: &l.template})
	}
	for _, s := range file.Sections {
		key := smbconf.SectionKey(s.Name)
		prefix, name, isPair := strings.Cut(s.Name, ":")
		switch {
		case key == "global":
		case isPair && smbconf.SectionKey(prefix) == "backend":
			l.backend(s, strings.TrimSpace(name))
		case isPair:
			l.fault(s.Name, s.Position, "", "is not a kind of section; there are [global], [backend:NAME], and shares, whose names have no colon")
		default:
			l.share(s)
		}
	}
	l.dynamicDefaults(opt)
	l.check(opt)
	if err := l.faults.Err(); err != nil {
		return nil, err
	}
	return l.cfg, nil
}

func (l *loader) fault(section string, at smbconf.Position, parameter, format string, args ...any) {
	l.faults = append(l.faults, smbconf.Fault{Position: at, Section: section, Parameter: parameter, Reason: fmt.Sprintf(format, args...)})
}

// at is where a parameter was set, else its section, else the file.
func (l *loader) at(section, parameter string) smbconf.Position {
	if p, ok := l.cfg.origin[originKey(section, parameter)]; ok {
		return p
	}
	if p, ok := l.cfg.origin[originKey(section, "")]; ok {
		return p
	}
	return smbconf.Position{File: l.cfg.File}
}

func originKey(section, parameter string) string {
	return smbconf.SectionKey(section) + "\x00" + parameter
}

// templateSection is the section name under which origin has share parameters of [global].
const templateSection = "\x00template"

// section reads the parameters of one section into t.
func (l *loader) section(s *smbconf.Section, kind sectionKind, t target) {
	l.cfg.origin[originKey(s.Name, "")] = s.Position
	seen := map[*parameter]smbconf.Parameter{}
	for _, p := range s.Parameters {
		if name, ok := cutPrefixFold(p.Name, smbdOptionPrefix); ok {
			l.smbdOption(s, p, strings.TrimSpace(name), kind, t)
			continue
		}
		found, ok := spellings[kind][smbconf.Key(p.Name)]
		owner := s.Name
		if !ok && kind == inGlobal {
			found, ok = spellings[inShare][smbconf.Key(p.Name)]
			owner = templateSection
		}
		if !ok {
			l.unknown(s, p, kind)
			continue
		}
		if first, twice := seen[found.row]; twice {
			l.fault(s.Name, p.Position, p.Name, "is set twice: %q at %s is the same parameter", first.Name, first.Position)
			continue
		}
		seen[found.row] = p
		text := p.Value
		if found.inverted {
			b, err := smbconf.Bool(text)
			if err != nil {
				l.fault(s.Name, p.Position, p.Name, "%v", err)
				continue
			}
			text = smbconf.FormatBool(!b)
		}
		if err := found.row.value(t).Set(text); err != nil {
			l.fault(s.Name, p.Position, p.Name, "%v", err)
			continue
		}
		l.cfg.origin[originKey(owner, found.row.name)] = p.Position
	}
}

// unknown says what was perhaps meant.
func (l *loader) unknown(s *smbconf.Section, p smbconf.Parameter, kind sectionKind) {
	key := smbconf.Key(p.Name)
	for _, other := range []sectionKind{inGlobal, inBackend, inShare} {
		if _, ok := spellings[other][key]; ok {
			l.fault(s.Name, p.Position, p.Name, "belongs into a %s section, not into this one", other)
			return
		}
	}
	if hint, ok := smbdParameters[key]; ok {
		l.fault(s.Name, p.Position, p.Name, "unknown parameter: %s", hint)
		return
	}
	if near := smbconf.Suggest(p.Name, names(kind)); near != "" {
		l.fault(s.Name, p.Position, p.Name, "unknown parameter; did you mean %q?", near)
		return
	}
	l.fault(s.Name, p.Position, p.Name, "unknown parameter")
}

// smbdOption keeps a line for a backend's smb.conf.
func (l *loader) smbdOption(s *smbconf.Section, p smbconf.Parameter, name string, kind sectionKind, t target) {
	if name == "" || kind == inGlobal {
		l.fault(s.Name, p.Position, p.Name, "\"smbd:NAME = VALUE\" stands in [backend:NAME] sections and shares")
		return
	}
	o := SmbdOption{Name: strings.Join(strings.Fields(name), " "), Value: p.Value, Position: p.Position}
	if kind == inBackend {
		t.backend.SmbdOptions = append(t.backend.SmbdOptions, o)
	} else {
		t.share.SmbdOptions = append(t.share.SmbdOptions, o)
	}
}

func (l *loader) backend(s *smbconf.Section, name string) {
	b := &Backend{Name: name, Position: s.Position}
	defaults(inBackend, target{backend: b})
	l.section(s, inBackend, target{backend: b})
	if err := checkBackendName(name); err != nil {
		l.fault(s.Name, s.Position, "", "%v", err)
		return
	}
	if l.cfg.backend(name) != nil { // [backend:a] and [backend: a] are two sections to the parser
		l.fault(s.Name, s.Position, "", "there are two backends of the name %s", name)
		return
	}
	l.cfg.Backends = append(l.cfg.Backends, b)
}

func (l *loader) share(s *smbconf.Section) {
	sh := l.template
	sh.Name, sh.Position = s.Name, s.Position
	l.section(s, inShare, target{share: &sh})
	if reason, ok := reservedShares[smbconf.SectionKey(s.Name)]; ok {
		l.fault(s.Name, s.Position, "", "%s", reason)
		return
	}
	if err := checkShareName(s.Name); err != nil {
		l.fault(s.Name, s.Position, "", "%v", err)
		return
	}
	l.cfg.Shares = append(l.cfg.Shares, &sh)
}

// dynamicDefaults fills what depends on the host or on other parameters.
func (l *loader) dynamicDefaults(opt loadOptions) {
	g := &l.cfg.Global
	if g.NetBIOSName == "" {
		host := opt.Hostname
		if host == "" {
			host, _ = os.Hostname()
		}
		short, _, _ := strings.Cut(host, ".")
		if len(short) > 15 {
			short = short[:15]
		}
		name, err := parseNetBIOSName(short)
		if err != nil || name == "" {
			name = "SMBPROXY"
		}
		g.NetBIOSName = name
	}
	if g.MachineSID == "" {
		sum := sha256.Sum256([]byte("machine sid\x00" + g.NetBIOSName + "\x00" + g.Workgroup))
		g.MachineSID = fmt.Sprintf("S-1-5-21-%d-%d-%d", binary.LittleEndian.Uint32(sum[0:]), binary.LittleEndian.Uint32(sum[4:]), binary.LittleEndian.Uint32(sum[8:]))
	}
	for _, b := range l.cfg.Backends {
		if b.KeytabFile == "" {
			b.KeytabFile = filepath.Join(g.StateDirectory, b.Name+".keytab")
		}
		if b.ServicePrincipal == "" {
			b.ServicePrincipal = "cifs/" + strings.ToLower(b.Name)
		}
	}
	for _, s := range l.cfg.Shares {
		if s.BackendShare == "" {
			s.BackendShare = s.Name
		}
		if s.Volume == "" {
			s.Volume = s.Name
		}
		if s.VolumeSerial == 0 {
			sum := sha256.Sum256([]byte("volume\x00" + g.NetBIOSName + "\x00" + smbconf.SectionKey(s.Name)))
			s.VolumeSerial = binary.LittleEndian.Uint32(sum[:])&0x7fffffff | 1
		}
	}
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// looseGlobal reads no more of a configuration than what commands need that look at a running or a
// stopped smbproxy, so that a faulty file does not keep an administrator from that.
func looseGlobal(path string) Global {
	var g Global
	defaults(inGlobal, target{global: &g})
	file, _ := smbconf.Load(path)
	if s := file.Section("global"); s != nil {
		for _, p := range s.Parameters {
			found, ok := spellings[inGlobal][smbconf.Key(p.Name)]
			if ok && (found.row.name == "admin socket" || found.row.name == "state directory") {
				_ = found.row.value(target{global: &g}).Set(p.Value) // faulty: the default stays
			}
		}
	}
	return g
}
