package demux

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// TestMemberCancelled: NSS that hangs holds up nobody who has given up, and costs only so many threads.
func TestMemberCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang, asked := make(chan struct{}), make(chan string, 2*maxLookups)
		l := newSystemLookup()
		l.member = func(name, _ string) (bool, error) {
			asked <- name
			<-hang
			return true, nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 2*maxLookups)
		for range 2 * maxLookups {
			go func() {
				_, err := l.Member(ctx, "user", "group")
				ended <- err
			}()
		}
		synctest.Wait()
		if len(asked) != maxLookups || len(ended) != 0 {
			t.Errorf("%d asked at once, %d ended", len(asked), len(ended))
		}
		cancel()
		synctest.Wait()
		if len(ended) != 2*maxLookups {
			t.Fatalf("%d of %d ended", len(ended), 2*maxLookups)
		}
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		close(hang)
		if ok, err := l.Member(t.Context(), "user", "group"); !ok || err != nil {
			t.Errorf("afterwards: %v, %v", ok, err)
		}
	})
}
