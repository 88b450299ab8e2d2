package main

import (
	"smbproxy/internal/smbconf"
)

// sectionKind says in which sections a parameter stands.
type sectionKind int

// The three kinds of sections.
const (
	inGlobal  sectionKind = iota // [global]
	inBackend                    // [backend:NAME]
	inShare                      // every other name; in [global] such a parameter is the default of all shares
)

// String is the section as it is written.
func (k sectionKind) String() string {
	return [...]string{"[global]", "[backend:NAME]", "[share]"}[k]
}

// target is the section that is being read or shown; only the one of the row's kind is set.
type target struct {
	global  *Global
	backend *Backend
	share   *Share
}

// parameter is one row of the table: all that parser, testparm, the documents and the example
// file know of a parameter.
type parameter struct {
	name     string
	kind     sectionKind
	group    string   // heading in the documents
	def      string   // read by Set before the file is
	dynamic  string   // where def is empty and the default depends on something: on what
	synonyms []string // other names of the same meaning
	opposite []string // boolean names of the opposite meaning ("writeable" for "read only")
	own      bool     // smb.conf(5) has no such parameter, or gives it another meaning
	required bool     // a section without it is a fault
	example  string   // for the example file; empty: the default
	help     string   // one or more sentences; the first stands in the overview
	value    func(t target) value
}

// parameters is THE table, in the order in which testparm prints.
var parameters = concat(globalParameters, authenticationParameters, limitParameters, backendParameters, shareParameters)

func concat(tables ...[]parameter) []parameter {
	var all []parameter
	for _, t := range tables {
		all = append(all, t...)
	}
	return all
}

// spelling is a name under which a parameter can be found.
type spelling struct {
	row      *parameter
	inverted bool
}

// spellings finds rows by kind and Key(name), synonyms included.
var spellings = func() map[sectionKind]map[string]spelling {
	out := map[sectionKind]map[string]spelling{inGlobal: {}, inBackend: {}, inShare: {}}
	for i := range parameters {
		row := &parameters[i]
		for _, name := range append([]string{row.name}, row.synonyms...) {
			out[row.kind][smbconf.Key(name)] = spelling{row, false}
		}
		for _, name := range row.opposite {
			out[row.kind][smbconf.Key(name)] = spelling{row, true}
		}
	}
	return out
}()

// names are all spellings that a section of this kind accepts, for did-you-mean.
func names(kind sectionKind) []string {
	var out []string
	for _, row := range parameters {
		if row.kind == kind || kind == inGlobal && row.kind == inShare {
			out = append(out, row.name)
			out = append(out, row.synonyms...)
			out = append(out, row.opposite...)
		}
	}
	return out
}

// defaults brings every value of one kind to the default of the table. A default that its own
// row refuses is a bug of the table, which a test finds.
func defaults(kind sectionKind, t target) {
	for _, row := range parameters {
		if row.kind == kind && row.def != "" {
			if err := row.value(t).Set(row.def); err != nil {
				panic("default of " + row.name + ": " + err.Error())
			}
		}
	}
}

// smbdOptionPrefix marks lines that are handed through to a backend's smb.conf.
const smbdOptionPrefix = "smbd:"

// smbdParameters are parameters of smb.conf(5) that administrators know and that have no row
// here, with what to do instead. Without this list the fault would just say "unknown".
var smbdParameters = map[string]string{
	"security":           "smbproxy has no security modes: users come from \"smb passwd file\", \"ntlm auth helper\" or \"dedicated keytab file\"",
	"passdbbackend":      "use \"smb passwd file\" with what `pdbedit -L -w` exports",
	"socketoptions":      "use \"keepalive\" and \"dead client timeout\"; the rest is as the kernel has it",
	"bindinterfacesonly": "smbproxy always binds to \"interfaces\" only",
	"clustering":         "smbproxy takes the place of CTDB; the backends run with clustering = no",
	"oplocks":            "the backends are printed without oplocks",
	"serverrole":         "smbproxy is a file server only",
	"printable":          "smbproxy serves no printers",
	"loadprinters":       "smbproxy serves no printers",
	"encryptpasswords":   "passwords are never sent in clear",
	"logfile":            "smbproxy logs to standard error, which systemd puts into the journal",
	"guestonly":          "not supported: use \"guest ok\" and \"valid users\"",
	"copy":               "not supported: parameters of a share in [global] are the defaults of all shares",
	"usernamemap":        "not supported: user names are those of the backends",
	"forceuser":          "not supported by smbproxy itself: write \"smbd:force user\"",
	"vfsobjects":         "is set per backend, in its [backend:NAME] section",
	"writelist":          "not supported by smbproxy itself: write \"smbd:write list\"",
	"readlist":           "not supported by smbproxy itself: write \"smbd:read list\"",
	"createmask":         "not supported by smbproxy itself: write \"smbd:create mask\"",
	"createmode":         "not supported by smbproxy itself: write \"smbd:create mask\"",
	"directorymask":      "not supported by smbproxy itself: write \"smbd:directory mask\"",
	"directorymode":      "not supported by smbproxy itself: write \"smbd:directory mask\"",
	"forcegroup":         "not supported by smbproxy itself: write \"smbd:force group\"",
	"forcecreatemode":    "not supported by smbproxy itself: write \"smbd:force create mode\"",
	"forcedirectorymode": "not supported by smbproxy itself: write \"smbd:force directory mode\"",
	"inheritacls":        "not supported by smbproxy itself: write \"smbd:inherit acls\"",
	"inheritpermissions": "not supported by smbproxy itself: write \"smbd:inherit permissions\"",
	"vetofiles":          "not supported by smbproxy itself: write \"smbd:veto files\"",
	"hidedotfiles":       "not supported by smbproxy itself: write \"smbd:hide dot files\"",
	"followsymlinks":     "not supported by smbproxy itself: write \"smbd:follow symlinks\"",
	"maxconnections":     "not supported per share: use \"max client connections\" in [global]",
}
