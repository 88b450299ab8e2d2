package oracle

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"smbproxy/internal/rawsmb"
)

// Pair is the two servers that are asked the same: how to reach them and as whom.
type Pair struct {
	Direct, Proxy string // host:port
	Share         string
	Accounts      []Account
	Options       rawsmb.Options
	// Empty empties the share on both servers.
	Empty func() error
}

// Difference is a step that the two servers answered differently.
type Difference struct {
	Line          string
	Direct, Proxy string
}

// Error shows both answers.
func (d *Difference) Error() string {
	return fmt.Sprintf("%s\n  direct: %s\n  proxy:  %s", d.Line, d.Direct, d.Proxy)
}

// Run executes the script on both servers, step by step, and returns the first *Difference, or nil.
func (p *Pair) Run(ctx context.Context, script string) error {
	steps, err := parse(script)
	if err != nil {
		return err
	}
	if err := p.Empty(); err != nil {
		return err
	}
	direct, err := connect(ctx, p.Direct, p.Share, p.Options, p.Accounts)
	if err != nil {
		return fmt.Errorf("direct: %w", err)
	}
	defer direct.close()
	proxy, err := connect(ctx, p.Proxy, p.Share, p.Options, p.Accounts)
	if err != nil {
		return fmt.Errorf("proxy: %w", err)
	}
	defer proxy.close()
	for _, l := range steps {
		d, derr := direct.run(l)
		x, xerr := proxy.run(l)
		if errors.Is(derr, rawsmb.ErrClosed) && xerr == nil {
			return nil // smbd crashed, as on COPYCHUNK with a key of its own invention: nothing to compare with
		}
		if derr != nil {
			d += " " + derr.Error()
		}
		if xerr != nil {
			x += " " + xerr.Error()
		}
		d, x = p.anonymous(d), p.anonymous(x)
		if renamesFreely(l, d, x) {
			return nil
		}
		if d != x && !asGood(l, d, x) {
			return &Difference{Line: l.text, Direct: d, Proxy: x}
		}
		if derr != nil {
			return nil // both connections ended: the script is over for both
		}
	}
	return nil
}

// anonymous takes the servers' addresses out of an observation.
func (p *Pair) anonymous(s string) string {
	return strings.NewReplacer(p.Direct, "SERVER", p.Proxy, "SERVER").Replace(s)
}

// renamesFreely says that smbd has renamed what was opened without DELETE, which [MS-FSA] 2.1.5.15.11 forbids and smbproxy
// refuses. The two have different files then.
func renamesFreely(l line, direct, proxy string) bool {
	return l.verb == "set" && l.args["rename"] != "" && strings.HasPrefix(direct, "STATUS_SUCCESS ") &&
		(strings.HasPrefix(proxy, "STATUS_ACCESS_DENIED ") || strings.HasPrefix(proxy, "STATUS_SHARING_VIOLATION "))
}

// asGood are the differences that are right: both refuse a CREATE, for different reasons.
//
// smbd has everything in one place, and looks whether open streams share deletion before it looks at anything else.
// smbproxy asks the backend first and the state of open files second (DESIGN 7), so that nobody's caching is broken for an
// open that cannot succeed; the backend's refusal then is the answer.
func asGood(l line, direct, proxy string) bool {
	return l.verb == "open" && strings.HasPrefix(direct, "STATUS_SHARING_VIOLATION ") &&
		!strings.HasPrefix(proxy, "STATUS_SUCCESS ") && !strings.HasPrefix(proxy, "PENDING")
}
