package backend

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
)

// shareInspector tries out one share, on a file of its own that goes with its handle.
type shareInspector struct {
	*inspector
	s     *session
	tc    *treeConnect
	share ExpectedShare
	name  string
	file  smb2.CreateResponse
}

// share tries out one share.
func (i *inspector) share(ctx context.Context, s *session, share ExpectedShare) {
	tc, err := s.inspectTree(ctx, share.Name)
	i.note(share.Name, "path, valid users, available", err)
	if err != nil {
		return
	}
	x := &shareInspector{inspector: i, s: s, tc: tc, share: share}
	if !share.Data {
		x.volume(ctx)
	}
	if share.ReadOnly {
		i.note(share.Name, "read only", x.refusesWrites(ctx))
		return
	}
	if err := x.makeFile(ctx, smb2.OplockLevelBatch); err != nil {
		i.note(share.Name, "what a file shows", fmt.Errorf("%w: %s cannot make a file in the share's root: %w", errNotShown, i.e.User.Name, err))
		return
	}
	defer func() { _ = x.must(ctx, smb2.CommandClose, &smb2.CloseRequest{FileID: x.file.FileID}, nil) }()
	for _, step := range []struct {
		property string
		data     bool // of data shares too
		try      func(context.Context) error
	}{
		{"who the user is", true, x.owner}, {"oplocks, level2 oplocks, durable handles", true, x.caching}, {"kernel share modes", true, x.sharing},
		{"locking", true, x.locks}, {"strict sync", true, x.sync},
		{"store dos attributes, map archive, map hidden, map system", false, x.attributes}, {"vfs objects (streams)", false, x.streams},
		{"ea support", false, x.extendedAttributes}, {"change notify", false, x.notify},
	} {
		if step.data || !share.Data {
			i.note(share.Name, step.property, step.try(ctx))
		}
	}
}

// must is session.must on the share.
func (x *shareInspector) must(ctx context.Context, cmd smb2.Command, body smb2.Body, into smb2.Message) error {
	return x.s.must(ctx, x.tc, cmd, body, into)
}

// create opens something.
func (x *shareInspector) create(ctx context.Context, q smb2.CreateRequest) (r smb2.CreateResponse, err error) {
	q.ImpersonationLevel, q.ShareAccess = 2, smb2.FileShareRead|smb2.FileShareWrite|smb2.FileShareDelete
	err = x.must(ctx, smb2.CommandCreate, &q, &r)
	return r, err
}

// makeFile makes the file.
func (x *shareInspector) makeFile(ctx context.Context, oplock smb2.OplockLevel) (err error) {
	var suffix [8]byte
	rand.Read(suffix[:])
	x.name = ".smbproxy-check-" + hex.EncodeToString(suffix[:])
	x.file, err = x.create(ctx, smb2.CreateRequest{
		RequestedOplockLevel: oplock, Name: x.name, DesiredAccess: smb2.FileAllAccess,
		CreateDisposition: smb2.FileCreate, CreateOptions: smb2.FileDeleteOnClose | smb2.FileNonDirectoryFile,
		CreateContexts: []smb2.CreateContext{{Name: []byte(smb2.CreateDurableHandleRequest), Data: make([]byte, 16)}},
	})
	return err
}

// query asks for information on the file, or on the root if id is zero.
func (x *shareInspector) query(ctx context.Context, id smb2.FileID, kind smb2.InfoType, class smb2.InfoClass, additional uint32) ([]byte, error) {
	var r smb2.QueryInfoResponse
	err := x.must(ctx, smb2.CommandQueryInfo, &smb2.QueryInfoRequest{
		InfoType: kind, FileInfoClass: class, OutputBufferLength: 4096, AdditionalInformation: additional, FileID: id,
	}, &r)
	return r.OutputBuffer, err
}

