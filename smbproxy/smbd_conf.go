package main

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sort"
	"strings"

	"smbproxy/internal/smbconf"
)

// smbdPaths is where one smbd keeps its things. The zero value leaves smbd's own defaults.
type smbdPaths struct {
	Keytab string // on the backend's host
	Prefix string // a directory for everything that smbd writes, so that several run on one host; empty: smbd's defaults
	Log    string // log file; empty: with Prefix PREFIX/log.smbd, else smbd's default
}

// defaultSmbdKeytab is where the key lies on a backend's host unless --keytab says otherwise.
const defaultSmbdKeytab = "/etc/samba/smbproxy.keytab"

// smbdLine is one line of a printed smb.conf.
type smbdLine struct{ name, value string }

// smbdGroup is some lines and why they are there.
type smbdGroup struct {
	why   string
	lines []smbdLine
}

// smbdForbidden are parameters that would bring in what we did not print.
var smbdForbidden = map[string]bool{
	"include": true, "copy": true, "configbackend": true, "configfile": true, "registryshares": true, "preload": true,
	"autoservices": true, "defaultservice": true, "default": true, "forceuser": false, "adminusers": true, "rootdirectory": true,
}

// smbdConf writes the complete smb.conf of one backend.
func smbdConf(w io.Writer, cfg *Config, b *Backend, paths smbdPaths) error {
	groups, err := smbdGlobal(cfg, b, paths)
	if err != nil {
		return err
	}
	var out strings.Builder
	fmt.Fprintf(&out, "# smb.conf of the backend %s, printed by `smbproxy backend config %s`.\n", b.Name, b.Name)
	out.WriteString("# Do not edit: change smbproxy.conf and print it again. Lines of your own: \"smbd:NAME = VALUE\" there.\n#\n")
	out.WriteString(wrapComment("Before the first start, on the backend's host: put the key made by `smbproxy backend keytab "+b.Name+
		"` where \"dedicated keytab file\" says, owner root, mode 0600; see that /etc/krb5.conf exists (an empty one will do); "+
		"and give this server the machine SID that all backends share, because the access control lists in the files hold SIDs:") + "\n")
	fmt.Fprintf(&out, "#   net --configfile=THIS_FILE setlocalsid %s\n", cfg.Global.MachineSID)
	out.WriteString("# Users and groups must be known to this host (getent passwd) with the same numbers on all backends.\n\n[global]\n")
	writeSmbdGroups(&out, groups)
	for _, s := range cfg.Shares {
		if s.usedBy(b) {
			fmt.Fprintf(&out, "\n[%s]\n", s.BackendShare)
			writeSmbdGroups(&out, smbdShare(s))
		}
		if s.dataOf(b) {
			fmt.Fprintf(&out, "\n[%s]\n", s.dataShare())
			writeSmbdGroups(&out, smbdDataShare(s, b))
		}
	}
	_, err = io.WriteString(w, out.String())
	return err
}

func writeSmbdGroups(out *strings.Builder, groups []smbdGroup) {
	for i, g := range groups {
		if i > 0 {
			out.WriteString("\n")
		}
		if g.why != "" {
			out.WriteString(indentLines(wrapComment(g.why)) + "\n")
		}
		for _, l := range g.lines {
			fmt.Fprintf(out, "\t%s\n", strings.TrimSpace(l.name+" = "+l.value))
		}
	}
}

