package main

import (
	"time"
)

// globalParameters is [global]: who we are, where we listen, what we speak, where things are kept.
var globalParameters = []parameter{
	{name: "netbios name", group: "Identity", dynamic: "the host name up to the first dot, upper case", synonyms: []string{"server name"}, example: "FILES",
		help:  "The name of the one server that clients see, at most 15 characters. All backends get it too. With `ntlm auth helper` it must be the name of the machine account.",
		value: func(t target) value { return textThatBecomes(&t.global.NetBIOSName, "NetBIOS name", parseNetBIOSName) }},
	{name: "workgroup", group: "Identity", def: "WORKGROUP",
		help:  "The NetBIOS name of the workgroup or domain.",
		value: func(t target) value { return textThatBecomes(&t.global.Workgroup, "NetBIOS name", parseNetBIOSName) }},
	{name: "realm", group: "Identity", example: "EXAMPLE.COM",
		help:  "The Kerberos realm of the clients. Empty: the realm of the first entry in `dedicated keytab file`.",
		value: func(t target) value { return textThatBecomes(&t.global.Realm, "realm", parseRealm) }},
	{name: "dns hostname", group: "Identity", example: "files.example.com",
		help:  "The full DNS name under which clients reach this server, shown to them in NTLM.",
		value: func(t target) value { return textThat(&t.global.DNSHostname, "DNS name", checkDNSName) }},
	{name: "server string", group: "Identity", def: "smbproxy",
		help:  "The comment that clients see beside the server's name.",
		value: func(t target) value { return text(&t.global.ServerString) }},
	{name: "server administrators", group: "Identity", own: true, example: "anna, @operators",
		help:  "Who may list sessions, open files and connections with Windows' or Samba's tools (Computer Management, `net rpc`, NetSessionEnum, NetFileEnum), and close them: user names, and groups of this host as @group or +group. Empty: nobody. It gives no rights to any file.",
		value: func(t target) value { return list(&t.global.AdminUsers) }},
	{name: "machine sid", group: "Identity", own: true, dynamic: "made from `netbios name` and `workgroup`, so that it is equal on every node",
		example: "S-1-5-21-1000000001-1000000002-1000000003",
		help:    "The machine SID that all backends must have: access control lists hold SIDs, and a backend with another SID refuses a user his own file. `smbproxy backend config` prints the command that sets it. Do not change it once files exist.",
		value:   func(t target) value { return textThat(&t.global.MachineSID, "SID", checkMachineSID) }},

	{name: "interfaces", group: "Network", synonyms: []string{"listen addresses"}, dynamic: "all addresses of the host", example: "192.0.2.10 eth1",
		help:  "Where to listen: addresses, networks (192.0.2.0/24: every address of the host in it), or names of interfaces. smbproxy binds to nothing else.",
		value: func(t target) value { return list(&t.global.Interfaces) }},
	{name: "smb ports", group: "Network", def: "445",
		help:  "The TCP ports to listen on, at every address.",
		value: func(t target) value { return ports(&t.global.Ports) }},
	{name: "server multi channel support", group: "Network", def: "yes",
		help:  "Whether SMB3 clients may use several connections for one session, and are told the addresses of `interfaces` for that, with the speeds that the kernel reports. Addresses that the host gets later are told after a reload.",
		value: func(t target) value { return boolean(&t.global.MultiChannel) }},
	{name: "metrics address", group: "Network", own: true, dynamic: "no metrics", example: "127.0.0.1:9445",
		help:  "Where to serve metrics for Prometheus, http://ADDRESS/metrics. Only a loopback address is accepted: there is no access control.",
		value: func(t target) value { return textThatBecomes(&t.global.MetricsAddress, "address:port", parseLoopback) }},
	{name: "admin socket", group: "Network", own: true, def: "/run/smbproxy/admin.sock",
		help:  "The unix socket through which `smbproxy status`, `sessions`, `opens` and `reload` talk to a running smbproxy. Its mode is 0600. Only a restart moves it.",
		value: func(t target) value { return textThat(&t.global.AdminSocket, "path", checkAbsolute) }},

	{name: "server min protocol", group: "Protocol", def: "SMB2_02", synonyms: []string{"min protocol"},
		help:  "The oldest dialect that clients may use. SMB1 is never spoken.",
		value: func(t target) value { return protocol(&t.global.MinProtocol) }},
	{name: "server max protocol", group: "Protocol", def: "SMB3_11", synonyms: []string{"max protocol", "protocol"},
		help:  "The newest dialect that clients may use.",
		value: func(t target) value { return protocol(&t.global.MaxProtocol) }},
	{name: "server signing", group: "Protocol", def: "mandatory",
		help: "Whether clients must sign. `auto` signs when the client wants it. The default is what Windows 11 and Server 2025 expect; smbd's is `auto`.",
		value: func(t target) value {
			return word(&t.global.Signing, map[string]string{"default": "mandatory", "required": "mandatory", "force": "mandatory", "yes": "auto", "if_required": "auto", "enabled": "auto"}, "mandatory", "auto")
		}},
	{name: "server smb encrypt", group: "Protocol", def: "if_required", synonyms: []string{"smb encrypt"},
		help:  "Encryption of all that clients send and get: `off` never, `if_required` when the client asks for it or a share requires it, `desired` with every client that can, `required` or no session at all. `required` needs SMB3 clients.",
		value: func(t target) value { return encryptMode(&t.global.Encryption) }},
	{name: "server smb3 signing algorithms", group: "Protocol", def: "AES-128-GMAC, AES-128-CMAC, HMAC-SHA256",
		help:  "Signing algorithms for SMB3_11 clients, the best first.",
		value: func(t target) value { return words(&t.global.SigningAlgorithms, signingAlgorithms...) }},
	{name: "server smb3 encryption algorithms", group: "Protocol", def: "AES-128-GCM, AES-128-CCM, AES-256-GCM, AES-256-CCM",
		help:  "Ciphers for SMB3 clients, the best first. SMB3_00 and SMB3_02 know AES-128-CCM only.",
		value: func(t target) value { return words(&t.global.EncryptionAlgorithms, encryptionAlgorithms...) }},
	{name: "smb2 max credits", group: "Protocol", def: "8192",
		help:  "How many requests one client connection may have in flight.",
		value: func(t target) value { return number(&t.global.MaxCredits, 128, 65535) }},
	{name: "smb2 max read", group: "Protocol", def: "8M",
		help:  "The largest READ. It is never more than the backend allows.",
		value: func(t target) value { return size(&t.global.MaxRead) }},
	{name: "smb2 max write", group: "Protocol", def: "8M",
		help:  "The largest WRITE.",
		value: func(t target) value { return size(&t.global.MaxWrite) }},
	{name: "smb2 max trans", group: "Protocol", def: "8M",
		help:  "The largest query, directory listing, or control code.",
		value: func(t target) value { return size(&t.global.MaxTransact) }},

	{name: "state directory", group: "Operation", def: "/var/lib/smbproxy",
		help:  "Where smbproxy keeps what must outlive it: the server's GUID, the state database (`smbproxy statedb`), and the keys of backends that name no file of their own. Mode 0700, of the user that smbproxy runs as. Only a restart moves it.",
		value: func(t target) value { return textThat(&t.global.StateDirectory, "path", checkAbsolute) }},
	{name: "drain timeout", group: "Operation", own: true, def: "30s",
		help:  "How long SIGTERM lets clients finish the requests in flight before their connections are closed.",
		value: func(t target) value { return seconds(&t.global.DrainTimeout, 0, time.Hour) }},
	{name: "failover timeout", group: "Operation", own: true, def: "60s",
		help:  "How long a request waits while no backend of its share can be reached. Its client is told that it takes time. Then it fails with the status on which SMB3 clients try again.",
		value: func(t target) value { return seconds(&t.global.FailoverTimeout, 100*time.Millisecond, time.Hour) }},
	{name: "unflushed limit", group: "Operation", own: true, def: "64M",
		help:  "How many bytes that clients have written smbproxy keeps for one backend, in case its node is lost before they are on disk. At this limit, or when they are 5 seconds old, it flushes the files; beyond twice of it, WRITEs go through to the disk.",
		value: func(t target) value { return memory(&t.global.UnflushedLimit) }},
	{name: "log level", group: "Operation", def: "info",
		help: "What is logged: `error`, `warn`, `info`, `debug`; smbd's numbers are understood (0 is `warn`, 1 and 2 `info`, more is `debug`). File names are logged at `debug` only.",
		value: func(t target) value {
			return word(&t.global.LogLevel, map[string]string{"0": "warn", "1": "info", "2": "info", "3": "debug", "4": "debug", "5": "debug", "6": "debug", "7": "debug", "8": "debug", "9": "debug", "10": "debug"}, "error", "warn", "info", "debug")
		}},
	{name: "log format", group: "Operation", own: true, def: "text",
		help:  "How log records are written to standard error: `text` (key=value) or `json`.",
		value: func(t target) value { return word(&t.global.LogFormat, nil, "text", "json") }},
}

// encryptMode is "server smb encrypt" in [global]. Samba: `default` means if_required.
func encryptMode(to *string) value {
	return word(to, map[string]string{"default": "if_required", "enabled": "if_required", "auto": "if_required", "disabled": "off", "no": "off", "mandatory": "required"},
		"off", "if_required", "desired", "required")
}
