package lab_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"smbproxy/internal/lab"
)

// TestGuardCleansUp kills a process that runs a lab, as "go test" does to one that ran out of
// time, and looks for what it left.
func TestGuardCleansUp(t *testing.T) {
	if os.Getenv("SMBPROXY_LAB_VICTIM") != "" {
		l := lab.New(t, lab.Options{TreeMiB: 32})
		s := l.MustSamba(lab.SambaOptions{Name: "a", Conf: l.DirectConf("share")})
		fmt.Printf("victim %d %s\n", s.Pid(), l.Dir)
		select {}
	}
	lab.New(t, lab.Options{PlainTree: true}) // skips where the victim would
	cmd := exec.Command(os.Args[0], "-test.run=^TestGuardCleansUp$")
	cmd.Env = append(os.Environ(), "SMBPROXY_LAB_VICTIM=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	var dir string
	for sc := bufio.NewScanner(out); sc.Scan(); {
		if _, err := fmt.Sscanf(sc.Text(), "victim %d %s", &pid, &dir); err == nil {
			break
		}
	}
	if pid == 0 {
		t.Fatal("the victim did not start a lab")
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err := lab.WaitFor(20*time.Second, func() error {
		if st := state(t, pid); st != "gone" && st != "Z" {
			return fmt.Errorf("smbd %d is in state %s", pid, st)
		}
		mounts, err := os.ReadFile("/proc/mounts")
		if err != nil {
			return err
		}
		if strings.Contains(string(mounts), dir) {
			return fmt.Errorf("%s is still mounted", dir)
		}
		return nil
	}); err != nil {
		t.Fatal("clean up: ", err)
	}
}
