package e2e

import (
	"strings"
	"testing"
	"time"

	"smbproxy/internal/lab"
	"smbproxy/internal/ntstatus"
	"smbproxy/internal/rawsmb"
)

// TestGuesser: who guesses passwords is refused every time, and fills no log.
func TestGuesser(t *testing.T) {
	c := cluster(t, lab.ClusterOptions{})
	user := c.Lab.User("user1")
	begin := time.Now()
	const guesses = 60
	for range guesses {
		conn, err := rawsmb.Dial(t.Context(), c.Proxy.Addr(), rawsmb.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Login(t.Context(), user.Name, "a guess"); ntstatus.From(err) != ntstatus.LogonFailure {
			t.Errorf("got %v", err)
		}
		conn.Close()
	}
	most := 10 + 1 + int(time.Since(begin)/(10*time.Second)) // a burst, then one in ten seconds
	if lines := strings.Count(c.Proxy.Log(), "authentication refused"); lines < 10 || lines > most {
		t.Errorf("%d lines of %d guesses", lines, guesses)
	}
	if _, err := goClient(t, c.Proxy.Addr(), user, 0); err != nil {
		t.Errorf("the right password afterwards: %v", err)
	}
}
