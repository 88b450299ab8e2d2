package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"smbproxy/statedb"
	"smbproxy/statedb/store"
)

// stateDatabase is the directory of the store of what must outlive the process, in the state directory.
func stateDatabase(stateDirectory string) string { return filepath.Join(stateDirectory, "statedb") }

// dump writes a backup of the running store (adminSource).
func (n *node) dump(ctx context.Context, w io.Writer) error { return store.Dump(ctx, n.store, w) }

// stateFlags say which state database a command is about.
type stateFlags struct {
	adminFlags
	from string // a backup instead
}

// stateSource is a state database as a command reads it.
type stateSource struct {
	store.Source
	where  string          // for people
	faults []statedb.Fault // items that the store itself could not read
	close  func() error
}

// open finds the state database: a backup, the store of a stopped smbproxy, or that of the running one,
// which then answers by its admin socket.
func (f *stateFlags) open(ctx context.Context, configFile string) (*stateSource, error) {
	if f.from != "" {
		b, err := readBackup(f.from)
		return &stateSource{Source: b, where: "backup " + f.from, close: func() error { return nil }}, err
	}
	dir := stateDatabase(looseGlobal(configFile).StateDirectory)
	if _, err := os.Stat(filepath.Join(dir, "MANIFEST")); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no state database in %s: smbproxy has not run yet with this configuration", dir)
	} else if err != nil {
		return nil, err
	}
	if err := ours(dir); err != nil {
		return nil, err
	}
	s := &stateSource{where: dir}
	b, err := store.OpenBadger(store.Config{Dir: dir, Faulty: func(key string, err error) {
		s.faults = append(s.faults, statedb.Fault{Key: key, Reason: err.Error()})
	}})
	if errors.Is(err, store.ErrInUse) {
		return f.ask(ctx, configFile)
	}
	if err != nil {
		return nil, err
	}
	s.Source, s.close = b, b.Close
	return s, nil
}

// ask has the running smbproxy make a backup.
func (f *stateFlags) ask(ctx context.Context, configFile string) (*stateSource, error) {
	socket := adminSocketPath(f.socket, configFile)
	body, err := askAdmin(ctx, socket, http.MethodGet, "/statedb")
	if err != nil {
		return nil, fmt.Errorf("another process has the state database open: %w", err)
	}
	b, err := store.ReadBackup(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return &stateSource{Source: b, where: "the smbproxy running at " + socket, close: func() error { return nil }}, nil
}

// readBackup reads a backup from a file.
func readBackup(path string) (*store.Backup, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := store.ReadBackup(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// ours refuses to work in a directory of another user's: opening a store makes files in it, which that
// user could not read then.
func ours(dir string) error {
	st, err := os.Stat(dir)
	if err != nil {
		return err
	}
	owner := int(st.Sys().(*syscall.Stat_t).Uid)
	if owner == os.Geteuid() {
		return nil
	}
	name := strconv.Itoa(owner)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	return fmt.Errorf("%s belongs to user %s: run this as that user, \"runuser -u %s -- smbproxy statedb ...\"", dir, name, name)
}

// restoreState makes the store of a stopped smbproxy from a backup, all of it or nothing: it is made
// beside its place and moved there. keep says which keys are wanted.
func restoreState(ctx context.Context, stateDirectory string, from store.Source, keep func(key string) bool) error {
	dir := stateDatabase(stateDirectory)
	if err := ours(stateDirectory); err != nil {
		return err
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s exists and is never written over: with smbproxy stopped, move it away first", dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	temp := dir + ".restoring." + strconv.Itoa(os.Getpid())
	err := fillState(ctx, temp, from, keep)
	if err == nil {
		if err = os.Remove(dir); err == nil || errors.Is(err, fs.ErrNotExist) {
			err = os.Rename(temp, dir) // fails if somebody has made one meanwhile
		}
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(temp))
	}
	return syncDirectory(stateDirectory)
}

// fillState makes a new store.
func fillState(ctx context.Context, dir string, from store.Source, keep func(key string) bool) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	b, err := store.OpenBadger(store.Config{Dir: dir})
	if err != nil {
		return err
	}
	return errors.Join(store.Load(ctx, b, from, keep), b.Close())
}