// smbdGlobal is [global] of the backend: DESIGN 2 and 5, each line with its reason.
func smbdGlobal(cfg *Config, b *Backend, paths smbdPaths) ([]smbdGroup, error) {
	g := &cfg.Global
	network, err := smbdNetwork(g, b)
	if err != nil {
		return nil, err
	}
	groups := []smbdGroup{
		{"All backends are one server to clients: the same names everywhere.", []smbdLine{
			{"server role", "standalone server"}, {"security", "user"}, {"netbios name", g.NetBIOSName}, {"workgroup", g.Workgroup}, {"server string", g.ServerString}}},
		network,
		smbdIdentity(b, paths),
		{"smbproxy speaks SMB 3.1.1 only and signs or encrypts everything; AES-128-GMAC is the fastest way to sign.", append([]smbdLine{
			{"server min protocol", "SMB3_11"}, {"server max protocol", "SMB3_11"}, {"server signing", "mandatory"},
			{"server smb3 signing algorithms", strings.Join(b.SigningAlgorithms, ", ")}}, smbdEncryption(b)...)},
		{"Large enough that only smbproxy's own limits count. One connection serves many users, so it needs many open files, and it is never idle.", []smbdLine{
			{"smb2 max credits", "8192"}, {"smb2 max read", fmt.Sprint(g.MaxRead)}, {"smb2 max write", fmt.Sprint(g.MaxWrite)}, {"smb2 max trans", fmt.Sprint(g.MaxTransact)},
			{"max open files", fmt.Sprint(b.MaxOpenFiles)}, {"deadtime", "0"}}},
		{"No caching by whoever opens a file here, no handle that outlives its connection, one connection per lane: that state belongs to smbproxy, which takes the place of CTDB.", []smbdLine{
			{"clustering", "no"}, {"oplocks", "no"}, {"level2 oplocks", "no"}, {"kernel oplocks", "no"}, {"smb2 leases", "no"}, {"durable handles", "no"}, {"server multi channel support", "no"}}},
		{"Share modes and byte-range locks are smbproxy's too: it opens every file here with full sharing, and nothing asks for a lock.", []smbdLine{
			{"kernel share modes", "no"}, {"posix locking", "no"}, {"locking", "no"}, {"strict locking", "no"}, {"change notify", "yes"}, {"kernel change notify", "yes"}}},
		{"FLUSH and write-through reach the disk. Without this line smbd answers them and does nothing.", []smbdLine{{"strict sync", "yes"}}},
		{"Windows' attributes, ACLs and streams live in extended attributes, not in mode bits. Links that leave a share are not followed.", []smbdLine{
			{"vfs objects", strings.Join(b.VFSObjects, " ")}, {"ea support", "yes"}, {"store dos attributes", "yes"},
			{"map archive", "no"}, {"map hidden", "no"}, {"map system", "no"}, {"map readonly", "no"}, {"wide links", "no"}, {"host msdfs", "no"}}},
		{"Nothing but the shares below.", []smbdLine{
			{"load printers", "no"}, {"printing", "bsd"}, {"printcap name", "/dev/null"}, {"disable spoolss", "yes"}, {"usershare max shares", "0"}, {"registry shares", "no"}}},
	}
	if paths.Prefix != "" {
		groups = append(groups, smbdPrefix(paths))
	} else if paths.Log != "" {
		groups = append(groups, smbdGroup{"Where this one logs.", []smbdLine{{"log file", paths.Log}}})
	}
	return append(groups, smbdOwn(b.SmbdOptions)...), nil
}

// smbdIdentity is how users get in, and who never does (DESIGN 5).
func smbdIdentity(b *Backend, paths smbdPaths) smbdGroup {
	if paths.Keytab == "" {
		paths.Keytab = defaultSmbdKeytab
	}
	out := smbdGroup{"Users arrive by Kerberos tickets that smbproxy makes with the key in this file. There is no KDC, no password, no other way in: whoever has the file is every user on the data.", []smbdLine{
		{"realm", b.Realm}, {"kerberos method", "dedicated keytab"}, {"dedicated keytab file", "FILE:" + paths.Keytab},
		{"ntlm auth", "disabled"}, {"invalid users", "root"}, {"map to guest", "never"}, {"restrict anonymous", "2"}}}
	if len(b.ValidUsers) > 0 {
		out.lines = append(out.lines, smbdLine{"valid users", smbconf.FormatList(b.ValidUsers)})
	}
	return out
}

// smbdEncryption is the encryption half of a backend's protocol settings. Samba: with "off"
// the capability is not even offered, so that a mistake cannot cost half the throughput unseen.
func smbdEncryption(b *Backend) []smbdLine {
	if b.Encryption == "off" {
		return []smbdLine{{"server smb encrypt", "off"}}
	}
	return []smbdLine{{"server smb encrypt", "required"}, {"server smb3 encryption algorithms", strings.Join(b.EncryptionAlgorithms, ", ")}}
}

// smbdNetwork is where the backend listens and to whom.
func smbdNetwork(g *Global, b *Backend) (smbdGroup, error) {
	host, port, err := net.SplitHostPort(b.Address)
	if err != nil {
		return smbdGroup{}, fmt.Errorf("backend %s: address %q: %w", b.Name, b.Address, err)
	}
	out := smbdGroup{why: "Only smbproxy may connect.", lines: []smbdLine{{"smb ports", port}, {"disable netbios", "yes"}}}
	ip := net.ParseIP(host)
	allow := b.HostsAllow
	switch {
	case ip != nil && ip.IsLoopback():
		// smbd knows the netmask of the addresses that an interface has, not of all of 127/8.
		if ip.To4() != nil {
			host += "/8"
		}
		if len(allow) == 0 {
			allow = []string{"127.", "::1"}
		}
		fallthrough
	case ip != nil:
		out.lines = append(out.lines, smbdLine{"interfaces", host}, smbdLine{"bind interfaces only", "yes"})
	}
	if len(allow) == 0 {
		for _, a := range g.Interfaces {
			a, _, _ = strings.Cut(a, "/")
			if net.ParseIP(strings.Trim(a, "[]")) == nil {
				allow = nil
				break
			}
			allow = append(allow, a)
		}
	}
	if len(allow) == 0 {
		return out, fmt.Errorf("%s: [backend:%s] hosts allow: is not set and `interfaces` does not name the addresses of smbproxy: "+
			"without it everybody could connect to the backend; set it to the addresses of the hosts that run smbproxy", b.Position, b.Name)
	}
	out.lines = append(out.lines, smbdLine{"hosts allow", strings.Join(allow, " ")})
	return out, nil
}

