package lab

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// kdcTools are the programs of a [KDC] and Debian's packages that have them.
var kdcTools = []struct{ program, pkg string }{
	{"krb5kdc", "krb5-kdc"},
	{"kdb5_util", "krb5-kdc"},
	{"kadmin.local", "krb5-admin-server"},
	{"kinit", "krb5-user"},
}

// KDCOptions says what a KDC knows. The zero value is a realm without users.
type KDCOptions struct {
	Realm    string            // "": EXAMPLE.TEST
	Enctypes string            // of all keys, separated by blanks; "": aes256-cts-hmac-sha1-96
	Users    map[string]string // principal to password
	Services []string          // "cifs/srv.example.test": their keys go into Keytab
}

// KDC is a real one, MIT's, on loopback, with everything it and its clients write in one
// directory. It needs neither root nor a [Lab]; it ends with the test.
type KDC struct {
	Dir   string
	Realm string

	tb      testing.TB
	address string
	env     []string
}

// NewKDC makes a realm and starts its KDC. It skips the test where a program is missing, or fails
// it under SMBPROXY_LAB=required.
func NewKDC(t testing.TB, opt KDCOptions) *KDC {
	t.Helper()
	m := &Missing{}
	for _, tool := range kdcTools {
		if program(tool.program) == "" && !slices.Contains(m.Packages, tool.pkg) {
			m.Packages = append(m.Packages, tool.pkg)
		}
	}
	if len(m.Packages) > 0 {
		if os.Getenv("SMBPROXY_LAB") == "required" {
			t.Fatalf("lab: %v", m)
		}
		t.Skipf("lab: %v", m)
	}
	if opt.Realm == "" {
		opt.Realm = "EXAMPLE.TEST"
	}
	if opt.Enctypes == "" {
		opt.Enctypes = "aes256-cts-hmac-sha1-96"
	}
	k := &KDC{Dir: t.TempDir(), Realm: opt.Realm, tb: t}
	if err := k.start(t.Context(), opt); err != nil {
		t.Fatalf("KDC: %v", err)
	}
	return k
}

// start makes the database and runs krb5kdc.
func (k *KDC) start(ctx context.Context, opt KDCOptions) error {
	ip := fmt.Sprintf("127.%d.%d.1", 64+rand.IntN(128), rand.IntN(256)) // as freeSubnet, but for everybody
	port, err := freePort(ip)
	if err != nil {
		return err
	}
	k.address = net.JoinHostPort(ip, strconv.Itoa(port))
	for name, text := range map[string]string{"krb5.conf": k.clientConf(opt), "kdc.conf": k.kdcConf(opt)} {
		if err := os.WriteFile(k.file(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	// Clients and KDC must not see what the host has configured.
	k.env = []string{"KRB5_CONFIG=" + k.file("krb5.conf"), "KRB5_KDC_PROFILE=" + k.file("kdc.conf"),
		"KRB5CCNAME=FILE:" + k.file("cc"), "KRB5RCACHETYPE=none"}
	k.Run("", "kdb5_util", "create", "-s", "-r", k.Realm, "-P", "master")
	for user, password := range opt.Users {
		k.Admin("addprinc -pw " + password + " " + user)
	}
	for _, service := range opt.Services {
		k.Admin("addprinc -randkey " + service)
		k.Admin("ktadd -k " + k.Keytab() + " " + service)
	}
	g, err := theGuard()
	if err != nil {
		return err
	}
	argv := []string{program("krb5kdc"), "-n", "-r", k.Realm, "-P", k.file("pid")}
	daemon, err := startProcess(g, "krb5kdc", k.env, argv, k.file("krb5kdc.out"), 0)
	if err != nil {
		return err
	}
	k.tb.Cleanup(func() {
		if err := daemon.stop(); err != nil {
			k.tb.Errorf("KDC: %v", err)
		}
	})
	if err := daemon.listening(ctx, k.address); err != nil {
		return errors.Join(err, errors.New(k.Log()))
	}
	return nil
}

// clientConf is krb5.conf. A realm's host names are those below its name in lower case.
func (k *KDC) clientConf(opt KDCOptions) string {
	domain := strings.ToLower(k.Realm)
	return fmt.Sprintf(`[libdefaults]
default_realm = %[1]s
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
rdns = false
udp_preference_limit = 1
permitted_enctypes = %[3]s aes256-cts-hmac-sha1-96
default_tgs_enctypes = %[3]s
default_tkt_enctypes = %[3]s aes256-cts-hmac-sha1-96
allow_weak_crypto = true
allow_rc4 = true
[realms]
%[1]s = {
 kdc = %[2]s
}
[domain_realm]
.%[4]s = %[1]s
%[4]s = %[1]s
`, k.Realm, k.address, opt.Enctypes, domain)
}

// kdcConf is kdc.conf. MIT's clients come by TCP as clientConf says, Samba's Heimdal by UDP.
func (k *KDC) kdcConf(opt KDCOptions) string {
	keys := ""
	for _, e := range strings.Fields(opt.Enctypes) {
		keys += e + ":normal "
	}
	return fmt.Sprintf(`[kdcdefaults]
kdc_listen = %[1]s
kdc_tcp_listen = %[1]s
[realms]
%[2]s = {
 database_name = %[3]s/principal
 key_stash_file = %[3]s/stash
 acl_file = %[3]s/acl
 supported_enctypes = %[4]s
 master_key_type = aes256-cts
 max_life = 2h
}
[logging]
kdc = FILE:%[3]s/log
`, k.address, k.Realm, k.Dir, keys)
}

func (k *KDC) file(name string) string { return filepath.Join(k.Dir, name) }

// Keytab holds the keys of KDCOptions.Services.
func (k *KDC) Keytab() string { return k.file("keytab") }

// Cache is the credential cache that Kinit fills.
func (k *KDC) Cache() string { return k.file("cc") }

// ConfFile is the krb5.conf of clients.
func (k *KDC) ConfFile() string { return k.file("krb5.conf") }

// Log is what the KDC logged.
func (k *KDC) Log() string {
	log, _ := os.ReadFile(k.file("log"))
	out, _ := os.ReadFile(k.file("krb5kdc.out"))
	return string(log) + string(out)
}

// Env is what a Kerberos client needs in its environment.
func (k *KDC) Env() []string { return slices.Clone(k.env) }

// Command is exec.Command in the realm's environment.
func (k *KDC) Command(name string, args ...string) *exec.Cmd {
	if path := program(name); path != "" {
		name = path
	}
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), k.env...)
	return cmd
}

// Run runs a command to its end; a failure ends the test.
func (k *KDC) Run(stdin, name string, args ...string) {
	k.tb.Helper()
	cmd := k.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		k.tb.Fatalf("%s %v: %v\n%s\nKDC: %s", name, args, err, out, k.Log())
	}
}

// Admin runs a query of kadmin.local. It ends with success whatever it did, so a query that fails
// shows in what comes after.
func (k *KDC) Admin(query string) {
	k.tb.Helper()
	k.Run("", "kadmin.local", "-r", k.Realm, "-q", query)
}

// Kinit gets a ticket-granting ticket into the credential cache; args as in kinit(1), "-l", "1h".
func (k *KDC) Kinit(user, password string, args ...string) {
	k.tb.Helper()
	k.Run(password+"\n", "kinit", append(args, user)...)
}
