package torture

import (
	"slices"
	"strings"
	"time"
)

// Suite is one smbtorture suite on one share.
type Suite struct {
	Name  string        // "smb2.lock"
	Share string        // "" : the plain share
	Args  []string      // further smbtorture arguments
	Long  time.Duration // roughly how long it takes, when over half a minute: such start first
	Short bool          // of the part that runs in "make test"
}

// Key names a suite in expectations and reports: "smb2.lock", "smb2.lock@aio".
func (s Suite) Key() string {
	if s.Share == "" {
		return s.Name
	}
	return s.Name + "@" + s.Share
}

// ShareName is the share it runs on.
func (s Suite) ShareName() string {
	if s.Share == "" {
		return "share"
	}
	return s.Share
}

// plain suites run on the share "share".
var plain = words(`
	smb2.acls smb2.charset smb2.compound smb2.compound_async smb2.compound_find smb2.connect smb2.create
	smb2.credits smb2.delete-on-close-perms smb2.deny smb2.dir smb2.durable-open smb2.durable-v2-delay
	smb2.durable-v2-open smb2.getinfo smb2.ioctl smb2.ioctl-on-stream smb2.lease smb2.lock smb2.mangle
	smb2.maximum_allowed smb2.mkdir smb2.multichannel smb2.notify smb2.notify-inotify smb2.openattr smb2.oplock
	smb2.read smb2.rename smb2.replay smb2.rw smb2.sdread smb2.secleak smb2.session smb2.session-id smb2.setinfo
	smb2.sharemode smb2.streams smb2.tcon smb2.timestamps smb2.winattr
	rpc.bind rpc.dfs rpc.handles rpc.lsa-getuser rpc.lsa.lookupnames rpc.lsa.lookupsids rpc.lsa.privileges rpc.mgmt
	rpc.samba3.lsa rpc.samba3.pipes_supported_interfaces rpc.samba3.smb2-pipe-name rpc.samba3.smb2-pipe-read-close
	rpc.samba3.smb2-pipe-read-logoff rpc.samba3.smb2-pipe-read-tdis rpc.samba3.smb2-reauth1 rpc.samba3.smb2-reauth2
	rpc.samba3.srvsvc rpc.samba3.winreg rpc.srvsvc rpc.svcctl rpc.wkssvc
	vfs.acl_xattr`)

// special suites say something only on, or something else on, a share of their own.
var special = []Suite{
	{Name: "smb2.session", Share: "tmpenc"},
	{Name: "smb2.connect", Share: "tmpenc"},
	{Name: "smb2.rw", Share: "tmpenc"},
	{Name: "smb2.lock", Share: "aio"},
	{Name: "smb2.compound", Share: "aio"},
	{Name: "smb2.compound_find", Share: "compound_find"},
	{Name: "smb2.streams", Share: "streams_xattr"},
	{Name: "smb2.dosmode", Share: "dosmode"},
	{Name: "smb2.fileid", Share: "vfs_fruit_xattr"},
	{Name: "smb2.acls_non_canonical", Share: "acls_non_canonical"},
	{Name: "smb2.ea", Share: "ea_acl_xattr", Args: []string{"--option=torture:acl_xattr_name=hackme"}},
	{Name: "smb2.delete-on-close-perms", Share: "delete_readonly", Args: []string{"--option=torture:delete_readonly=true"}},
	{Name: "smb2.samba3misc", Share: "posixlock"},
	{Name: "smb2.create_no_streams", Share: "no_streams"},
	{Name: "smb2.durable-v2-open", Share: "persistent"},
	{Name: "smb2.replay", Share: "persistent"},
	{Name: "smb2.notify", Share: "other_writers"},
	{Name: "smb2.change_notify_disabled", Share: "change_notify_disabled"},
	{Name: "smb2.notify-inotify", Share: "other_writers"},
}

// NotRun are suites of smbtorture that say nothing here, and why.
var NotRun = map[string]string{
	"smb2.hold-oplock":             "not a test: blocks for ever by design",
	"smb2.hold-sharemode":          "not a test: blocks for ever by design",
	"smb2.check-sharemode":         "not a test: a helper for use by hand",
	"smb2.set-sparse-ioctl":        "for use by hand: needs torture:filename",
	"smb2.zero-data-ioctl":         "for use by hand: needs torture:filename",
	"smb2.durable-open-disconnect": "not a test: leaves a disconnected durable open",
	"smb2.scan":                    "scanners without assertions",
	"smb2.timestamp_resolution":    "Samba's own selftest leaves it out: depends on the host's clock",
	"smb2.bench":                   "benchmarks",
	"smb2.twrp":                    "needs snapshots (torture:twrp_*)",
	"smb2.async_dosmode":           "needs shadow_copy2 and a delay module that Debian does not have",
	"smb2.aio_delay":               "needs vfs_delay_inject, in Samba's own selftest builds only",
	"smb2.change_notify_disabled":  "on its own share only",
	"smb2.session-require-signing": "needs a client that may leave signing out, and a server that insists",
	"smb2.kernel-oplocks":          "opens files on the server's disk: the server's user must be root",
	"smb2.maxfid":                  "opens 65,520 files, over 3 minutes",
	"smb2.dosmode":                 "on its own share only", "smb2.fileid": "on its own share only",
	"smb2.acls_non_canonical": "on its own share only", "smb2.ea": "on its own share only",
	"smb2.samba3misc": "on its own share only", "smb2.create_no_streams": "on its own share only",
}

// long suites are started first, so that the last worker does not end with one.
var long = map[string]time.Duration{
	"smb2.lease": 187 * time.Second, "smb2.replay": 169 * time.Second, "smb2.replay@persistent": 169 * time.Second, "smb2.multichannel": 138 * time.Second,
	"smb2.oplock": 112 * time.Second, "smb2.notify": 76 * time.Second, "smb2.notify@other_writers": 76 * time.Second,
	"smb2.session": 60 * time.Second, "smb2.session@tmpenc": 40 * time.Second,
}

// short suites take a few seconds together and touch every command: the part for "make test".
var short = words(`smb2.connect smb2.tcon smb2.create smb2.read smb2.rw smb2.getinfo smb2.dir smb2.mkdir smb2.lock
	smb2.compound smb2.ioctl smb2.streams smb2.acls smb2.rename rpc.samba3.srvsvc rpc.lsa-getuser smb2.connect@tmpenc smb2.rw@tmpenc`)

// Suites are all that are run, the long ones first.
func Suites() []Suite {
	var all []Suite
	for _, name := range plain {
		all = append(all, Suite{Name: name})
	}
	all = append(all, special...)
	for i := range all {
		all[i].Long = long[all[i].Key()]
		all[i].Short = slices.Contains(short, all[i].Key())
	}
	slices.SortStableFunc(all, func(a, b Suite) int { return int(b.Long - a.Long) })
	return all
}

func words(s string) []string { return strings.Fields(s) }