// volume compares what the share says of its volume: all backends are one.
func (x *shareInspector) volume(ctx context.Context) {
	root, err := x.create(ctx, smb2.CreateRequest{DesiredAccess: smb2.FileReadAttributes, CreateDisposition: smb2.FileOpen})
	if err != nil {
		x.note(x.share.Name, "volume serial number", fmt.Errorf("%w: %w", errNotShown, err))
		return
	}
	defer func() { _ = x.must(ctx, smb2.CommandClose, &smb2.CloseRequest{FileID: root.FileID}, nil) }()
	var v smb2.FileFsVolumeInfo
	b, err := x.query(ctx, root.FileID, smb2.InfoFilesystem, smb2.FileFsVolumeInformation, 0)
	if err == nil {
		err = v.Decode(b)
	}
	if err != nil {
		x.note(x.share.Name, "volume serial number", err)
		return
	}
	x.note(x.share.Name, "volume serial number", want(v.VolumeSerialNumber == x.share.Serial, "it is 0x%08X, not 0x%08X", v.VolumeSerialNumber, x.share.Serial))
	x.note(x.share.Name, "volume", want(v.VolumeLabel == x.share.Volume, "it is %q, not %q", v.VolumeLabel, x.share.Volume))
}

// refusesWrites tries to make a file on a read-only share.
func (x *shareInspector) refusesWrites(ctx context.Context) error {
	if x.makeFile(ctx, smb2.OplockLevelNone) != nil {
		return nil
	}
	_ = x.must(ctx, smb2.CommandClose, &smb2.CloseRequest{FileID: x.file.FileID}, nil)
	return errors.New("it lets a file be made")
}

// owner looks at whose the file is: smbd must take a ticket's name for the user
// that has it here.
func (x *shareInspector) owner(ctx context.Context) error {
	b, err := x.query(ctx, x.file.FileID, smb2.InfoSecurity, 0, uint32(smb2.OwnerSecurityInformation))
	var sd smb2.SecurityDescriptor
	if err == nil {
		err = sd.Decode(b)
	}
	if err != nil || sd.Owner == nil {
		return fmt.Errorf("%w: %w", errNotShown, errors.Join(err, want(sd.Owner != nil, "no owner")))
	}
	unix := fmt.Sprintf("S-1-22-1-%d", x.e.User.UID) // Samba: a user who is in no passdb
	got := sd.Owner.String()
	if strings.HasPrefix(got, x.e.MachineSID+"-") {
		return fmt.Errorf("%s is in its passdb (%s): on another backend he would be somebody else", x.e.User.Name, got)
	}
	return want(got == unix, "files of %s are owned by %s, not by uid %d", x.e.User.Name, got, x.e.User.UID)
}

// caching looks at what the file was opened with, and then sees to it that it is
// open without: nobody here would acknowledge a break.
func (x *shareInspector) caching(ctx context.Context) error {
	durable := slices.ContainsFunc(x.file.CreateContexts, func(c smb2.CreateContext) bool { return string(c.Name) == smb2.CreateDurableHandleRequest })
	given := x.file.OplockLevel
	err := errors.Join(want(given == smb2.OplockLevelNone, "it gives oplocks"), want(!durable, "it gives durable handles"))
	if given != smb2.OplockLevelNone {
		_ = x.must(ctx, smb2.CommandClose, &smb2.CloseRequest{FileID: x.file.FileID}, nil)
		err = errors.Join(err, x.makeFile(ctx, smb2.OplockLevelNone))
	}
	return err
}

// again opens the file once more.
func (x *shareInspector) again(ctx context.Context, name string, access smb2.AccessMask) (smb2.FileID, func(), error) {
	r, err := x.create(ctx, smb2.CreateRequest{Name: name, DesiredAccess: access, CreateDisposition: smb2.FileOpenIf})
	return r.FileID, func() { _ = x.must(ctx, smb2.CommandClose, &smb2.CloseRequest{FileID: r.FileID}, nil) }, err
}

