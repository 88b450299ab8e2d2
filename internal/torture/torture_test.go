package torture

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smbproxy/internal/lab"
)

func TestReadExpectations(t *testing.T) {
	const text = "# c\n[smb2.a]\nfail smb2.a.one :: because\nskip/proxy smb2.a.two :: only there\nfail/direct smb2.a.two :: only here\n" +
		"[smb2.b]\nnotrun/proxy * :: later\n"
	for target, two := range map[Target]Outcome{Proxy: Skip, Direct: Fail} {
		x, err := Read(strings.NewReader(text), target)
		if err != nil {
			t.Fatal(err)
		}
		if got := x.Of("smb2.a", "smb2.a.one"); got != Fail {
			t.Errorf("%s: one is %s, want fail", target, got)
		}
		if got := x.Of("smb2.a", "smb2.a.two"); got != two {
			t.Errorf("%s: two is %s, want %s", target, got, two)
		}
		if got := x.Of("smb2.a", "smb2.a.three"); got != Pass {
			t.Errorf("%s: what is not listed is %s, want pass", target, got)
		}
		if got, want := x.LeftOut("smb2.b") != "", target == Proxy; got != want {
			t.Errorf("%s: smb2.b left out: %v, want %v", target, got, want)
		}
	}
}

func TestReadExpectationsReportsAllFaults(t *testing.T) {
	const text = "fail x :: outside\n[s]\nfail no-reason\nfail empty :: \nbroken a :: b\nfail/moon a :: b\nfail * :: b\nnotrun a :: b\nfail twice :: b\nskip twice :: b\n"
	_, err := Read(strings.NewReader(text), Proxy)
	if err == nil {
		t.Fatal("no fault found")
	}
	for _, line := range []int{1, 3, 4, 5, 6, 7, 8, 10} {
		if want := fmt.Sprintf("line %d:", line); !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "line 9:") {
		t.Errorf("line 9 is good:\n%v", err)
	}
}

// TestExpectationsFile reads the real file for both targets and looks for suites that nobody runs.
func TestExpectationsFile(t *testing.T) {
	keys := map[string]bool{}
	for _, s := range Suites() {
		keys[s.Key()] = true
	}
	for _, target := range []Target{Direct, Proxy} {
		f, err := os.Open("../../testdata/torture/expectations.txt")
		if err != nil {
			t.Fatal(err)
		}
		x, err := Read(f, target)
		_ = f.Close()
		if err != nil {
			t.Fatal(err)
		}
		for key := range x {
			if !keys[key] {
				t.Errorf("[%s] is not a suite that is run", key)
			}
		}
	}
}

func TestParser(t *testing.T) {
	p := newParser([]string{"smb2.lock.lock", "smb2.lock.range", "smb2.x.same"})
	for line := range strings.Lines("time: 2024\nprogress: 3\ntest: smb2.lock.lock\nsuccess: smb2.lock.lock\n" +
		"test: smb2.lock.range\nfailure: smb2.lock.range [\nwhy: it is wrong\nsuccess: not.a.result\n]\n" +
		"test: smb2.x.same.same\nskip: smb2.x.same.same [\nno such thing\n]\ntest: smb2.lock.last\n") {
		p.line(line)
	}
	want := map[string]Outcome{"smb2.lock.lock": Pass, "smb2.lock.range": Fail, "smb2.x.same": Skip}
	if len(p.outcomes) != len(want) {
		t.Errorf("outcomes %v, want %v", p.outcomes, want)
	}
	for test, o := range want {
		if p.outcomes[test] != o {
			t.Errorf("%s: %q, want %q", test, p.outcomes[test], o)
		}
	}
	if p.current != "smb2.lock.last" {
		t.Errorf("current test is %q, want smb2.lock.last", p.current)
	}
	if got := p.messages["smb2.lock.range"]; !strings.HasPrefix(got, "why: it is wrong\n") {
		t.Errorf("message %q", got)
	}
}

