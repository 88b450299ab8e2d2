package torture

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Target is whom smbtorture talks to. What a stock smbd fails, smbproxy may pass, and the
// other way round.
type Target string

// The two targets.
const (
	Direct Target = "direct" // a stock smbd
	Proxy  Target = "proxy"  // smbproxy before one
)

// NotRunYet is the expectation of a whole suite: it is left out, for the reason given.
const NotRunYet Outcome = "notrun"

// Unstable is an expectation that every outcome meets.
const Unstable Outcome = "unstable"

// Expectation is one line of the file.
type Expectation struct {
	Outcome Outcome
	Reason  string
	Line    int
}

// Expectations are all that does not simply pass, for one target: suite key -> test -> what is
// expected. The test "*" is the whole suite.
type Expectations map[string]map[string]Expectation

// Read reads an expectations file and keeps what concerns the target. Its syntax:
//
//	# a comment
//	[smb2.session@tmpenc]
//	fail smb2.session.reconnect1 :: why Samba fails it
//	fail/proxy smb2.session.bind1 :: only through smbproxy
//	notrun/proxy * :: why the whole suite is left out
//
// A line without a reason is a fault, and so is a test that stands there twice. All faults are
// reported at once.
func Read(r io.Reader, target Target) (Expectations, error) {
	out := Expectations{}
	var faults []error
	suite, n := "", 0
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("line %d: "+format, append([]any{n}, args...)...))
	}
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		n++
		line := strings.TrimSpace(sc.Text())
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
			continue
		case strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]"):
			suite = line[1 : len(line)-1]
			continue
		case suite == "":
			fault("stands before the first [suite]")
			continue
		}
		test, e, on, err := parseExpectation(line)
		if err != nil {
			fault("%w", err)
			continue
		}
		e.Line = n
		if on != "" && on != target {
			continue
		}
		if out[suite] == nil {
			out[suite] = map[string]Expectation{}
		}
		if old, ok := out[suite][test]; ok {
			fault("%s stands on line %d already", test, old.Line)
		}
		out[suite][test] = e
	}
	return out, errors.Join(append(faults, sc.Err())...)
}

// expected are the words that may stand in a file.
var expected = []Outcome{Fail, Error, Skip, Crash, Timeout, Absent, Unstable, NotRunYet}

// parseExpectation reads one line behind its [suite].
func parseExpectation(line string) (test string, e Expectation, on Target, err error) {
	what, reason, ok := strings.Cut(line, " :: ")
	if e.Reason = strings.TrimSpace(reason); !ok || e.Reason == "" {
		return "", e, "", errors.New("has no \" :: reason\"")
	}
	word, test, _ := strings.Cut(strings.TrimSpace(what), " ")
	test = strings.TrimSpace(test)
	word, target, narrow := strings.Cut(word, "/")
	e.Outcome, on = Outcome(word), Target(target)
	switch {
	case test == "":
		err = errors.New("names no test")
	case !slices.Contains(expected, e.Outcome):
		err = fmt.Errorf("%q is not one of %v", word, expected)
	case narrow && on != Direct && on != Proxy:
		err = fmt.Errorf("%q is not %s or %s", target, Direct, Proxy)
	case (test == "*") != (e.Outcome == NotRunYet):
		err = fmt.Errorf("%s is said of \"*\", a whole suite, and of nothing else", NotRunYet)
	}
	return test, e, on, err
}

// Of is what is expected of a test.
func (x Expectations) Of(suite, test string) Outcome {
	if e, ok := x[suite][test]; ok {
		return e.Outcome
	}
	return Pass
}

// LeftOut is why a suite is not run, "" if it is.
func (x Expectations) LeftOut(suite string) string { return x[suite]["*"].Reason }