// sharing opens the file twice for writing, as two lanes would.
func (x *shareInspector) sharing(ctx context.Context) error {
	cn, err := x.p.open(ctx, noLane)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotShown, err)
	}
	defer cn.kill(errInspected)
	other := *x
	other.s = &session{conn: cn, user: x.e.User.Name, trees: make(map[string]*treeConnect)}
	if err := other.s.authenticate(ctx); err != nil {
		return fmt.Errorf("%w: %w", errNotShown, err)
	}
	cn.mu.Lock()
	cn.sessions[other.s.id] = other.s
	cn.mu.Unlock()
	if other.tc, err = other.s.inspectTree(ctx, x.share.Name); err != nil {
		return fmt.Errorf("%w: %w", errNotShown, err)
	}
	_, closeIt, err := other.again(ctx, x.name, smb2.FileReadData|smb2.FileWriteData)
	if err != nil {
		return fmt.Errorf("a second connection cannot open the same file: %w", err)
	}
	closeIt()
	return nil
}

// locks takes one range twice: byte-range locks are smbproxy's, and a backend must
// not have any.
func (x *shareInspector) locks(ctx context.Context) error {
	second, closeIt, err := x.again(ctx, x.name, smb2.FileReadData|smb2.FileWriteData)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotShown, err)
	}
	defer closeIt()
	for n, id := range []smb2.FileID{x.file.FileID, second} {
		st, _, err := x.s.ask(ctx, x.tc, smb2.CommandLock, &smb2.LockRequest{
			FileID: id, Locks: []smb2.LockElement{{Offset: 0, Length: 1, Flags: smb2.LockFlagExclusiveLock | smb2.LockFlagFailImmediately}},
		}, 1)
		if err != nil || n == 0 && st != ntstatus.Success {
			return fmt.Errorf("%w: %w", errNotShown, orStatus(err, st))
		}
		if st != ntstatus.Success {
			return errors.New("it keeps byte-range locks")
		}
	}
	return nil
}

// orStatus is err, or the status if there is none.
func orStatus(err error, st ntstatus.Status) error {
	if err != nil {
		return err
	}
	return st
}

// attributes sets attributes and looks whether they are kept as they are.
func (x *shareInspector) attributes(ctx context.Context) error {
	const set = smb2.FileAttributeHidden | smb2.FileAttributeSystem
	info := smb2.FileBasicInfo{FileAttributes: set}
	if err := x.must(ctx, smb2.CommandSetInfo, &smb2.SetInfoRequest{
		InfoType: smb2.InfoFile, FileInfoClass: smb2.FileBasicInformation, FileID: x.file.FileID, Buffer: info.Append(nil),
	}, nil); err != nil {
		return err
	}
	b, err := x.query(ctx, x.file.FileID, smb2.InfoFile, smb2.FileBasicInformation, 0)
	if err == nil {
		err = info.Decode(b)
	}
	if err != nil {
		return err
	}
	return want(info.FileAttributes == set, "attributes come back as %v, not %v", info.FileAttributes, set)
}

// streams makes an alternate data stream.
func (x *shareInspector) streams(ctx context.Context) error {
	_, closeIt, err := x.again(ctx, x.name+":smbproxy", smb2.FileReadData|smb2.FileWriteData)
	if err != nil {
		return fmt.Errorf("it has no alternate data streams: %w", err)
	}
	closeIt()
	return nil
}

// extendedAttributes sets one and reads it.
func (x *shareInspector) extendedAttributes(ctx context.Context) error {
	ea := []smb2.FileFullEaInfo{{EaName: "SMBPROXY", EaValue: []byte("x")}}
	if err := x.must(ctx, smb2.CommandSetInfo, &smb2.SetInfoRequest{
		InfoType: smb2.InfoFile, FileInfoClass: smb2.FileFullEaInformation, FileID: x.file.FileID, Buffer: smb2.AppendFileFullEaInfo(nil, ea),
	}, nil); err != nil {
		return err
	}
	b, err := x.query(ctx, x.file.FileID, smb2.InfoFile, smb2.FileFullEaInformation, 0)
	if err != nil {
		return err
	}
	got, err := smb2.DecodeFileFullEaInfo(b)
	if err != nil {
		return err
	}
	return want(len(got) == 1 && string(got[0].EaValue) == "x", "it does not give back what was set")
}

