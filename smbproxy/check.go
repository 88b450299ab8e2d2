package main

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"

	"smbproxy/acl"
	"smbproxy/internal/smbconf"
)

// check finds what no single value can tell. Every fault is reported at the line that the
// administrator would change.
func (l *loader) check(opt loadOptions) {
	l.checkRequired()
	l.checkGlobal()
	l.checkBackends()
	l.checkShares()
	l.checkSmbdOptions()
	if !opt.NoFiles {
		l.checkFiles()
	}
}

// checkRequired finds sections that lack what they cannot do without.
func (l *loader) checkRequired() {
	empty := func(section string, at smbconf.Position, kind sectionKind, t target) {
		for _, row := range parameters {
			if row.kind == kind && row.required && row.value(t).String() == "" {
				if _, set := l.cfg.origin[originKey(section, row.name)]; set || !l.faulty(section, row) {
					l.fault(section, at, row.name, "is missing")
				}
			}
		}
	}
	for _, b := range l.cfg.Backends {
		empty("backend:"+b.Name, b.Position, inBackend, target{backend: b})
	}
	for _, s := range l.cfg.Shares {
		empty(s.Name, s.Position, inShare, target{share: s})
	}
}

// faulty says whether a fault of this parameter has been reported: a value that could not be
// read is not missing as well.
func (l *loader) faulty(section string, row parameter) bool {
	for _, f := range l.faults {
		if smbconf.SectionKey(f.Section) != smbconf.SectionKey(section) {
			continue
		}
		if found, ok := spellings[row.kind][smbconf.Key(f.Parameter)]; ok && found.row.name == row.name {
			return true
		}
	}
	return false
}

func (l *loader) checkGlobal() {
	g := &l.cfg.Global
	global := func(parameter, format string, args ...any) {
		l.fault("global", l.at("global", parameter), parameter, format, args...)
	}
	if slices.Index(protocols, g.MinProtocol) > slices.Index(protocols, g.MaxProtocol) {
		global("server min protocol", "%s is newer than `server max protocol`, %s", g.MinProtocol, g.MaxProtocol)
	}
	if g.Encryption == "required" && slices.Index(protocols, g.MaxProtocol) < slices.Index(protocols, "SMB3_00") {
		global("server smb encrypt", "nobody can encrypt while `server max protocol` is %s", g.MaxProtocol)
	}
	if g.PassdbFile == "" && len(g.NTLMHelper) == 0 && g.KeytabFile == "" {
		global("", "nobody could log on: set `smb passwd file`, `ntlm auth helper` or `dedicated keytab file`")
	}
	if g.PassdbFile != "" && len(g.NTLMHelper) != 0 {
		global("ntlm auth helper", "`smb passwd file` is set too: NTLM has one source of users")
	}
	if g.NTLMAuth == "disabled" && g.KeytabFile == "" && (g.PassdbFile != "" || len(g.NTLMHelper) != 0) {
		global("ntlm auth", "nobody could log on: NTLM is disabled and `dedicated keytab file` is not set")
	}
	if g.MapToGuest != "never" && (g.PassdbFile == "" || g.NTLMAuth == "disabled") {
		global("map to guest", "only `smb passwd file` can tell that a user is unknown")
	}
	if (g.MapToGuest != "never" || g.RestrictAnonymous < 2) && strings.EqualFold(g.GuestAccount, "nobody") {
		global("guest account", "guests are allowed, but nobody is not let through to a backend: make a user for guests")
	}
	for _, a := range g.Interfaces {
		if err := checkInterface(a); err != nil {
			global("interfaces", "%v", err)
		}
	}
	l.checkHosts("global", g.HostsAllow, g.HostsDeny)
	l.checkGlobalHosts("hosts allow", g.HostsAllow)
	l.checkGlobalHosts("hosts deny", g.HostsDeny)
	if len(l.cfg.Shares) == 0 && len(l.faults) == 0 {
		l.fault("", smbconf.Position{File: l.cfg.File}, "", "there is no share")
	}
}

// checkHosts checks the lists of [global] or of one share.
func (l *loader) checkHosts(section string, allow, deny []string) {
	if err := checkHostList(allow); err != nil {
		l.fault(section, l.at(section, "hosts allow"), "hosts allow", "%v", err)
	}
	if err := checkHostList(deny); err != nil {
		l.fault(section, l.at(section, "hosts deny"), "hosts deny", "%v", err)
	}
}

