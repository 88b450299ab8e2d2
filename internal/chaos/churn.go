package chaos

import (
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"
)

// churn is several smbclients, each making, renaming and deleting in a directory of its own.
type churn struct{}

// churners is how many.
const churners = 8

func (*churn) Name() string { return "churn" }

// churnSize is what each file has.
const churnSize = 3000

func (*churn) Prepare(e *Env) error {
	for k := range churners {
		if err := e.mkdir(fmt.Sprintf("c%d", k)); err != nil {
			return err
		}
	}
	return makeFile(filepath.Join(e.Dir, "small"), e.Seed, churnSize)
}

// Round: of every three files one keeps its new name, one replaces what the round before left,
// and one is deleted.
func (*churn) Round(e *Env, n int) error {
	var g errgroup.Group
	for k := range churners {
		g.Go(func() error {
			var b strings.Builder
			dir := fmt.Sprintf("%s/c%d", work, k)
			for i := range e.Scale.Moves {
				made, moved := fmt.Sprintf("%s/new%d-%d", dir, n, i), fmt.Sprintf("%s/old%d-%d", dir, n, i)
				fmt.Fprintf(&b, "put small %s; rename %s %s; ", made, made, moved)
				switch i % 3 {
				case 1:
					fmt.Fprintf(&b, "rename %s %s/over%d -f; ", moved, dir, i)
				case 2:
					fmt.Fprintf(&b, "del %s; ", moved)
				}
			}
			_, err := e.client(b.String())
			return err
		})
	}
	return g.Wait()
}

func (*churn) Check(e *Env, rounds int) error {
	top := map[string]bool{}
	for k := range churners {
		dir := fmt.Sprintf("c%d", k)
		top[dir] = true
		want := map[string]bool{}
		for n := range rounds {
			for i := range e.Scale.Moves {
				switch i % 3 {
				case 0:
					want[fmt.Sprintf("old%d-%d", n, i)] = true
				case 1:
					want[fmt.Sprintf("over%d", i)] = true
				}
			}
		}
		if err := wantNames(e.path(dir), want); err != nil {
			return err
		}
		for name := range want {
			if err := same(e.path(dir, name), "small", e.Seed, churnSize); err != nil {
				return err
			}
		}
	}
	return onlyWork(e, top)
}