// notifyLimit is how long a change may take to be told.
const notifyLimit = 3 * time.Second

// notify changes something in a directory that is watched.
func (x *shareInspector) notify(ctx context.Context) error {
	root, err := x.create(ctx, smb2.CreateRequest{DesiredAccess: smb2.FileListDirectory, CreateDisposition: smb2.FileOpen, CreateOptions: smb2.FileDirectoryFile})
	if err != nil {
		return fmt.Errorf("%w: %w", errNotShown, err)
	}
	defer func() { _ = x.must(ctx, smb2.CommandClose, &smb2.CloseRequest{FileID: root.FileID}, nil) }()
	ctx, cancel := context.WithTimeout(ctx, notifyLimit)
	defer cancel()
	told := make(chan error, 1)
	const everything = 0xfff
	go func() {
		told <- x.must(ctx, smb2.CommandChangeNotify, &smb2.ChangeNotifyRequest{FileID: root.FileID, OutputBufferLength: 4096, CompletionFilter: everything}, nil)
	}()
	tick := time.NewTicker(notifyLimit / 20)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case err := <-told:
			if errors.Is(err, context.DeadlineExceeded) {
				return errors.New("it does not tell of changes")
			}
			return err
		case <-tick.C:
			r, err := x.create(context.WithoutCancel(ctx), smb2.CreateRequest{
				Name: fmt.Sprintf("%s-%d", x.name, n), DesiredAccess: smb2.Delete, CreateDisposition: smb2.FileCreate, CreateOptions: smb2.FileDeleteOnClose,
			})
			if err == nil {
				_ = x.must(context.WithoutCancel(ctx), smb2.CommandClose, &smb2.CloseRequest{FileID: r.FileID}, nil)
			}
		}
	}
}

// overtakings is how often sync looks.
const overtakings = 50

// sync sends a FLUSH and an ECHO behind it. Samba: with `strict sync` a FLUSH goes
// to a thread, and the ECHO can be answered first; without, smbd answers it at once
// and in order, having written nothing (4.17).
func (x *shareInspector) sync(ctx context.Context) error {
	data := make([]byte, 64<<10)
	for range overtakings {
		if err := x.must(ctx, smb2.CommandWrite, &smb2.WriteRequest{FileID: x.file.FileID, Data: data}, nil); err != nil {
			return fmt.Errorf("%w: %w", errNotShown, err)
		}
		order := make(chan lap, 2)
		for _, r := range []struct {
			cmd  smb2.Command
			body smb2.Body
		}{{smb2.CommandFlush, &smb2.FlushRequest{FileID: x.file.FileID}}, {smb2.CommandEcho, &smb2.EchoRequest{}}} {
			c := &Call{Frame: NewRequest(r.cmd, r.body, smallBody), Done: racer{order}}
			c.session, c.tree = x.s, x.tc
			x.s.conn.submit(c)
		}
		first, second := <-order, <-order
		if err := errors.Join(first.err, second.err); err != nil {
			return fmt.Errorf("%w: %w", errNotShown, err)
		}
		if first.command == smb2.CommandEcho {
			return nil
		}
	}
	return errors.New("FLUSH writes nothing")
}

// lap is the end of a racer's call.
type lap struct {
	command smb2.Command
	err     error
}

// racer is a Completion that tells which of several calls is over first.
type racer struct{ order chan<- lap } // with room for all

// Pending implements Completion.
func (racer) Pending(*Call) {}

// Complete implements Completion.
func (r racer) Complete(c *Call, _ *smb2.Header, _ *transport.Frame, err error) {
	r.order <- lap{c.command, err}
}
