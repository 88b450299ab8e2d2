package torture

import (
	"fmt"
	"strings"
)

// serverOptions are what smbtorture expects of a server, as Samba's own selftest sets it. The
// delays stand in smbtorture's arguments too and must be equal. What smbproxy prints for every
// backend itself stands in directGlobal.
var serverOptions = []string{
	"smbd:FSCTL_SMBTORTURE = yes",
	"smbd:validate_oplock_types = yes",
	"smbd:suicide mode = no",
	"smbd:sharedelay = 100000",
	"smbd:writetimeupdatedelay = 500000",
	"time server = yes",
	"create mask = 755",
	"dos filemode = yes",
	"strict rename = yes",
	"mangled names = yes",
	"streams_depot:delete_lost = yes",
}

// clientOptions are smbtorture's side of it, and how it reports.
var clientOptions = []string{
	"--target=samba3", "--fullname", "--format=subunit",
	"--option=torture:progress=no",
	"--option=torture:sharedelay=100000",
	"--option=torture:writetimeupdatedelay=500000",
}

// posixLocking shows SMB locks to local processes.
const posixLocking = "posix locking = yes"

// noNotify is a parameter of smbproxy's too.
const noNotify = "change notify = no"

// share is one of the shares whose names the tests know.
type share struct {
	name    string
	dir     string   // directory below the site's own
	encrypt bool     // "server smb encrypt = required", which smbproxy itself must know
	keeps   bool     // "continuous availability = yes" at smbproxy
	shared  bool     // "other writers = yes" at smbproxy; an smbd is not told
	options []string // smbd's
}

// plainVFS is what a share has unless it says otherwise. streams_depot keeps streams of any
// size; streams_xattr, which the printed configuration has, is a share of its own here.
const plainVFS = "vfs objects = acl_xattr streams_depot"

var shares = []share{
	{name: "share", dir: "share", options: []string{plainVFS}},
	{name: "tmp", dir: "tmp", options: []string{plainVFS}},
	{name: "durable", dir: "tmp", options: []string{plainVFS}},
	{name: "aio", dir: "tmp", options: []string{plainVFS, "aio read size = 1", "aio write size = 1"}},
	{name: "tmpenc", dir: "tmp", encrypt: true, options: []string{plainVFS}},
	{name: "streams_xattr", dir: "tmp", options: []string{"vfs objects = acl_xattr streams_xattr"}},
	{name: "vfs_fruit_xattr", dir: "fruit", options: []string{"vfs objects = catia fruit streams_xattr acl_xattr",
		"fruit:resource = file", "fruit:metadata = netatalk", "fruit:locking = netatalk", "fruit:encoding = native", "fruit:veto_appledouble = no"}},
	{name: "dosmode", dir: "dosmode", options: []string{"vfs objects =", "hide files = /hidefile/", "hide dot files = yes"}},
	{name: "ea_acl_xattr", dir: "tmp", options: []string{"vfs objects = acl_xattr", "acl_xattr:security_acl_name = user.hackme"}},
	{name: "compound_find", dir: "tmp", options: []string{plainVFS, "smbd:find async delay usec = 10000"}},
	{name: "delete_readonly", dir: "tmp", options: []string{plainVFS, "delete readonly = yes"}},
	{name: "acls_non_canonical", dir: "tmp", options: []string{plainVFS, "acl flag inherited canonicalization = no"}},
	{name: "no_streams", dir: "tmp", options: []string{"vfs objects = acl_xattr"}},
	{name: "noperm", dir: "noperm", options: []string{plainVFS}},
	{name: "hideunread", dir: "tmp", options: []string{plainVFS, "hide unreadable = yes"}},
	{name: "hideunwrite", dir: "tmp", options: []string{plainVFS, "hide unwriteable files = yes"}},
	{name: "posixlock", dir: "tmp", options: []string{plainVFS, posixLocking}},
	{name: "persistent", dir: "persistent", keeps: true, options: []string{plainVFS}},
	{name: "change_notify_disabled", dir: "tmp", options: []string{plainVFS, noNotify}},
	{name: "other_writers", dir: "written", shared: true, options: []string{plainVFS}},
	{name: "acl_xattr_ign_sysacl_posix", dir: "tmp", options: []string{"vfs objects = acl_xattr", "acl_xattr:ignore system acls = yes", "acl_xattr:default acl style = posix"}},
	{name: "acl_xattr_ign_sysacl_windows", dir: "tmp", options: []string{"vfs objects = acl_xattr", "acl_xattr:ignore system acls = yes", "acl_xattr:default acl style = windows"}},
}

// shareDir is the directory of a share.
func shareDir(name string) string {
	for _, s := range shares {
		if s.name == name {
			return s.dir
		}
	}
	panic("torture: no share " + name)
}

// directGlobal is the [global] of an smbd that smbtorture logs in to without a proxy: state of
// open files in smbd, where the baseline was measured.
const directGlobal = `[global]
	netbios name = SMBPROXY
	workgroup = TORTURE
	server role = standalone server
	server min protocol = SMB2_02
	server multi channel support = yes
	load printers = no
	printing = bsd
	printcap name = /dev/null
	disable spoolss = yes
	registry shares = no
	map to guest = never
	store dos attributes = yes
	strict sync = yes
	ea support = yes
	map hidden = no
	map system = no
	map readonly = no
	map archive = no
	durable handles = yes
	smb2 leases = yes
	kernel oplocks = no
	kernel change notify = no
	kernel share modes = no
	posix locking = no
`

// directConf is the whole smb.conf of that smbd, its shares below root.
func directConf(root string) string {
	var b strings.Builder
	b.WriteString(directGlobal)
	for _, o := range serverOptions {
		fmt.Fprintf(&b, "\t%s\n", o)
	}
	for _, s := range shares {
		fmt.Fprintf(&b, "[%s]\n\tpath = %s/%s\n\tread only = no\n", s.name, root, s.dir)
		if s.encrypt {
			b.WriteString("\tserver smb encrypt = required\n")
		}
		for _, o := range s.options {
			fmt.Fprintf(&b, "\t%s\n", o)
		}
	}
	// A directory of its own for every connection: smb2.lease.dynamic_share, which makes sense
	// where leases are smbd's only.
	fmt.Fprintf(&b, "[dynamic_share]\n\tpath = %s/dynamic/%%t\n\troot preexec = mkdir -m 0777 -p %%P\n\tread only = no\n\t%s\n", root, plainVFS)
	return b.String()
}
