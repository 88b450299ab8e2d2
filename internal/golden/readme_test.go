package golden

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// readme is testdata/pcaps/README.md up to the table. %s is Samba's version.
const readme = `# Captures

Made by ` + "`make golden`" + `, which also generates this file: Samba's clients talking to Samba's smbd (%s, Debian), neither of
them ours. A forwarder between the two records what both say and writes it as packets of one server, 192.0.2.1:445, and
one client, 192.0.2.2, whose ports count the connections; the addresses inside messages are the lab's.

    NAME.pcap     the capture; NAME begins with the dialect
    NAME.keys     SessionId and session key of each session, in hex. They are smbd's ("debug encryption = yes") or
                  follow from the password; Kerberos sessions before 3.0 have neither and are not signed behind the logon
    NAME.golden   what internal/golden makes of it: every message as text, with ids, times and tokens normalised

To look at a sealed capture: tshark -r NAME.pcap -o 'uat:smb2_seskey_list:SESSIONID,KEY,"",""' with the SessionId's bytes
in the order of the wire, least significant first.

The servers, all on one ext4 image that is fresh for each making, as user1 with the password secret1 in a share that
is empty but for the file "given":

- direct: what ` + "`smbproxy backend config`" + ` means, with passwords (internal/lab/direct.go)
- stock: the same with oplocks, leases and durable handles, and strict locking as smbd has it
- kerberos: the same as direct with the keytab of an MIT KDC, whose tickets carry no PAC

A dialect is chosen by "client min protocol" and "client max protocol". "up" is a text of 440 bytes. smbtorture is given
the one test that is named.

| Captures: dialects, name | What | Server | Client |
|---|---|---|---|
`

// TestReadme compares README.md with the table of scenarios.
func TestReadme(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, readme, version)
	for _, s := range scenarios {
		var names []string
		var client string
		for _, j := range jobs() {
			if j.name == s.name {
				names = append(names, strings.TrimSuffix(j.capture, "-"+s.name))
				client = j.shown()
			}
		}
		server := s.server
		if server == "" {
			server = "direct"
		}
		fmt.Fprintf(&b, "| %s %s | %s | %s | `%s` |\n", strings.Join(names, " "), s.name, s.what, server, client)
	}
	path := filepath.Join(Dir(), "README.md")
	if *update {
		write(t, path, []byte(b.String()))
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := difference(string(got), b.String()); diff != "" {
		t.Errorf("%s is not generated from the scenarios: make golden\n%s", path, diff)
	}
}
