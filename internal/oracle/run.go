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
	opened := rights{}
	for _, l := range steps {
		opened.note(l)
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
		if opened.mayNotRename(l) && d != x && strings.HasPrefix(d, "STATUS_SUCCESS ") {
			return nil // the two have different files from here on
		}
		if d != x && !opened.mayNotRename(l) && !asGood(l, d, x) {
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

// rights are the handles of a script that some open has not asked DELETE for, which need not have succeeded.
type rights map[string]bool

// note takes the opens among the steps of a line in.
func (r rights) note(l line) {
	const deletes = 0x10000 | 0x2000000 | 0x10000000 // DELETE, MAXIMUM_ALLOWED, GENERIC_ALL
	if l.verb == "open" && l.num("access", defaultAccess)&deletes == 0 {
		r[l.args["h"]] = true
	}
	for _, e := range l.list {
		r.note(e)
	}
}

// mayNotRename says that a step is a rename by a handle that may be without DELETE, which smbproxy refuses ([MS-FSA] 2.1.5.15.11). smbd
// does not look for that right, and renames, or finds another fault.
func (r rights) mayNotRename(l line) bool {
	return l.verb == "set" && l.args["rename"] != "" && r[l.args["h"]]
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
