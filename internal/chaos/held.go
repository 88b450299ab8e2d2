package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// held is one client that holds locks and leases, and another that finds them held.
type held struct {
	holder, other *rawsmb.Tree
	mine, theirs  smb2.FileID // the locked file, open at both
	lease         smb2.FileID // of the round to come, open at the holder
	wrote         strings.Builder
}

func (*held) Name() string { return "held" }

// Places in the locked file: what is written round by round begins behind the locks.
const (
	exclusiveAt = 100
	sharedAt    = 200
	writtenAt   = 1000
)

func (h *held) Prepare(e *Env) error {
	var err error
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if h.holder, err = e.connect(ctx, 1); err != nil {
		return err
	}
	if h.other, err = e.connect(ctx, 2); err != nil {
		return err
	}
	for _, who := range []struct {
		t  *rawsmb.Tree
		id *smb2.FileID
	}{{h.holder, &h.mine}, {h.other, &h.theirs}} {
		r, err := open(who.t, "locked", 0)
		if err != nil {
			return err
		}
		*who.id = r.FileID
	}
	if err := lock(h.holder, h.mine, smb2.LockFlagExclusiveLock|smb2.LockFlagFailImmediately, exclusiveAt); err != nil {
		return err
	}
	if err := lock(h.holder, h.mine, smb2.LockFlagSharedLock|smb2.LockFlagFailImmediately, sharedAt); err != nil {
		return err
	}
	return h.takeLease(0)
}

// takeLease opens the file whose lease the next round breaks.
func (h *held) takeLease(n int) error {
	r, err := open(h.holder, leaseName(n), byte(n%200+1))
	if err != nil {
		return err
	}
	if r.OplockLevel != smb2.OplockLevelLease {
		return fmt.Errorf("no lease granted on %s: %v", leaseName(n), r.OplockLevel)
	}
	h.lease = r.FileID
	return nil
}

func leaseName(n int) string { return fmt.Sprintf("lease%d", n) }

// tries is how often a round looks at the locks.
const tries = 60

func (h *held) Round(e *Env, n int) error {
	for i := range tries {
		if err := h.look(); err != nil {
			return fmt.Errorf("try %d: %w", i, err)
		}
		line := fmt.Sprintf("round %d try %d\n", n, i)
		if err := write(h.holder, h.mine, uint64(writtenAt+h.wrote.Len()), []byte(line)); err != nil {
			return err
		}
		h.wrote.WriteString(line)
	}
	if err := h.breakLease(n); err != nil {
		return fmt.Errorf("lease: %w", err)
	}
	return h.takeLease(n + 1)
}

// look finds the holder's locks in place: for locks and for data.
func (h *held) look() error {
	want := func(what string, err error, st ntstatus.Status) error {
		switch {
		case errors.Is(err, st):
			return nil
		case err == nil:
			return fmt.Errorf("%s succeeded, want %s", what, st.Error())
		}
		return fmt.Errorf("%s: %w, want %s", what, err, st.Error())
	}
	now := smb2.LockFlagFailImmediately
	if err := errors.Join(
		want("a lock on a locked range", lock(h.other, h.theirs, smb2.LockFlagExclusiveLock|now, exclusiveAt), ntstatus.LockNotGranted),
		want("a write into a locked range", write(h.other, h.theirs, exclusiveAt, []byte("x")), ntstatus.FileLockConflict),
		want("a write into a range locked for reading", write(h.other, h.theirs, sharedAt, []byte("x")), ntstatus.FileLockConflict),
	); err != nil {
		return err
	}
	if err := lock(h.other, h.theirs, smb2.LockFlagSharedLock|now, sharedAt); err != nil {
		return fmt.Errorf("a second shared lock: %w", err)
	}
	return lock(h.other, h.theirs, smb2.LockFlagUnlock, sharedAt)
}

// breakLease has the other client open the file: the holder is told, and the open waits for its
// acknowledgement.
func (h *held) breakLease(n int) error {
	data := []byte(leaseName(n))
	if err := write(h.holder, h.lease, 0, data); err != nil {
		return err
	}
	opened := make(chan error, 1)
	go func() {
		r, err := open(h.other, leaseName(n), 0)
		if err == nil {
			var got []byte
			if got, err = read(h.other, r.FileID, 0, 100); err == nil && string(got) != string(data) {
				err = fmt.Errorf("the other client reads %q, want %q", got, data)
			}
			err = errors.Join(err, h.other.CloseFile(r.FileID))
		}
		opened <- err
	}()
	select {
	case m := <-h.holder.Conn.Events:
		var b smb2.LeaseBreakNotification
		if err := b.Decode(m.Bytes); err != nil {
			return err
		}
		if b.LeaseKey != (smb2.LeaseKey{byte(n%200 + 1)}) {
			return fmt.Errorf("a break of lease %v, want that of round %d", b.LeaseKey, n)
		}
		if _, err := h.holder.Do(smb2.CommandOplockBreak, &smb2.LeaseBreakRequest{LeaseKey: b.LeaseKey, LeaseState: b.NewLeaseState}); err != nil {
			return fmt.Errorf("acknowledge: %w", err)
		}
	case err := <-opened:
		return errors.Join(errors.New("the file was opened without a break"), err)
	case <-time.After(patience):
		return errors.New("no break")
	}
	if err := <-opened; err != nil {
		return err
	}
	return h.holder.CloseFile(h.lease)
}

func (h *held) Check(e *Env, rounds int) error {
	err := errors.Join(h.holder.CloseFile(h.mine), h.other.CloseFile(h.theirs), h.holder.CloseFile(h.lease))
	h.holder.Conn.Close()
	h.other.Conn.Close()
	if err != nil {
		return err
	}
	want := map[string]bool{"locked": true}
	for n := range rounds + 1 {
		want[leaseName(n)] = true
	}
	got, err := os.ReadFile(e.path("locked"))
	if err != nil {
		return err
	}
	if text := string(got[min(len(got), writtenAt):]); text != h.wrote.String() {
		return fmt.Errorf("the locked file has %d bytes that differ from the %d written", len(text), h.wrote.Len())
	}
	if strings.Trim(string(got[:writtenAt]), "\x00") != "" {
		return errors.New("something was written into a locked range")
	}
	return onlyWork(e, want)
}
