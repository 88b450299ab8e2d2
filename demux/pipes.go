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

// pipeName is a pipe's name as the table has it. Clients send it bare; some put PIPE before it,
// which smbd takes off too.
func pipeName(name string) string {
	return strings.TrimPrefix(strings.ToLower(name), `pipe\`)
}
