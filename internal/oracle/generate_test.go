package oracle_test

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"
)

// The names, handles and users of random scripts are few, so that steps meet.
var (
	names   = []string{"f", "g", "d", `d\f`, `d\e`, `d\e\f`, "f:s", "g:s:$DATA", "F", "missing\\x", "sp ace", "ünï", "f.", "a*b", "", `d\..\f`, `..\f`, "con", "x:y:$BAD"}
	handles = []string{"a", "b", "c"}
	access  = []uint32{0x12019F, 0x120089, 0x1F01FF, 0x2000000, 0x80000000, 0x40000000, 0x10000000, 0x10000, 0x80, 0x100, 0x2, 0x4, 0x1, 0x20000, 0x40000, 0x80000, 0x1000000, 0}
	options = []uint32{0, 0, 0, 1, 0x40, 0x1000, 0x1001, 2, 4, 0x20, 0x200000, 0x80000000, 0x800, 0x100000}
	attrs   = []uint32{0, 0x80, 1, 2, 4, 0x20, 0x100, 0x10, 0x8, 0x5}
	classes = []int{4, 5, 6, 7, 8, 9, 14, 16, 17, 18, 21, 22, 28, 29, 33, 34, 35, 46, 48, 54, 59, 63, 77, 0, 200}
	fsClass = []int{1, 3, 4, 5, 7, 8, 11, 2, 6, 99}
	lists   = []int{1, 2, 3, 12, 37, 38} // others fail at once; smbd first looks whether the handle is a directory
	// Not 0x1401D4: smbd has no resilient handles.
	fsctls  = []uint32{0x9009C, 0x900C0, 0x940CF, 0x900C4, 0x980C8, 0x900A8, 0x14004, 0x1440F2, 0x144064, 0x9003C, 0x94264, 0x98344, 0x90284, 0x110018, 0x60194, 0x98208, 0x9027C, 0xDEAD}
	offsets = []uint64{0, 1, 100, 4095, 4096, 65535, 65536, 1 << 20, 1 << 40, 1<<63 - 1, 1 << 63, ^uint64(0)}
	lengths = []int{0, 1, 7, 100, 4096, 65536}
)

// genScript makes a random script.
func genScript(t *rapid.T) string {
	lines := rapid.SliceOfN(rapid.Custom(genStep), 3, 25).Draw(t, "script")
	return strings.Join(lines, "\n")
}

// genStep makes one step; compounds are made of simple ones.
func genStep(t *rapid.T) string {
	switch rapid.IntRange(0, 11).Draw(t, "kind") {
	case 0:
		n := rapid.IntRange(2, 4).Draw(t, "elements")
		// Only the first element opens: smbd 4.17 crashes when a later one has to wait for a share mode, and goes on
		// with an earlier handle where [MS-SMB2] 3.3.5.2.7.2 has the failed open's status go on.
		chain, chained := "related ", "@"
		if rapid.IntRange(0, 2).Draw(t, "unrelated") == 0 {
			chain, chained = "compound ", "own"
		}
		// No element copies chunks either (smbd answers INTERNAL_ERROR where one that is not the last would wait), and no
		// related one asks what needs no file: without an open in the chain smbd lets it through.
		var e []string
		for len(e) < n {
			handle := chained
			if len(e) == 0 {
				handle = "first"
			}
			switch s := genSimple(t, handle); {
			case strings.HasPrefix(s, "key"), strings.Contains(s, "rename="), // a rename may end a script: Pair.Run
				strings.HasPrefix(s, "copy"), strings.Contains(s, "0x1440f2"),
				strings.HasPrefix(s, "open") && len(e) > 0,
				handle == "@" && (strings.Contains(s, "0x60194") || strings.Contains(s, "0x110018")):
			default:
				e = append(e, s)
			}
		}
		return chain + strings.Join(e, " ; ")
	default:
		return genSimple(t, "")
	}
}

