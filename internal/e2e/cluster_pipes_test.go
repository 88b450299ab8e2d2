package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"smbproxy/internal/lab"
	"smbproxy/internal/ntstatus"
)

// pipeScript asks the pipes that speak for the cluster, with impacket: a call and its argument a line.
const pipeScript = `
import sys
from impacket.dcerpc.v5 import transport, srvs, wkst
from impacket.dcerpc.v5.rpcrt import DCERPCException
host, port, user, password = sys.argv[1:5]
def pipe(name, uuid):
    t = transport.SMBTransport(host, int(port), '\\' + name, user, password)
    d = t.get_dce_rpc(); d.connect(); d.bind(uuid)
    return d
s, w = pipe('srvsvc', srvs.MSRPC_UUID_SRVS), pipe('wkssvc', wkst.MSRPC_UUID_WKST)
z = lambda text: text + '\x00'
def show(f):
    try: f().dump()
    except DCERPCException as e: print('ERROR', e)
for call in sys.argv[5:]:
    name, _, arg = call.partition(' ')
    print('==', call)
    show({
        'server': lambda: srvs.hNetrServerGetInfo(s, int(arg)),
        'shares': lambda: srvs.hNetrShareEnum(s, int(arg)),
        'share': lambda: srvs.hNetrShareGetInfo(s, z(arg.split()[0]), int(arg.split()[1])),
        'disks': lambda: srvs.hNetrServerDiskEnum(s, 0),
        'time': lambda: srvs.hNetrRemoteTOD(s),
        'name': lambda: srvs.hNetprNameValidate(s, z(arg), 9),
        'sessions': lambda: srvs.hNetrSessionEnum(s, z(''), z(''), int(arg)),
        'files': lambda: srvs.hNetrFileEnum(s, z(''), z(''), int(arg)),
        'connections': lambda: srvs.hNetrConnectionEnum(s, z(arg), 1),
        'close': lambda: [srvs.hNetrFileClose(s, e['fi3_id']) for e in srvs.hNetrFileEnum(s, z(arg), z(''), 3)['InfoStruct']['FileInfo']['Level3']['Buffer']][0],
        'end': lambda: srvs.hNetrSessionDel(s, z(''), z(arg)),
        'workstation': lambda: wkst.hNetrWkstaGetInfo(w, int(arg)),
        'add': lambda: srvs.hNetrShareDel(s, z(arg)),
    }[name])
`