// checkGlobalHosts refuses names: [global] is asked before anything is known of a client, and a
// question to DNS there would let a stranger hold up the others.
func (l *loader) checkGlobalHosts(parameter string, list []string) {
	for _, w := range list {
		h, err := acl.ParseHosts([]string{w})
		if err != nil {
			continue // EXCEPT, or reported already
		}
		asked := askedForNames(false)
		_ = (&acl.Policy{HostsAllow: h}).Admit(context.Background(), acl.Subject{Addr: netip.MustParseAddr("192.0.2.1")}, &asked)
		if asked {
			l.fault("global", l.at("global", parameter), parameter, "%s is a name; here only addresses and networks can stand, names only in shares", w)
		}
	}
}

// askedForNames is an acl.Lookup that notes whether names matter.
type askedForNames bool

// Member is never asked.
func (*askedForNames) Member(context.Context, string, string) (bool, error) { return false, nil }

// HostNames notes the question.
func (a *askedForNames) HostNames(context.Context, netip.Addr) []string { *a = true; return nil }

func (l *loader) checkBackends() {
	type owner struct{ address, keytab, principal map[string]string }
	seen := owner{map[string]string{}, map[string]string{}, map[string]string{}}
	for _, b := range l.cfg.Backends {
		section := "backend:" + b.Name
		once := func(m map[string]string, v, parameter, why string) {
			if first, twice := m[v]; twice && v != "" {
				l.fault(section, l.at(section, parameter), parameter, "%s is also that of [backend:%s]: %s", v, first, why)
			}
			m[v] = b.Name
		}
		if b.MaxLanes < b.Lanes {
			l.fault(section, l.at(section, "max lanes"), "max lanes", "%d is less than `lanes`, %d", b.MaxLanes, b.Lanes)
		}
		if b.DownAfter < b.SuspectAfter {
			l.fault(section, l.at(section, "down after"), "down after", "%v comes before `suspect after`, %v", b.DownAfter, b.SuspectAfter)
		}
		once(seen.address, strings.ToLower(b.Address), "address", "a backend is one smbd")
		once(seen.keytab, b.KeytabFile, "dedicated keytab file", "who breaks into one backend would be every user on the other")
		once(seen.principal, strings.ToLower(b.ServicePrincipal)+"@"+b.Realm, "service principal", "a ticket for one backend would open the other")
		if err := checkHostList(b.HostsAllow); err != nil {
			l.fault(section, l.at(section, "hosts allow"), "hosts allow", "%v", err)
		}
		if host, port, err := net.SplitHostPort(b.Address); err == nil && l.listensOn(host, port) {
			l.fault(section, l.at(section, "address"), "address", "%s is where smbproxy itself listens", b.Address)
		}
	}
}

// listensOn says whether host:port is one of our own listeners, as far as names can tell.
func (l *loader) listensOn(host, port string) bool {
	if !slices.ContainsFunc(l.cfg.Global.Ports, func(p int) bool { return fmt.Sprint(p) == port }) {
		return false
	}
	return slices.ContainsFunc(l.cfg.Global.Interfaces, func(a string) bool {
		a, _, _ = strings.Cut(a, "/")
		return strings.Trim(a, "[]") == host
	})
}

func (l *loader) checkShares() {
	exported := map[string]string{}
	for _, s := range l.cfg.Shares {
		at := func(parameter string) smbconf.Position {
			if p, ok := l.cfg.origin[originKey(s.Name, parameter)]; ok {
				return p
			}
			return l.at(templateSection, parameter)
		}
		l.checkShareBackends(s, at, exported)
		if s.Encryption == "required" {
			if g := &l.cfg.Global; g.Encryption == "off" || slices.Index(protocols, g.MaxProtocol) < slices.Index(protocols, "SMB3_00") {
				l.fault(s.Name, at("server smb encrypt"), "server smb encrypt", "nobody could use the share: [global] rules encryption out")
			}
		}
		if s.GuestOK && l.cfg.Global.MapToGuest == "never" && l.cfg.Global.RestrictAnonymous == 2 {
			l.fault(s.Name, at("guest ok"), "guest ok", "there are no guests: `map to guest` is never and `restrict anonymous` is 2")
		}
		if s.ContinuousAvailability && s.OtherWriters {
			l.fault(s.Name, at("continuous availability"), "continuous availability", "needs `other writers = no`: handles that outlive smbproxy promise what nobody else may break")
		}
		for _, list := range []struct {
			parameter string
			users     []string
		}{{"valid users", s.ValidUsers}, {"invalid users", s.InvalidUsers}} {
			for _, u := range list.users {
				if err := checkUserEntry(u); err != nil {
					l.fault(s.Name, at(list.parameter), list.parameter, "%v", err)
				}
			}
		}
		l.checkHosts(s.Name, s.HostsAllow, s.HostsDeny)
	}
}

