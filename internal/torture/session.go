package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"

	"smbproxy/internal/lab"
)

// Session is one run of many suites over several servers side by side.
type Session struct {
	Lab    *lab.Lab
	Runner *Runner
	Target Target
	Expect Expectations
	Only   []string // only these tests, of one suite; nil: all
	// Backends are behind each smbproxy. The zero value is one.
	Backends Backends
	Servers  int       // how many suites run at the same time, each on a server of its own
	Out      io.Writer // progress, a line per suite

	mu     sync.Mutex // guards what is below
	report Report
}

// Report is what a Session found.
type Report struct {
	Results   map[string]Result // by suite key
	Surprises []Surprise        // each fails the run
	Unsteady  []Surprise        // ended as expected when run alone
	LeftOut   map[string]string // suite key -> why
}

// Err is nil if nothing surprised.
func (r Report) Err() error {
	if len(r.Surprises) > 0 {
		return fmt.Errorf("%d tests did not end as expected", len(r.Surprises))
	}
	return nil
}

// Totals is a line with all outcomes of all suites.
func (r Report) Totals() string {
	all := map[string]Outcome{}
	for key, res := range r.Results {
		for test, o := range res.Outcomes {
			all[key+"\x00"+test] = o
		}
	}
	return fmt.Sprintf("%d tests in %d suites: %s", len(all), len(r.Results), counts(all))
}

// Run runs the suites and returns when all servers are done. The error is about the set-up;
// what the tests said is in the report.
func (s *Session) Run(ctx context.Context, suites []Suite) (Report, error) {
	s.report = Report{Results: map[string]Result{}, LeftOut: map[string]string{}}
	queue := make(chan Suite, len(suites)) // filled here, drained by the workers
	for _, suite := range suites {
		if why := s.Expect.LeftOut(suite.Key()); why != "" {
			s.report.LeftOut[suite.Key()] = why
			continue
		}
		queue <- suite
	}
	close(queue)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	faults := make([]error, max(1, min(s.Servers, len(queue))))
	for i := range faults {
		wg.Go(func() {
			if faults[i] = s.work(ctx, fmt.Sprintf("%s%d", s.Target, i), queue); faults[i] != nil {
				cancel()
			}
		})
	}
	wg.Wait()
	return s.report, errors.Join(faults...)
}

// work starts a server and runs suites on it until none is left.
func (s *Session) work(ctx context.Context, name string, queue <-chan Suite) error {
	site, err := NewSite(ctx, s.Lab, name, s.Target == Direct, s.Backends)
	if err != nil {
		return err
	}
	for suite := range queue {
		res, err := s.Runner.Run(ctx, site, suite, s.Only...)
		if err != nil {
			return err
		}
		confirmed, dropped, err := s.Runner.Confirm(ctx, site, res, s.Expect)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.record(res, confirmed, dropped)
	}
	return nil
}

func (s *Session) record(res Result, confirmed, dropped []Surprise) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := res.Suite.Key()
	for _, d := range dropped {
		res.Outcomes = maps.Clone(res.Outcomes)
		res.Outcomes[d.Test] = d.Want
	}
	s.report.Results[key] = res
	s.report.Surprises = append(s.report.Surprises, confirmed...)
	s.report.Unsteady = append(s.report.Unsteady, dropped...)
	verdict := "ok"
	if len(confirmed) > 0 {
		verdict = fmt.Sprintf("%d SURPRISES", len(confirmed))
	}
	_, _ = fmt.Fprintf(s.Out, "%-36s %6.1fs  %-13s %s\n", key, res.Took.Seconds(), verdict, counts(res.Outcomes))
	for _, c := range confirmed {
		_, _ = fmt.Fprintf(s.Out, "  %v\n", c)
	}
	for _, d := range dropped {
		_, _ = fmt.Fprintf(s.Out, "  %s once, as expected when run alone: %s\n", d.Got, d.Test)
	}
}
