package demux

import (
	"fmt"
	"testing"
	"time"

	"smbproxy/internal/lab"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// TestNameIsFreeAfterDelete has one client delete a file by its last CLOSE while another, on another lane or the same, creates
// it: the creation is before the deletion, and refused, or after it, and then it makes a file that stays. When CLOSE is
// answered and nobody else looks at the file the name is free.
func TestNameIsFreeAfterDelete(t *testing.T) {
	r := newRig(t, rigOptions{lanes: 3})
	a, b := r.connect(t, "user1", "share"), r.connect(t, "user1", "share")
	create := &smb2.CreateRequest{
		ImpersonationLevel: smb2.ImpersonationImpersonation, DesiredAccess: smb2.FileReadData | smb2.Delete, ShareAccess: shareAll,
		CreateDisposition: smb2.FileCreate, Name: "f",
	}
	for round := range 60 {
		own := *create
		if round%2 == 0 {
			own.CreateOptions = smb2.FileDeleteOnClose
		}
		m, st := a.openAs(func(q *smb2.CreateRequest) { *q = own })
		if st != ntstatus.Success {
			t.Fatalf("round %d: %v", round, st)
		}
		if round%2 != 0 {
			if st := a.setInfo(m.FileID, smb2.FileDispositionInformation, []byte{1}); st != ntstatus.Success {
				t.Fatal(st)
			}
		}
		closing := a.start(smb2.CommandClose, &smb2.CloseRequest{FileID: m.FileID})
		opening := b.start(smb2.CommandCreate, create)
		if st := a.wait(closing).Header.Status; st != ntstatus.Success {
			t.Fatal(st)
		}
		reply := b.wait(opening)
		if reply.Header.Status == ntstatus.Pending { // the name is being unlinked
			reply = b.wait(opening)
		}
		made, st := createReply(t, reply)
		switch st {
		case ntstatus.Success:
		case ntstatus.ObjectNameCollision, ntstatus.DeletePending:
			// The look of the CREATE that was refused may be the last handle that smbd knows, and its CLOSE still on the way.
			if err := lab.WaitFor(10*time.Second, func() error {
				if made, st = b.openAs(func(q *smb2.CreateRequest) { *q = *create }); st != ntstatus.Success {
					return fmt.Errorf("round %d, after the deletion: %w", round, st)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatalf("round %d: %v", round, st)
		}
		// It is there, and its deletion is this one's.
		if st := b.setInfo(made.FileID, smb2.FileDispositionInformation, []byte{1}); st != ntstatus.Success {
			t.Fatalf("round %d, what was made is gone: %v", round, st)
		}
		b.close(made.FileID)
	}
}
