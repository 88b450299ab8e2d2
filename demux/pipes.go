package demux

import "strings"

// pipes are the named pipes that are relayed, by lower-case name; another is
// STATUS_OBJECT_NAME_NOT_FOUND. They are those that Samba 4.17 serves as a file server: account,
// policy, share and server information, registry, events, printers, services, Spotlight, shadow
// copies. All pipes of a client session are one backend's (routes.go), since policy handles of
// one are used on another.
var pipes = map[string]bool{
	"srvsvc": true, "wkssvc": true, "lsarpc": true, "lsass": true, "samr": true, "netlogon": true, "dssetup": true,
	"winreg": true, "svcctl": true, "eventlog": true, "ntsvcs": true, "initshutdown": true, "spoolss": true,
	"netdfs": true, "epmapper": true, "mdssvc": true, "fssagentrpc": true, "rpcecho": true, "unixinfo": true,
}

// knownPipe says whether a CREATE on IPC$ names a pipe of the table: bare, in any case, with no
// separator anywhere (Samba: 4.17 refuses \srvsvc and PIPE\srvsvc likewise).
func knownPipe(name string) bool { return pipes[strings.ToLower(name)] }
