package torture

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Surprise is a test that did not end as expected, also when it was run alone twice.
type Surprise struct {
	Suite   string
	Test    string
	Got     Outcome
	Want    Outcome
	Message string
}

func (s Surprise) String() string {
	what := "UNEXPECTED " + strings.ToUpper(string(s.Got))
	text := fmt.Sprintf("%-18s %s :: %s (expected: %s)", what, s.Suite, s.Test, s.Want)
	if s.Message != "" {
		text += "\n    " + strings.ReplaceAll(strings.TrimSpace(s.Message), "\n", "\n    ")
	}
	return text
}

// surprises compares a result with what is expected of it, sorted by test.
func surprises(res Result, x Expectations) []Surprise {
	var out []Surprise
	key := res.Suite.Key()
	for test, got := range res.Outcomes {
		want := x.Of(key, test)
		if got != want && want != Unstable {
			out = append(out, Surprise{key, test, got, want, res.Messages[test]})
		}
	}
	for test := range x[key] {
		if _, ran := res.Outcomes[test]; !ran && !res.Partial && test != "*" {
			out = append(out, Surprise{key, test, Absent, x.Of(key, test), "smbtorture has no such test: remove the line"})
		}
	}
	slices.SortFunc(out, func(a, b Surprise) int { return strings.Compare(a.Test, b.Test) })
	return out
}

// confirmations is how often a surprising test is run again, alone. Timing on a busy machine
// makes single tests fail; a regression fails every time.
const confirmations = 2

// Confirm runs each surprising test alone and drops those that then end as expected every
// time. The dropped are returned too, for the report.
func (r *Runner) Confirm(ctx context.Context, site *Site, res Result, x Expectations) (confirmed, dropped []Surprise, err error) {
	for _, s := range surprises(res, x) {
		if _, ran := res.Outcomes[s.Test]; !ran {
			confirmed = append(confirmed, s)
			continue
		}
		asExpected := 0
		for range confirmations {
			alone, err := r.Run(ctx, site, res.Suite, s.Test)
			if err != nil {
				return nil, nil, err
			}
			if alone.Outcomes[s.Test] == s.Want {
				asExpected++
			}
		}
		if asExpected == confirmations {
			dropped = append(dropped, s)
		} else {
			confirmed = append(confirmed, s)
		}
	}
	return confirmed, dropped, nil
}

// counts is "41 pass, 2 fail, 1 skip".
func counts(outcomes map[string]Outcome) string {
	n := map[Outcome]int{}
	for _, o := range outcomes {
		n[o]++
	}
	var parts []string
	for _, o := range []Outcome{Pass, Fail, Error, Skip, Timeout, Crash, Absent} {
		if n[o] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[o], o))
		}
	}
	return strings.Join(parts, ", ")
}