// fake is an smbtorture with four tests: good, bad, one that hangs, one that kills smbtorture;
// and one that is bad the first time only.
const fake = `#!/bin/sh
for a; do last=$a; case $a in --list) printf 'smb2.f.good\nsmb2.f.bad\nsmb2.f.hangs\nsmb2.f.crashes\nsmb2.f.unsteady\n'; exit ;; esac; done
say() { echo "test: smb2.f.$1"; }
one() {
	say $1
	case $1 in
	good) echo "success: smb2.f.good" ;;
	bad) printf 'failure: smb2.f.bad [\nit is bad\n]\n' ;;
	hangs) exec sleep 600 ;;
	crashes) kill -s KILL $$ ;;
	unsteady) if [ -e STATE ]; then echo "success: smb2.f.unsteady"; else : > STATE; echo "failure: smb2.f.unsteady"; fi ;;
	esac
}
seen=
for a; do case $a in smb2.f) for t in good bad hangs crashes unsteady; do one $t; done ;; smb2.f.*) one ${a#smb2.f.} ;; esac; done
`

// TestRunnerWithFake runs a suite whose tests hang, die and waver.
func TestRunnerWithFake(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "smbtorture")
	if err := os.WriteFile(program, []byte(strings.ReplaceAll(fake, "STATE", filepath.Join(dir, "state"))), 0o755); err != nil {
		t.Fatal(err)
	}
	r, err := NewRunner(t.Context(), program, filepath.Join(dir, "logs"))
	if err != nil {
		t.Fatal(err)
	}
	r.TestLimit = time.Second
	site := &Site{Addr: "127.0.0.1:1", Root: dir, name: "site", tree: lab.Tree{Dir: dir}}
	suite := Suite{Name: "smb2.f"}
	res, err := r.Run(t.Context(), site, suite)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Outcome{"smb2.f.good": Pass, "smb2.f.bad": Fail, "smb2.f.hangs": Timeout, "smb2.f.crashes": Crash, "smb2.f.unsteady": Fail}
	for test, o := range want {
		if res.Outcomes[test] != o {
			t.Errorf("%s: %q, want %q", test, res.Outcomes[test], o)
		}
	}
	if got := res.Messages["smb2.f.bad"]; got != "it is bad\n" {
		t.Errorf("message %q", got)
	}
	// good passes but is expected to fail: a surprise. bad is known. unsteady passes when alone.
	x, err := Read(strings.NewReader("[smb2.f]\nfail smb2.f.good :: r\nfail smb2.f.bad :: r\ntimeout smb2.f.hangs :: r\nunstable smb2.f.crashes :: r\nfail smb2.f.gone :: r\n"), Proxy)
	if err != nil {
		t.Fatal(err)
	}
	confirmed, dropped, err := r.Confirm(t.Context(), site, res, x)
	if err != nil {
		t.Fatal(err)
	}
	if len(confirmed) != 2 || confirmed[0].Test != "smb2.f.gone" || confirmed[1].Test != "smb2.f.good" || confirmed[1].Got != Pass {
		t.Errorf("surprises %v, want the line of a test that is gone, and the unexpected pass of good", confirmed)
	}
	if len(dropped) != 1 || dropped[0].Test != "smb2.f.unsteady" {
		t.Errorf("dropped %v, want unsteady", dropped)
	}
}

// TestShortThroughProxy is the part of make torture that fits into make test.
func TestShortThroughProxy(t *testing.T) {
	program, err := exec.LookPath("smbtorture")
	if err != nil {
		if os.Getenv("SMBPROXY_LAB") == "required" {
			t.Fatal("smbtorture is missing: scripts/install-deps torture")
		}
		t.Skip("smbtorture is missing: scripts/install-deps torture")
	}
	l := lab.New(t, lab.Options{Users: Users()})
	f, err := os.Open("../../testdata/torture/expectations.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	expect, err := Read(f, Proxy)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewRunner(t.Context(), program, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var suites []Suite
	for _, s := range Suites() {
		if s.Short {
			suites = append(suites, s)
		}
	}
	s := Session{Lab: l, Runner: r, Target: Proxy, Expect: expect, Servers: 2, Out: writerTo{t}}
	report, err := s.Run(context.Background(), suites)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(report.Totals())
	if err := report.Err(); err != nil {
		t.Error(err)
	}
}

// writerTo writes progress into the test's log.
type writerTo struct{ t *testing.T }

func (w writerTo) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}
