package demux

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// watching is a directory that a client watches.
type watching struct {
	*client
	id     smb2.FileID
	filter smb2.CompletionFilter
	flags  uint16
	p      *rawsmb.Pending
}

// everything is all that can be watched for.
const everything = smb2.CompletionFilter(0xFFF)

// watch opens a directory and begins to watch it.
func (c *client) watch(dir string, filter smb2.CompletionFilter, flags uint16) *watching {
	c.t.Helper()
	m, st := c.create(dir, smb2.FileListDirectory, smb2.FileOpen, smb2.FileDirectoryFile)
	if st != ntstatus.Success {
		c.t.Fatal(st)
	}
	w := &watching{client: c, id: m.FileID, filter: filter, flags: flags}
	w.ask()
	if st := c.wait(w.p).Header.Status; st != ntstatus.Pending {
		c.t.Fatalf("first CHANGE_NOTIFY: %v", st)
	}
	return w
}

func (w *watching) ask() {
	w.t.Helper()
	w.p = w.start(smb2.CommandChangeNotify, &smb2.ChangeNotifyRequest{
		Flags: w.flags, FileID: w.id, OutputBufferLength: 4096, CompletionFilter: w.filter,
	})
}

// next is what the watch tells next, as "ACTION:NAME"; it then watches on.
func (w *watching) next() (list []string) {
	w.t.Helper()
	m := w.wait(w.p)
	if m.Header.Status == ntstatus.Pending {
		m = w.wait(w.p)
	}
	var n smb2.ChangeNotifyResponse
	if err := n.Decode(m.Bytes); m.Header.Status != ntstatus.Success || err != nil {
		w.t.Fatalf("watch: %v, %v", m.Header.Status, err)
	}
	changes, err := smb2.DecodeNotifyInformation(n.OutputBuffer)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range changes {
		list = append(list, fmt.Sprintf("%d:%s", c.Action, c.FileName))
	}
	w.ask()
	return list
}

// expect gathers what the watch tells until it is want, which need not come at once.
func (w *watching) expect(what string, want ...string) {
	w.t.Helper()
	var got []string
	for len(got) < len(want) {
		got = append(got, w.next()...)
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("%s: told %q, want %q", what, got, want)
	}
}

// TestNotifyEvents goes through what clients can change, each change told once to a client that reached the share by
// another session, on both kinds of share.
func TestNotifyEvents(t *testing.T) {
	r := newRig(t, rigOptions{lanes: 2})
	for _, share := range []string{"share", "written"} {
		t.Run(share, func(t *testing.T) {
			c := r.connect(t, "user1", share)
			d, st := c.create("d-"+share, allAccess, smb2.FileCreate, smb2.FileDirectoryFile)
			if st != ntstatus.Success {
				t.Fatal(st)
			}
			c.close(d.FileID)
			testNotifyEvents(t, c, r.connect(t, "user2", share).watch("d-"+share, everything, smb2.ChangeNotifyWatchTree), "d-"+share)
		})
	}
}

