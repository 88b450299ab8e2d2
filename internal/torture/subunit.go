package torture

import (
	"regexp"
	"strings"
)

// Outcome is how one test ended.
type Outcome string

// The outcomes. Pass includes what smbtorture itself expected to fail.
const (
	Pass    Outcome = "pass"
	Fail    Outcome = "fail"
	Error   Outcome = "error"   // set-up failed, could not connect
	Skip    Outcome = "skip"    // the test says that it does not apply
	Timeout Outcome = "timeout" // did not end; killed
	Crash   Outcome = "crash"   // smbtorture itself died in it
	Absent  Outcome = "absent"  // listed by smbtorture but never reported
)

// words of smbtorture's subunit output.
var outcomeWords = map[string]Outcome{
	"success": Pass, "successful": Pass, "xfail": Pass, "knownfail": Pass, "uxsuccess": Fail,
	"failure": Fail, "error": Error, "skip": Skip,
}

var (
	resultLine   = regexp.MustCompile(`^([a-z]+): (.*?)( \[)?$`)
	repeatedName = regexp.MustCompile(`^(.*)\.([^.]+)\.([^.]+)$`)
)

// canonical makes "smb2.lock.lock" "smb2.lock": smbtorture names some tests after their own
// test case, in --list and not in results or the other way round.
func canonical(name string) string {
	name = strings.TrimSpace(name)
	if m := repeatedName.FindStringSubmatch(name); m != nil && m[2] == m[3] {
		return m[1] + "." + m[2]
	}
	return name
}

// parser reads what smbtorture prints, line by line.
type parser struct {
	known    map[string]bool // canonical names of the suite's tests
	outcomes map[string]Outcome
	messages map[string]string // first lines of what a test said
	current  string            // the test that is running, "" between tests
	inside   string            // the test whose message is being read
}

// maxMessage is how much of a test's message is kept.
const maxMessage = 400

func newParser(tests []string) *parser {
	p := &parser{known: map[string]bool{}, outcomes: map[string]Outcome{}, messages: map[string]string{}}
	for _, t := range tests {
		p.known[t] = true
	}
	return p
}

// name is a printed name as --list has it.
func (p *parser) name(printed string) string {
	printed = strings.TrimSpace(printed)
	if p.known[printed] || !p.known[canonical(printed)] {
		return printed
	}
	return canonical(printed)
}

// line takes one line; it reports whether a test started or ended with it.
func (p *parser) line(l string) bool {
	l = strings.TrimRight(l, "\r\n")
	if p.inside != "" {
		if l == "]" {
			p.inside = ""
		} else if len(p.messages[p.inside]) < maxMessage {
			p.messages[p.inside] += l + "\n"
		}
		return false
	}
	if name, ok := strings.CutPrefix(l, "test: "); ok {
		p.current = p.name(name)
		return true
	}
	m := resultLine.FindStringSubmatch(l)
	if m == nil {
		return false
	}
	outcome, ok := outcomeWords[m[1]]
	if !ok {
		return false
	}
	name := p.name(m[2])
	p.outcomes[name] = outcome
	p.current = ""
	if m[3] != "" {
		p.messages[name] = ""
		p.inside = name
	}
	return true
}