// checkShareBackends finds the backends that a share and its routes name, and gives them the spelling of their sections.
// exported says which share of a backend is whose.
func (l *loader) checkShareBackends(s *Share, at func(parameter string) smbconf.Position, exported map[string]string) {
	all := make([]string, len(l.cfg.Backends))
	for i, b := range l.cfg.Backends {
		all[i] = b.Name
	}
	mine := map[string]bool{}
	resolve := func(parameter string, names []string) {
		seen := map[string]bool{}
		for i, name := range names {
			b := l.cfg.backend(name)
			if b == nil {
				hint := ""
				if near := smbconf.Suggest(name, all); near != "" {
					hint = fmt.Sprintf("; did you mean %q?", near)
				}
				l.fault(s.Name, at(parameter), parameter, "there is no [backend:%s]%s", name, hint)
				continue
			}
			if seen[b.Name] {
				l.fault(s.Name, at(parameter), parameter, "[backend:%s] is named twice", b.Name)
			}
			names[i], seen[b.Name], mine[b.Name] = b.Name, true, true
		}
	}
	resolve("backend", s.Backends)
	resolve("ost backends", s.OSTBackends)
	for name := range mine {
		if !slices.Contains(s.Backends, name) {
			delete(mine, name) // it exports the hidden share only
		}
	}
	l.checkStripes(s, at)
	covered := map[string]bool{}
	for _, r := range s.Routes {
		resolve("route", r.Backends)
		if key := strings.ToUpper(r.Path); covered[key] {
			l.fault(s.Name, at("route"), "route", "%s is named twice", r.Path)
		} else {
			covered[key] = true
		}
	}
	once := func(name, share string) {
		key := name + "\x00" + smbconf.SectionKey(share)
		if first, twice := exported[key]; twice {
			l.fault(s.Name, at("backend share"), "backend share", "%s on backend %s is already the share [%s]", share, name, first)
		}
		exported[key] = s.Name
	}
	for _, name := range slices.Sorted(maps.Keys(mine)) {
		once(name, s.BackendShare)
	}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(s.OSTBackends))) {
		once(name, s.dataShare())
	}
}

// checkStripes checks how the data of a share's files lie at its backends.
func (l *loader) checkStripes(s *Share, at func(parameter string) smbconf.Position) {
	if s.StripeCount > len(s.OSTBackends) && len(s.OSTBackends) > 0 {
		l.fault(s.Name, at("stripe count"), "stripe count", "%d, but `ost backends` has %d", s.StripeCount, len(s.OSTBackends))
	}
	if s.MountPoint != "" && len(s.OSTBackends) == 0 {
		l.fault(s.Name, at("mount point"), "mount point", "layouts mean nothing without `ost backends`")
	}
	near := map[uint32]string{}
	for i, b := range dataBackends(l.cfg, s) {
		if first, twice := near[b.Index]; twice {
			l.fault(s.Name, at("ost backends"), "ost backends", "[backend:%s] and [backend:%s] have one `ost index`, %d", first, b.Name, b.Index)
		}
		near[b.Index] = s.OSTBackends[i]
		if !slices.Contains(l.cfg.backend(b.Name).Role, "ost") {
			l.fault(s.Name, at("ost backends"), "ost backends", "the `role` of [backend:%s] is not ost", b.Name)
		}
	}
}

// checkUserEntry takes what acl takes, but for the macros (%S) of smbd, which would make the list
// another one for every client.
func checkUserEntry(u string) error {
	if strings.Contains(u, "%") {
		return fmt.Errorf("%q: macros are not supported", u)
	}
	_, err := acl.ParseUsers([]string{u})
	return err
}

// checkHostList takes what acl takes.
func checkHostList(list []string) error {
	_, err := acl.ParseHosts(list)
	return err
}

// checkSmbdOptions refuses lines that would contradict what the backend must be told.
func (l *loader) checkSmbdOptions() {
	for _, b := range l.cfg.Backends {
		fixed := smbdGlobalKeys(l.cfg, b)
		for _, o := range b.SmbdOptions {
			if fixed[smbconf.Key(o.Name)] || smbdForbidden[smbconf.Key(o.Name)] {
				l.fault("backend:"+b.Name, o.Position, smbdOptionPrefix+o.Name, "is set by smbproxy itself")
			}
		}
	}
	for _, s := range l.cfg.Shares {
		fixed := smbdShareKeys(l.cfg, s)
		for _, o := range s.SmbdOptions {
			if fixed[smbconf.Key(o.Name)] || smbdForbidden[smbconf.Key(o.Name)] {
				l.fault(s.Name, o.Position, smbdOptionPrefix+o.Name, "is set by smbproxy itself")
			}
		}
	}
}
