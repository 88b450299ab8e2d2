package golden

import (
	"fmt"
	"slices"
	"strings"
)

// dialects are smbclient's names of what MS-SMB2 numbers, and how captures are named after them.
var dialects = []struct{ name, samba string }{
	{"202", "SMB2_02"}, {"210", "SMB2_10"}, {"300", "SMB3_00"}, {"302", "SMB3_02"}, {"311", "SMB3_11"},
}

// scenario is what one capture shows; one capture is made per dialect.
type scenario struct {
	name string
	what string // for the table of captures

	dialects []string // "": all five
	client   string   // program; "": smbclient
	args     []string // of the program; see rig.arguments
	fails    bool     // the client must end with an error
	server   string   // which smbd; "": "direct"
	noise    bool     // the client writes random bytes
	kerberos bool     // a ticket instead of a password
}

// smb3 are the dialects that can seal.
var smb3 = []string{"300", "302", "311"}

// work is what the captures of protected sessions do: a little of everything.
const work = "mkdir dir; put up dir\\file; ls dir\\*; get dir\\file down; del dir\\file; rmdir dir"

// scenarios are all that there is. Each must end in the same way whenever it is run; what Samba's servers do after a
// delay, by chance or by the load of the machine has no place here.
var scenarios = []scenario{
	{name: "logon", what: "NEGOTIATE, NTLM logon, TREE_CONNECT, the end", args: command("exit")},
	{name: "logon-smb1", what: "SMB1 multi-protocol NEGOTIATE, NTLM logon", dialects: []string{"311"},
		args: append(command("exit"), "--option=client min protocol=NT1", "--option=client max protocol=SMB3_11")},
	{name: "logon-refused", what: "wrong password", dialects: []string{"311"}, fails: true, args: append(command("exit"), "--password=wrong")},
	{name: "logon-anonymous", what: "anonymous logon", dialects: []string{"311"}, args: []string{"--list={host}", "--user=%", "--no-pass"}},
	{name: "kerberos", what: "NEGOTIATE, Kerberos logon, TREE_CONNECT, the end", server: "kerberos", kerberos: true, args: command("exit")},
	{name: "readwrite", what: "CREATE, WRITE, READ, SET_INFO of times, FLUSH by close, CLOSE", args: command("put up file; get file down; reput up file; utimes file -1 -1 2001:02:03-04:05:06 -1; del file")},
	{name: "directory", what: "QUERY_DIRECTORY, file and volume information, rename, hard link, delete",
		args: command("mkdir dir; put up dir\\one; put up dir\\two; ls dir\\*; du; volume; allinfo dir\\one; rename dir\\one dir\\three; hardlink dir\\two dir\\four; setmode dir\\two +h; del dir\\three; del dir\\four; del dir\\two; rmdir dir")},
	{name: "missing", what: "errors of CREATE and TREE_CONNECT", fails: true, args: command("get nothing; mkdir no\\way; rmdir nothing; tcon nothing")},
	{name: "security", what: "security descriptors: query, add an entry, set", client: "smbcacls", args: []string{"given", "--add=ACL:{user}:ALLOWED/0x0/READ"}},
	{name: "copychunk", what: "FSCTL_SRV_REQUEST_RESUME_KEY and FSCTL_SRV_COPYCHUNK", args: command("put up file; scopy file copy; get copy down; del file; del copy")},
	{name: "pipe", what: "IPC$, srvsvc: list the shares", args: []string{"--list={host}"}},
	{name: "pipe-transceive", what: "FSCTL_PIPE_TRANSCEIVE, signed", client: "rpcclient", dialects: []string{"210", "311"}, args: []string{"--command=netshareenumall"}},
	{name: "create-contexts", what: "create contexts AlSi, DHnQ, MxAc, TWrp (fails for want of a snapshot)", fails: true, client: "smbtorture", args: []string{"smb2.create.blob"}},
	{name: "create-security", what: "create context SecD", dialects: []string{"210", "311"}, client: "smbtorture", args: []string{"smb2.create.aclfile"}},
	{name: "create-id", what: "create context QFid", dialects: []string{"311"}, client: "smbtorture", args: []string{"smb2.fileid.fileid"}},
	{name: "compound-related", what: "related compound, one element fails", dialects: smb3, client: "smbtorture", args: []string{"smb2.compound.related2"}},
	{name: "compound-unrelated", what: "unrelated compound", client: "smbtorture", args: []string{"smb2.compound.unrelated1"}},
	{name: "compound-write", what: "compound of CREATE, WRITE, CLOSE", dialects: smb3, noise: true, client: "smbtorture", args: []string{"smb2.compound.create-write-close"}},
	{name: "compound-invalid", what: "compound that begins with a related element", dialects: []string{"311"}, client: "smbtorture", args: []string{"smb2.compound.invalid2"}},
	{name: "compound-padding", what: "padding in the replies of a compound", dialects: []string{"210", "311"}, client: "smbtorture", args: []string{"smb2.compound.compound-padding"}},
	{name: "lock", what: "LOCK: exclusive, conflict, unlock", client: "smbtorture", args: []string{"smb2.lock.unlock"}},
	{name: "lock-cancel", what: "LOCK that waits; CANCEL, UNLOCK and CLOSE end it", client: "smbtorture", args: []string{"smb2.lock.cancel"}},
	{name: "notify", what: "CHANGE_NOTIFY on two trees, CANCEL", dialects: []string{"311"}, client: "smbtorture", args: []string{"smb2.notify.tcon"}},
	{name: "notify-tdis", what: "CHANGE_NOTIFY that ends by TREE_DISCONNECT", dialects: []string{"311"}, client: "smbtorture", args: []string{"smb2.notify.tdis"}},
	{name: "notify-close", what: "CHANGE_NOTIFY that ends by CLOSE", client: "smbtorture", args: []string{"smb2.notify.close"}},
	{name: "lease", what: "leases: request, break, acknowledge", server: "stock", dialects: []string{"300", "311"}, client: "smbtorture", args: []string{"smb2.lease.breaking1"}},
	{name: "oplock", what: "oplocks: break, acknowledge", server: "stock", dialects: []string{"202", "311"}, client: "smbtorture", args: []string{"smb2.oplock.batch7"}},
	{name: "durable", what: "durable handles: request, reconnect", server: "stock", dialects: []string{"210"}, client: "smbtorture", args: []string{"smb2.durable-open.reopen1a"}},
	{name: "durable-v2", what: "durable handles of version 2: request, reconnect", server: "stock", dialects: []string{"300", "311"}, client: "smbtorture", args: []string{"smb2.durable-v2-open.reopen1a"}},
	{name: "reauthentication", what: "SESSION_SETUP of a session that is there", server: "stock", dialects: []string{"210", "311"}, client: "smbtorture", args: []string{"smb2.session.reauth1"}},
	{name: "signed", what: "signed with what the dialect has", args: append(command(work), "--client-protection=sign")},
	{name: "signed-cmac", what: "signed with AES-128-CMAC", dialects: []string{"311"}, args: append(command(work), "--client-protection=sign", "--option=client smb3 signing algorithms=AES-128-CMAC")},
	{name: "signed-hmac", what: "signed with HMAC-SHA256", dialects: []string{"311"}, args: append(command(work), "--client-protection=sign", "--option=client smb3 signing algorithms=HMAC-SHA256")},
	{name: "sealed", what: "sealed with what the dialect prefers", dialects: smb3, args: append(command(work), "--client-protection=encrypt")},
	{name: "sealed-ccm128", what: "sealed with AES-128-CCM", dialects: []string{"311"}, args: sealed("AES-128-CCM")},
	{name: "sealed-ccm256", what: "sealed with AES-256-CCM", dialects: []string{"311"}, args: sealed("AES-256-CCM")},
	{name: "sealed-gcm256", what: "sealed with AES-256-GCM", dialects: []string{"311"}, args: sealed("AES-256-GCM")},
	{name: "sealed-kerberos", what: "Kerberos logon, sealed with AES-256-GCM", dialects: []string{"311"}, server: "kerberos", kerberos: true, args: sealed("AES-256-GCM")},
}

