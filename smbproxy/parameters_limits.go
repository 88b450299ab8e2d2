package main

import "time"

// authenticationParameters is [global]: who is let in.
var authenticationParameters = []parameter{
	{name: "smb passwd file", group: "Authentication", synonyms: []string{"passdb file"}, example: "/etc/smbproxy/smbpasswd",
		help:  "Users and password hashes for NTLMv2 in the format of smbpasswd(5), as `pdbedit -L -w` of an existing Samba prints them. Read again when it changes. Nobody but its owner and group may read it.",
		value: func(t target) value { return textThat(&t.global.PassdbFile, "path", checkAbsolute) }},
	{name: "ntlm auth helper", group: "Authentication", own: true, example: "/usr/bin/ntlm_auth --helper-protocol=ntlm-server-1",
		help:  "On a host that is joined to a domain: the program that checks NTLM responses, in place of `smb passwd file`. The user that smbproxy runs as must be in the group winbindd_priv.",
		value: func(t target) value { return command(&t.global.NTLMHelper) }},
	{name: "ntlm auth helpers", group: "Authentication", own: true, def: "4",
		help:  "How many `ntlm auth helper` processes run at most.",
		value: func(t target) value { return number(&t.global.NTLMHelpers, 1, 256) }},
	{name: "ntlm auth", group: "Authentication", def: "ntlmv2-only",
		help: "Whether NTLM is accepted at all. NTLMv1 and LM never are.",
		value: func(t target) value {
			return word(&t.global.NTLMAuth, map[string]string{"no": "ntlmv2-only"}, "ntlmv2-only", "disabled")
		}},
	{name: "dedicated keytab file", group: "Authentication", example: "/etc/smbproxy/clients.keytab",
		help:  "The key of cifs/NAME@REALM with which clients' Kerberos tickets are checked. Empty: no Kerberos. Nobody but its owner and group may read it.",
		value: func(t target) value { return textThatBecomes(&t.global.KeytabFile, "path", parseKeytabPath) }},
	{name: "map to guest", group: "Authentication", def: "never",
		help: "`bad user` makes everybody with an unknown user name the guest account. Windows 11 refuses guest sessions, and they cannot be signed.",
		value: func(t target) value {
			return word(&t.global.MapToGuest, map[string]string{"baduser": "bad user"}, "never", "bad user")
		}},
	{name: "guest account", group: "Authentication", def: "nobody",
		help:  "As whom guests and anonymous clients act at the backends. `nobody` is no user whom smbproxy lets through: make one of its own before you allow guests.",
		value: func(t target) value { return textThat(&t.global.GuestAccount, "user name", checkUserName) }},
	{name: "restrict anonymous", group: "Authentication", def: "2",
		help:  "2 refuses anonymous sessions, 0 and 1 allow them, to IPC$ and to shares with `guest ok`.",
		value: func(t target) value { return number(&t.global.RestrictAnonymous, 0, 2) }},
	{name: "minimum uid", group: "Authentication", own: true, def: "1000",
		help:  "Nobody whose uid is lower is let through to a backend, root never. The host of smbproxy must know the users (getent passwd), with the same names and numbers as the backends.",
		value: func(t target) value { return number(&t.global.MinimumUID, 1, 1<<32-2) }},
}

// limitParameters is [global]: how much of us one client may take, and from where.
var limitParameters = []parameter{
	{name: "hosts allow", group: "Limits", synonyms: []string{"allow hosts"}, example: "192.0.2. EXCEPT 192.0.2.66",
		help:  "Which clients may use any share: addresses, networks, prefixes that end in a dot, with EXCEPT; hosts_access(5) and smb.conf(5) describe it. A share's own `hosts allow` can only narrow it.",
		value: func(t target) value { return list(&t.global.HostsAllow) }},
	{name: "hosts deny", group: "Limits", synonyms: []string{"deny hosts"}, example: "ALL",
		help:  "Which clients may use no share. `hosts allow` wins.",
		value: func(t target) value { return list(&t.global.HostsDeny) }},
	{name: "max client connections", group: "Limits", own: true, def: "20000",
		help:  "Client connections at one time. More are closed at once.",
		value: func(t target) value { return number(&t.global.MaxConnections, 1, 10_000_000) }},
	{name: "max connections per address", group: "Limits", own: true, def: "1000",
		help:  "Client connections at one time from one address. Terminal servers and NAT need many.",
		value: func(t target) value { return number(&t.global.MaxConnectionsPerAddress, 1, 10_000_000) }},
	{name: "authentication timeout", group: "Limits", own: true, def: "30s",
		help:  "How long a new connection may take until its first user is authenticated.",
		value: func(t target) value { return seconds(&t.global.AuthenticationTimeout, time.Second, 10*time.Minute) }},
	{name: "keepalive", group: "Limits", def: "20s",
		help:  "After how much silence a client is asked whether it is still there, at the latest after half of `dead client timeout`. 0 asks nobody: then only clients that owe an answer are found dead.",
		value: func(t target) value { return seconds(&t.global.KeepAlive, 0, 24*time.Hour) }},
	{name: "dead client timeout", group: "Limits", own: true, def: "60s",
		help:  "A client that vanishes without a word (power loss, a cut cable) is given up, and what it has open is freed, within this time. One that closes its connection is freed at once. Durable handles stay for their own time.",
		value: func(t target) value { return seconds(&t.global.DeadClientTimeout, 3*time.Second, 24*time.Hour) }},
	{name: "max unauthenticated frame", group: "Limits", own: true, def: "128K",
		help:  "The largest message that is read from a client before it is authenticated. Kerberos tickets of users in many groups need up to 64K.",
		value: func(t target) value { return size(&t.global.UnauthenticatedFrame) }},
	{name: "max data handles", group: "Limits", own: true, def: "16384",
		help:  "How many handles for file data may be open at all `ost backends` together. Beyond it the one that nobody has used for longest is closed, and opened again when it is needed.",
		value: func(t target) value { return number(&t.global.MaxDataHandles, 64, 10000000) }},
}