// genSimple makes a step other than a compound. chained is "" outside compounds, and inside: "@" where the element is
// related, which then has no FileId of its own (as all clients have it; with one, smbd prefers it to the chain's
// where the chain's open failed), "first" and "own" where it names its handle.
func genSimple(t *rapid.T, chained string) string {
	h := rapid.SampledFrom(handles).Draw(t, "h")
	use := h
	if chained == "@" {
		use = chained
	}
	user := 1
	if chained == "" {
		user = rapid.SampledFrom([]int{1, 1, 1, 2}).Draw(t, "user")
	}
	pick := func(label string, list []int) int { return rapid.SampledFrom(list).Draw(t, label) }
	off := func() uint64 { return rapid.SampledFrom(offsets[:8]).Draw(t, "off") }
	switch rapid.IntRange(0, 15).Draw(t, "verb") {
	case 0, 1, 2, 3, 4:
		name, disp := rapid.SampledFrom(names).Draw(t, "name"), rapid.SampledFrom([]int{1, 3, 2, 3, 0, 4, 5, 6}).Draw(t, "disp")
		if disp == 4 && strings.Contains(name, ":") {
			disp = 1 // smbd 4.17's OVERWRITE of a stream that is not there leaves a new file behind
		}
		return fmt.Sprintf("open user=%d h=%s name=%q access=%#x share=%d disp=%d opt=%#x attr=%#x ctx=%s", user, h, name,
			rapid.SampledFrom(access).Draw(t, "access"), rapid.IntRange(0, 7).Draw(t, "share"), disp,
			rapid.SampledFrom(options).Draw(t, "opt"), rapid.SampledFrom(attrs).Draw(t, "attr"), rapid.SampledFrom([]string{"", "", "MxAc", "QFid", "MxAc,QFid"}).Draw(t, "ctx"))
	case 5:
		return fmt.Sprintf("close user=%d h=%s flags=%d", user, use, rapid.IntRange(0, 1).Draw(t, "flags"))
	case 6:
		return fmt.Sprintf("write user=%d h=%s off=%d datalen=%d", user, use, off(), pick("len", lengths))
	case 7:
		return fmt.Sprintf("read user=%d h=%s off=%d len=%d min=%d", user, use, off(), pick("len", lengths), pick("min", []int{0, 0, 1, 200}))
	case 8:
		return fmt.Sprintf("query user=%d h=%s type=1 class=%d len=%d", user, use, pick("class", classes), pick("len", []int{4096, 4096, 0, 8, 40, 104}))
	case 9:
		if rapid.Bool().Draw(t, "sd") {
			return fmt.Sprintf("query user=%d h=%s type=3 add=%d len=%d", user, use, pick("add", []int{1, 2, 4, 7, 8, 15}), pick("len", []int{4096, 0, 20}))
		}
		return fmt.Sprintf("query user=%d h=%s type=2 class=%d len=%d", user, use, pick("class", fsClass), pick("len", []int{4096, 0, 8, 24}))
	case 10:
		what := rapid.SampledFrom([]string{`rename="g"`, `rename="d\\n"`, `rename="x\\y"`, `rename="..\\z"`, `rename=":s2"`, `link="l"`, "eof=5", "eof=70000", "alloc=4096", "alloc=0",
			"delete=1", "delete=0", "attr=0x1", "attr=0x80", "attr=0x22", "attr=0x10", "time=125000000000000000", "class=14 buf=0500000000000000", "class=16 buf=02000000", "class=15 buf=00", "class=99 buf=00"}).Draw(t, "set")
		if strings.Contains(what, `":s2"`) {
			what = `rename="s2"`
		}
		return fmt.Sprintf("set user=%d h=%s replace=%d %s", user, use, rapid.IntRange(0, 1).Draw(t, "replace"), what)
	case 11:
		return fmt.Sprintf("list user=%d h=%s pattern=%q class=%d flags=%d len=%d", user, use, rapid.SampledFrom([]string{"*", "*", "f*", "F", "?", "", "<", "zz"}).Draw(t, "pattern"),
			pick("class", lists), pick("flags", []int{0, 0, 1, 2, 3, 4, 16}), pick("len", []int{65536, 65536, 400, 100, 10}))
	case 12:
		return fmt.Sprintf("lock user=%d h=%s flags=%#x off=%d len=%d", user, use, pick("flags", []int{0x11, 0x12, 0x11, 0x12, 4, 4, 0, 3, 0x14}),
			rapid.SampledFrom(offsets).Draw(t, "off"), pick("len", []int{0, 1, 100, 1 << 40}))
	case 13:
		return fmt.Sprintf("ioctl user=%d h=%s code=%#x in=%s max=%d", user, use, rapid.SampledFrom(fsctls).Draw(t, "code"),
			rapid.SampledFrom([]string{"", "00", "01", "00000000000000000000100000000000", "0000000000000000ffffffffffffff7f"}).Draw(t, "in"), pick("max", []int{4096, 0, 16, 65536}))
	case 14:
		if rapid.Bool().Draw(t, "key") {
			return fmt.Sprintf("key user=%d h=%s k=k", user, use)
		}
		return fmt.Sprintf("copy user=%d h=%s k=k chunks=%s", user, use, rapid.SampledFrom([]string{"0:0:100", "0:100:50,50:0:20", "0:0:0", "1000000:0:5", "0:0:99999999"}).Draw(t, "chunks"))
	}
	return fmt.Sprintf("flush user=%d h=%s", user, use)
}
