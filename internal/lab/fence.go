package lab

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Fence is what a cluster's `fence command` does.
type Fence string

// Fences of ClusterOptions.
const (
	NoFence      Fence = ""        // there is none
	FencePower   Fence = "power"   // LoseNode: the host is switched off
	FenceStorage Fence = "storage" // the file system evicts the node, as Lustre does: what smbd still does there fails
	FenceLie     Fence = "lie"     // nothing, and says that it is done: shows what the fence is for
)

// fence does it to backend i.
func (f *fencer) fence(i int) error {
	switch f.c.opt.Fence {
	case FencePower:
		return f.c.LoseNode(i)
	case FenceStorage:
		if n := f.c.Nodes[i]; n.Alive() {
			return n.Kill()
		}
	case FenceLie, NoFence:
	}
	return nil
}

// fencer is what smbproxy's `fence command` speaks to: the command runs as smbproxy's user, who
// can end no smbd, so the lab does what a power switch would do.
type fencer struct {
	c    *Cluster
	dir  string
	pipe *os.File
	done chan struct{} // closed when serve has ended

	mu     sync.Mutex // guards fenced
	fenced []string
}

// fenceScript asks by a pipe and is answered by a file.
const fenceScript = `#!/bin/sh
dir=${0%/*}
echo "$BACKEND answer.$$" >"$dir/requests"
until [ -e "$dir/answer.$$" ]; do sleep 0.01; done
read -r status <"$dir/answer.$$"
rm -f "$dir/answer.$$"
exit "$status"
`

// makeFencer writes the command and serves it.
func (c *Cluster) makeFencer() error {
	f := &fencer{c: c, dir: filepath.Join(c.Lab.Dir, "fence-"+c.opt.Name), done: make(chan struct{})}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return err
	}
	requests := filepath.Join(f.dir, "requests")
	if err := unix.Mkfifo(requests, 0o600); err != nil {
		return err
	}
	for _, path := range []string{f.dir, requests} { // the command removes its answer
		if err := os.Chown(path, proxyUID, proxyUID); err != nil {
			return err
		}
	}
	if err := os.WriteFile(f.command(), []byte(fenceScript), 0o755); err != nil {
		return err
	}
	var err error
	// For reading and writing: the pipe does not end with the first command.
	if f.pipe, err = os.OpenFile(requests, os.O_RDWR|unix.O_NONBLOCK, 0); err != nil {
		return err
	}
	c.fence = f
	return nil
}

// start serves, as soon as all backends are there to be fenced.
func (f *fencer) start() {
	f.c.Lab.add(f)
	go f.serve()
}

func (f *fencer) command() string { return filepath.Join(f.dir, "fence") }

// serve answers commands until the pipe is closed.
func (f *fencer) serve() {
	defer close(f.done)
	lines := bufio.NewScanner(f.pipe)
	for lines.Scan() {
		name, answer, _ := strings.Cut(lines.Text(), " ")
		status := "1"
		for i := range f.c.Backends {
			if BackendName(i) != name {
				continue
			}
			if err := f.fence(i); err != nil {
				f.c.Lab.log("lab: fence %s: %v", name, err)
				continue
			}
			status = "0"
		}
		f.mu.Lock()
		f.fenced = append(f.fenced, name)
		f.mu.Unlock()
		path := filepath.Join(f.dir, answer)
		// Renamed: the command reads it as soon as it is there.
		if err := os.WriteFile(path+".new", []byte(status+"\n"), 0o644); err == nil {
			err = os.Rename(path+".new", path)
			if err != nil {
				f.c.Lab.log("lab: fence %s: %v", name, err)
			}
		}
	}
}

// Stop ends serving.
func (f *fencer) Stop() error {
	err := f.pipe.Close()
	<-f.done
	return err
}

func (f *fencer) tail() string { return fmt.Sprintf("--- fenced: %v", f.Fenced()) }

// Fenced are the backends that were fenced, in order.
func (f *fencer) Fenced() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.fenced...)
}