// smbdPrefix keeps all that one smbd writes below one directory.
func smbdPrefix(paths smbdPaths) smbdGroup {
	at := func(name string) string { return filepath.Join(paths.Prefix, name) }
	if paths.Log == "" {
		paths.Log = at("log.smbd")
	}
	return smbdGroup{"A tree of its own for all that this smbd writes, so that several run on one host. The directories must exist (private: 0700; the others 0755).", []smbdLine{
		{"private dir", at("private")}, {"lock directory", at("lock")}, {"state directory", at("state")}, {"cache directory", at("cache")},
		{"pid directory", at("pid")}, {"ncalrpc dir", at("ncalrpc")}, {"winbindd socket directory", at("winbindd")}, {"usershare path", at("usershare")},
		{"log file", paths.Log}}}
}

// smbdShare is one share of the backend.
func smbdShare(s *Share) []smbdGroup {
	lines := []smbdLine{{"path", s.Path}, {"read only", smbconf.FormatBool(s.ReadOnly)}, {"browseable", smbconf.FormatBool(s.Browseable)}}
	if s.Comment != "" {
		lines = append(lines, smbdLine{"comment", s.Comment})
	}
	lines = append(lines, smbdLine{"volume", s.Volume}, smbdLine{"volume serial number", fmt.Sprintf("0x%08X", s.VolumeSerial)})
	if !s.Available {
		lines = append(lines, smbdLine{"available", "no"})
	}
	return append([]smbdGroup{{"", lines}}, smbdOwn(s.SmbdOptions)...)
}

// smbdDataShare is the hidden share for the data of files whose names another backend serves: attributes and times are
// that one's, and the data user may open what a user has open already.
func smbdDataShare(s *Share, b *Backend) []smbdGroup {
	lines := []smbdLine{{"path", s.Path}, {"read only", smbconf.FormatBool(s.ReadOnly)}, {"browseable", "no"}, {"store dos attributes", "no"}}
	if b.DataUser != "" {
		lines = append(lines, smbdLine{"admin users", b.DataUser})
		if len(b.ValidUsers) > 0 {
			lines = append(lines, smbdLine{"valid users", smbconf.FormatList(append(b.ValidUsers[:len(b.ValidUsers):len(b.ValidUsers)], b.DataUser))})
		}
	}
	if !s.Available {
		lines = append(lines, smbdLine{"available", "no"})
	}
	out := []smbdGroup{{"Data of files whose names another backend serves. Only smbproxy comes here.", lines}}
	return append(out, smbdOwn(s.SmbdOptions)...)
}

// smbdOwn is the administrator's own lines.
func smbdOwn(options []SmbdOption) []smbdGroup {
	if len(options) == 0 {
		return nil
	}
	g := smbdGroup{why: "From smbproxy.conf, as they stand there."}
	for _, o := range options {
		g.lines = append(g.lines, smbdLine{o.Name, o.Value})
	}
	return []smbdGroup{g}
}

// smbdGlobalKeys are the parameters that we set in a backend's [global], whatever flags are given.
func smbdGlobalKeys(cfg *Config, b *Backend) map[string]bool {
	plain := *b
	plain.SmbdOptions, plain.HostsAllow, plain.Address = nil, []string{"ALL"}, "127.0.0.1:445"
	groups, err := smbdGlobal(cfg, &plain, smbdPaths{})
	if err != nil {
		return nil
	}
	return smbdKeys(groups)
}

// smbdShareKeys are the parameters that a share's own lines must not touch: what we set in the
// share, and what we set in [global] to keep promises that hold for every share.
func smbdShareKeys(cfg *Config, s *Share) map[string]bool {
	plain := *s
	plain.SmbdOptions = nil
	out := smbdKeys(smbdShare(&plain))
	for _, name := range s.Backends {
		b := cfg.backend(name)
		if b == nil {
			continue
		}
		for key := range smbdGlobalKeys(cfg, b) {
			out[key] = true
		}
	}
	delete(out, "vfsobjects") // a share may add modules of its own
	return out
}

func smbdKeys(groups []smbdGroup) map[string]bool {
	out := map[string]bool{}
	for _, g := range groups {
		for _, l := range g.lines {
			out[smbconf.Key(l.name)] = true
		}
	}
	return out
}

// sortedBackendNames is for messages and completion.
func sortedBackendNames(cfg *Config) []string {
	var out []string
	for _, b := range cfg.Backends {
		out = append(out, b.Name)
	}
	sort.Strings(out)
	return out
}