// command is smbclient's.
func command(c string) []string { return []string{"--command=" + c} }

// sealed does work with one cipher.
func sealed(cipher string) []string {
	return append(command(work), "--client-protection=encrypt", "--option=client smb3 encryption algorithms="+cipher)
}

// job is one capture to make.
type job struct {
	scenario
	dialect string // smbclient's name
	capture string // its name
}

// jobs are all captures, by name.
func jobs() (list []job) {
	for _, s := range scenarios {
		for _, d := range dialects {
			if s.dialects == nil || slices.Contains(s.dialects, d.name) {
				list = append(list, job{s, d.samba, d.name + "-" + s.name})
			}
		}
	}
	slices.SortFunc(list, func(a, b job) int { return strings.Compare(a.capture, b.capture) })
	return list
}

// shown is the job's command line as the table of captures has it.
func (j job) shown() string {
	program := j.client
	if program == "" {
		program = "smbclient"
	}
	args := make([]string, 0, len(j.args))
	for _, a := range j.args {
		a = strings.NewReplacer("{host}", "HOST", "{user}", "user1").Replace(a)
		if strings.ContainsAny(a, " ;") {
			a = "'" + a + "'"
		}
		args = append(args, a)
	}
	return fmt.Sprintf("%s %s", program, strings.Join(args, " "))
}