func testNotifyEvents(t *testing.T, c *client, w *watching, dir string) {
	dir += `\`
	id := c.file(dir+"File", nil)
	w.expect("create", "1:File")
	c.must(smb2.CommandWrite, &smb2.WriteRequest{FileID: id, Data: []byte("data")}, nil)
	w.expect("WRITE", "3:File")
	set := func(what string, class smb2.InfoClass, info []byte) {
		t.Helper()
		if st := c.setInfo(id, class, info); st != ntstatus.Success {
			t.Errorf("%s: %v", what, st)
		}
	}
	set("size", smb2.FileEndOfFileInformation, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	w.expect("size", "3:File")
	basic := smb2.FileBasicInfo{FileAttributes: smb2.FileAttributeHidden}
	set("attributes", smb2.FileBasicInformation, basic.Append(nil))
	w.expect("attributes", "3:File")
	rename := smb2.FileRenameInfo{FileName: dir + "Other"}
	set("rename", smb2.FileRenameInformation, rename.Append(nil))
	w.expect("rename", "4:File", "5:Other")
	link := smb2.FileLinkInfo{FileName: dir + "Link"}
	set("link", smb2.FileLinkInformation, link.Append(nil))
	w.expect("link", "1:Link")
	stream := c.file(dir+"other:Stream", []byte("x"))
	w.expect("stream", "6:Other:Stream", "8:Other:Stream")
	c.close(stream)
	sub, st := c.create(dir+"sub", allAccess, smb2.FileCreate, smb2.FileDirectoryFile)
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	w.expect("directory", "1:sub")
	c.close(sub.FileID)
	rename.FileName = dir + `sub\moved`
	set("move", smb2.FileRenameInformation, rename.Append(nil))
	w.expect("move", "2:Other", `1:sub\moved`)
	set("delete", smb2.FileDispositionInformation, []byte{1})
	c.close(id)
	w.expect("delete", `2:sub\moved`)
}

// TestNotifyBehind changes files behind the proxy, on a share where that is to be expected: it is told, and what is done
// through the proxy at the same time is told once.
func TestNotifyBehind(t *testing.T) {
	r := newRig(t, rigOptions{lanes: 2})
	w := r.connect(t, "user1", "written").watch("", everything&^smb2.FileNotifyChangeAttributes, 0)
	c := r.connect(t, "user2", "written")
	dir, err := r.lab.Tree.Share("share")
	if err != nil {
		t.Fatal(err)
	}
	local := filepath.Join(dir, "local")
	if err := os.WriteFile(local, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	w.expect("local file", "1:local")
	for i := range 10 {
		name := fmt.Sprintf("own%d", i)
		id := c.file(name, nil)
		w.expect("own file", "1:"+name)
		c.must(smb2.CommandWrite, &smb2.WriteRequest{FileID: id, Data: []byte("data")}, nil)
		w.expect("own change", "3:"+name)
	}
	if err := os.WriteFile(local, []byte("changed"), 0o666); err != nil {
		t.Fatal(err)
	}
	w.expect("local change", "3:local")
	if err := os.Remove(local); err != nil {
		t.Fatal(err)
	}
	w.expect("local removal", "2:local")
}

// TestNotifyRefused is who may not watch what.
func TestNotifyRefused(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.connect(t, "user1", "share")
	blind, st := c.create("", smb2.FileReadAttributes, smb2.FileOpen, smb2.FileDirectoryFile)
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	for what, x := range map[string]struct {
		id   smb2.FileID
		want ntstatus.Status
	}{
		"a file":                      {c.file("f", nil), ntstatus.InvalidParameter},
		"without FILE_LIST_DIRECTORY": {blind.FileID, ntstatus.AccessDenied},
		"nothing":                     {smb2.FileID{Persistent: 1, Volatile: 1}, ntstatus.FileClosed},
	} {
		st, _ := c.call(smb2.CommandChangeNotify, &smb2.ChangeNotifyRequest{FileID: x.id, OutputBufferLength: 4096, CompletionFilter: everything})
		if st != x.want {
			t.Errorf("watching %s: %v, want %v", what, st, x.want)
		}
	}
}

// TestNotifyOverflow lets more happen than fits the buffer of the first CHANGE_NOTIFY, then less.
func TestNotifyOverflow(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.connect(t, "user1", "share")
	w := c.watch("", everything, 0)
	c.close(c.file("first", nil))
	w.wait(w.p)
	for i := range 150 {
		c.close(c.file(fmt.Sprintf("file with a long name %d", i), nil))
	}
	w.ask()
	if st := w.wait(w.p).Header.Status; st != ntstatus.NotifyEnumDir {
		t.Errorf("after more than fits: %v", st)
	}
	w.ask()
	c.close(c.file("last", nil))
	w.expect("after that", "1:last")
}

// TestNotifyOfLostBackend has a watched backend die: who watches must look for himself, and again when it is back, since
// what has happened meanwhile nobody knows; from then on he is told of what happens behind the proxy.
func TestNotifyOfLostBackend(t *testing.T) {
	r := newRig(t, rigOptions{})
	w := r.connect(t, "user1", "written").watch("", everything, 0)
	dir, err := r.lab.Tree.Share("share")
	if err != nil {
		t.Fatal(err)
	}
	look := func(when string) {
		t.Helper()
		m := w.wait(w.p)
		if m.Header.Status == ntstatus.Pending {
			m = w.wait(w.p)
		}
		if m.Header.Status != ntstatus.NotifyEnumDir {
			t.Fatalf("%s: %v", when, m.Header.Status)
		}
		w.ask()
	}
	if err := r.smbd[0].Kill(); err != nil {
		t.Fatal(err)
	}
	look("after the backend's death")
	if err := r.smbd[0].Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	look("after its return")
	if err := os.WriteFile(filepath.Join(dir, "local"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	w.expect("local file", "1:local")
}

// TestNotifyElsewhere shows that a WRITE has nobody to tell where nobody watches, and that somebody who watches elsewhere is
// asked for once only.
func TestNotifyElsewhere(t *testing.T) {
	r := newRig(t, rigOptions{})
	c := r.connect(t, "user1", "share")
	id := c.file("f", nil)
	concerned := func() bool {
		for _, cs := range r.demux.clientSessions() {
			if o := cs.find(id); o != nil {
				return r.demux.state.Concerned(o.hint)
			}
		}
		t.Fatal("not open")
		return false
	}
	write := func() {
		c.must(smb2.CommandWrite, &smb2.WriteRequest{FileID: id, Data: []byte("data")}, nil)
	}
	if concerned() {
		t.Error("somebody is to be told although nobody has ever watched")
	}
	d, st := c.create("elsewhere", allAccess, smb2.FileCreate, smb2.FileDirectoryFile)
	if st != ntstatus.Success {
		t.Fatal(st)
	}
	c.close(d.FileID)
	c.watch("elsewhere", everything, smb2.ChangeNotifyWatchTree)
	if write(); concerned() {
		t.Error("a WRITE has not noticed that nobody watches here")
	}
	c.watch("", everything, 0)
	if write(); !concerned() {
		t.Error("a WRITE has not noticed that somebody watches here")
	}
}