// plain takes the doubling out of backslashes, with which Python shows them.
func plain(s string) string { return strings.ReplaceAll(s, `\\`, `\`) }

// askPipes makes calls as a user and returns what each printed.
func askPipes(t *testing.T, c *lab.Cluster, u lab.User, calls ...string) map[string]string {
	t.Helper()
	host, port, _ := strings.Cut(c.Proxy.Addr(), ":")
	args := append([]string{"-c", pipeScript, host, port, u.Name, u.Password}, calls...)
	out, err := exec.CommandContext(t.Context(), "/usr/bin/python3", args...).CombinedOutput() // Debian's, where impacket is
	if err != nil {
		t.Fatalf("%q: %v\n%s", calls, err, out)
	}
	answers := map[string]string{}
	for _, part := range strings.Split(plain(string(out)), "== ")[1:] {
		call, text, _ := strings.Cut(part, "\n")
		answers[call] = text
	}
	return answers
}

// TestClusterPipes asks the server what it is, has and does, as tools of administrators do: smbproxy answers, for
// all backends, and shows sessions and files to administrators only.
func TestClusterPipes(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{GlobalLines: []string{
		"server signing = auto", "server string = one of many", "server administrators = user1",
	}})
	u1, u2 := c.Lab.User("user1"), c.Lab.User("user2")
	m := mount(t, c.Proxy.Addr(), "share", u2, 0)
	f, err := m.Create("held open.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()

	public := map[string][]string{
		"server 100":      {"SMBPROXY"},
		"server 101":      {"SMBPROXY", "sv101_version_major", "one of many"},
		"server 102":      {"one of many", `C:\`},
		"server 502":      {"ERROR", "INVALID_LEVEL"},
		"server 7":        {"ERROR", "INVALID_LEVEL"},
		"shares 0":        {"share", "IPC$"},
		"shares 1":        {"share", "IPC$", "IPC Service (one of many)"},
		"shares 2":        {`C:\share`},
		"shares 501":      {"IPC$"},
		"shares 502":      {`C:\share`},
		"shares 503":      {"ERROR", "INVALID_LEVEL"},
		"share SHARE 2":   {`C:\share`},
		"share none 1":    {"ERROR", "0x906"},
		"share share 77":  {"ERROR", "INVALID_LEVEL"},
		"disks":           {"C:"},
		"time":            {"tod_elapsedt"},
		"name fine":       {"NetprNameValidateResponse"},
		"name a/b":        {"ERROR"},
		"workstation 100": {"SMBPROXY", "WORKGROUP"},
		"workstation 101": {"SMBPROXY"},
		"add x":           {"ERROR", "nca_s_op_rng_error"},
	}
	private := map[string][]string{
		"sessions 0": {"127.0.0.1"}, "sessions 1": {"127.0.0.1", "user2"}, "sessions 2": {"user2"}, "sessions 10": {"user2"}, "sessions 502": {"user2"},
		"files 2": {"fi2_id"}, "files 3": {`C:\share\held open.txt`, "user2"}, "connections share": {"user2"}, "connections \\\\127.0.0.1": {"IPC$"},
		"workstation 102": {"SMBPROXY"},
	}
	calls := make([]string, 0, len(public)+len(private))
	for call := range public {
		calls = append(calls, call)
	}
	for call := range private {
		calls = append(calls, call)
	}
	check := func(u lab.User, answers map[string]string, want map[string][]string) {
		t.Helper()
		for call, words := range want {
			for _, w := range words {
				if !strings.Contains(strings.ToLower(answers[plain(call)]), strings.ToLower(w)) {
					t.Errorf("%s as %s: no %q in\n%s", call, u.Name, w, answers[plain(call)])
				}
			}
		}
	}
	refused := map[string][]string{}
	for call := range private {
		refused[call] = []string{"ERROR", "ACCESS_DENIED"}
	}
	answers := askPipes(t, c, u2, calls...)
	check(u2, answers, public)
	check(u2, answers, refused)
	answers = askPipes(t, c, u1, calls...)
	check(u1, answers, public)
	check(u1, answers, private)
}

// TestCloseByPipe: an administrator closes a file of another user's and ends his session.
func TestCloseByPipe(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{GlobalLines: []string{"server signing = auto", "server administrators = user1"}})
	u1, u2 := c.Lab.User("user1"), c.Lab.User("user2")
	m := mount(t, c.Proxy.Addr(), "share", u2, 0)
	f, err := m.Create("x")
	if err != nil {
		t.Fatal(err)
	}
	if out := askPipes(t, c, u1, `close C:\share\x`); strings.Contains(out[`close C:\share\x`], "ERROR") {
		t.Errorf("closing the file:\n%v", out)
	}
	if _, err := f.Write([]byte("y")); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("WRITE to a file that was closed by an administrator: %v, want %v", err, ntstatus.FileClosed)
	}
	if out := askPipes(t, c, u1, "end user2", "sessions 1"); strings.Contains(out["end user2"], "ERROR") || strings.Contains(out["sessions 1"], "user2") {
		t.Errorf("ending the session:\n%v", out)
	}
	if _, err := m.Create("z"); err == nil {
		t.Error("a session that an administrator has ended goes on")
	}
}

// TestAuthenticatedPipes: a client may authenticate inside RPC too, on our pipes and on a backend's.
func TestAuthenticatedPipes(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{})
	u := c.Lab.User("user1")
	script := `
import sys
from impacket.dcerpc.v5 import transport, srvs, lsat, lsad
from impacket.dcerpc.v5.rpcrt import RPC_C_AUTHN_LEVEL_PKT_PRIVACY, RPC_C_AUTHN_LEVEL_PKT_INTEGRITY, RPC_C_AUTHN_LEVEL_CONNECT
host, port, user, password = sys.argv[1:5]
def pipe(name, uuid, level):
    t = transport.SMBTransport(host, int(port), '\\' + name, user, password)
    d = t.get_dce_rpc(); d.set_auth_level(level); d.connect(); d.bind(uuid)
    return d
for level in (RPC_C_AUTHN_LEVEL_PKT_PRIVACY, RPC_C_AUTHN_LEVEL_PKT_INTEGRITY, RPC_C_AUTHN_LEVEL_CONNECT):
    d = pipe('srvsvc', srvs.MSRPC_UUID_SRVS, level)
    print(level, srvs.hNetrServerGetInfo(d, 101)['InfoStruct']['ServerInfo101']['sv101_name'])
    d = pipe('lsarpc', lsat.MSRPC_UUID_LSAT, level)
    h = lsad.hLsarOpenPolicy2(d, lsat.POLICY_LOOKUP_NAMES)['PolicyHandle']
    print(level, lsat.hLsarGetUserName(d)['UserName'] if hasattr(lsat, 'hLsarGetUserName') else h.getData().hex())
    for i in range(20):
        lsat.hLsarLookupNames(d, h, (user,))
print('done')
`
	host, port, _ := strings.Cut(c.Proxy.Addr(), ":")
	out, err := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", script, host, port, u.Name, u.Password).CombinedOutput()
	if err != nil || strings.Count(string(out), "SMBPROXY") != 3 || !strings.Contains(string(out), "done") {
		t.Errorf("%v\n%s", err, out)
	}
}
