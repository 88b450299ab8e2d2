package chaos

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// upload is smbclient putting one large file.
type upload struct{}

func (*upload) Name() string { return "upload" }

func (*upload) Prepare(e *Env) error {
	return makeFile(filepath.Join(e.Dir, "up"), e.Seed, int64(e.Scale.FileMiB)<<20)
}

func (*upload) Round(e *Env, n int) error {
	_, err := e.client(fmt.Sprintf("put up %s/up%d", work, n))
	return err
}

func (*upload) Check(e *Env, rounds int) error {
	want := map[string]bool{}
	for n := range rounds {
		name := fmt.Sprintf("up%d", n)
		want[name] = true
		if err := same(e.path(name), "up", e.Seed, int64(e.Scale.FileMiB)<<20); err != nil {
			return err
		}
	}
	return onlyWork(e, want)
}

// download is smbclient getting one large file.
type download struct{}

func (*download) Name() string { return "download" }

func (*download) Prepare(e *Env) error {
	return makeFile(e.path("down"), e.Seed, int64(e.Scale.FileMiB)<<20)
}

func (*download) Round(e *Env, n int) error {
	local := filepath.Join(e.Dir, fmt.Sprintf("down%d", n))
	if _, err := e.client(fmt.Sprintf("get %s/down %s", work, local)); err != nil {
		return err
	}
	err := same(local, "down", e.Seed, int64(e.Scale.FileMiB)<<20)
	return errors.Join(err, os.Remove(local))
}

func (*download) Check(e *Env, _ int) error { return onlyWork(e, map[string]bool{"down": true}) }

// tarball is smbclient's tar of a tree.
type tarball struct{}

func (*tarball) Name() string { return "tar" }

// treeFile is the name and size of file i of the tree.
func treeFile(i int) (dir, name string, size int64) {
	return fmt.Sprintf("d%d", i%7), fmt.Sprintf("f%d", i), int64(i*7919%70000) + 1
}

func (*tarball) Prepare(e *Env) error {
	for i := range e.Scale.Tree {
		dir, name, size := treeFile(i)
		if err := e.mkdir("tree", dir); err != nil {
			return err
		}
		if err := makeFile(e.path("tree", dir, name), e.Seed, size); err != nil {
			return err
		}
	}
	return nil
}

func (*tarball) Round(e *Env, n int) error {
	local := filepath.Join(e.Dir, fmt.Sprintf("tree%d.tar", n))
	if _, err := e.client(fmt.Sprintf("cd %s; tar c %s tree", work, local)); err != nil {
		return err
	}
	f, err := os.Open(local)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	want := map[string]int{}
	for i := range e.Scale.Tree {
		dir, name, _ := treeFile(i)
		want["tree/"+dir+"/"+name] = i
	}
	r := tar.NewReader(f)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeDir {
			continue
		}
		name := h.Name[max(0, strings.Index(h.Name, "tree/")):]
		i, ok := want[name]
		if !ok {
			return fmt.Errorf("the archive has %q, which is not in the tree or was there before", h.Name)
		}
		delete(want, name)
		_, base, size := treeFile(i)
		if err := sameReader(h.Name, r, base, e.Seed, size); err != nil {
			return err
		}
	}
	if len(want) > 0 {
		return fmt.Errorf("the archive lacks %d files of %d", len(want), e.Scale.Tree)
	}
	return os.Remove(local)
}

func (*tarball) Check(e *Env, _ int) error { return onlyWork(e, map[string]bool{"tree": true}) }

// listing is smbclient listing one large directory.
type listing struct{}

func (*listing) Name() string { return "listing" }

func entryName(i int) string { return fmt.Sprintf("entry-%05d.%x", i, i*2654435761%4096) }

func (*listing) Prepare(e *Env) error {
	if err := e.mkdir("big"); err != nil {
		return err
	}
	for i := range e.Scale.Entries {
		f, err := os.OpenFile(e.path("big", entryName(i)), os.O_CREATE|os.O_WRONLY, 0o666)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (*listing) Round(e *Env, _ int) error {
	out, err := e.client("ls " + work + `\big\*`)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for line := range strings.Lines(out) {
		name, _, _ := strings.Cut(strings.TrimLeft(line, " "), " ")
		if !strings.HasPrefix(name, "entry-") {
			continue
		}
		if seen[name] {
			return fmt.Errorf("%s is listed twice", name)
		}
		seen[name] = true
	}
	for i := range e.Scale.Entries {
		if !seen[entryName(i)] {
			return fmt.Errorf("%s is not listed (%d of %d are)", entryName(i), len(seen), e.Scale.Entries)
		}
	}
	if len(seen) != e.Scale.Entries {
		return fmt.Errorf("%d names listed, want %d", len(seen), e.Scale.Entries)
	}
	return nil
}

func (*listing) Check(e *Env, _ int) error { return onlyWork(e, map[string]bool{"big": true}) }

// onlyWork checks the names in the workload's directory; the pulse's are there too.
func onlyWork(e *Env, want map[string]bool) error {
	want[pulseName] = true
	return wantNames(e.path(), want)
}
