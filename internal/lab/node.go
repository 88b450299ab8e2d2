package lab

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"smbproxy/internal/clusterfs"
)

// nodes is the cluster file system of a cluster with ClusterOptions.Nodes.
type nodes struct {
	*clusterfs.Cluster
	watch *clusterfs.Node // no smbd uses it: tests look through it, smbproxy reads layouts through it
	lab   *Lab
	dirs  []string // all mount points
}

// makeNodes mounts the file system count times, and once more to look at it.
func (l *Lab) makeNodes(name string, count int, opt clusterfs.Options) (*nodes, error) {
	if err := clusterfs.Check(); err != nil {
		return nil, err
	}
	// Only root reaches the tree itself.
	hidden := filepath.Join(l.Tree.Dir, "clusterfs-"+name)
	tree := filepath.Join(hidden, "tree")
	if err := os.MkdirAll(tree, 0o755); err != nil {
		return nil, err
	}
	if err := os.Chmod(hidden, 0o700); err != nil {
		return nil, err
	}
	fs, err := clusterfs.New(tree, opt)
	if err != nil {
		return nil, err
	}
	n := &nodes{Cluster: fs, lab: l}
	l.add(n)
	mount := func(node string) (*clusterfs.Node, error) {
		dir := filepath.Join(l.Dir, "node-"+name+"-"+node)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		l.guard.tell("mount", dir)
		n.dirs = append(n.dirs, dir)
		return fs.Mount(node, dir)
	}
	for i := range count {
		if _, err := mount(BackendName(i)); err != nil {
			return nil, err
		}
	}
	n.watch, err = mount("watch")
	return n, err
}

// Stop unmounts every node; smbd must be gone before.
func (n *nodes) Stop() error {
	err := n.Close()
	for _, dir := range n.dirs {
		n.lab.guard.tell("unmount", dir)
	}
	return err
}

func (n *nodes) tail() string { return "" }

// LoseNode loses backend i as a power cut does: nothing more comes from it, and what it did not
// write back is gone. With ClusterOptions.Isolate not even its connections are closed.
func (c *Cluster) LoseNode(i int) error {
	var errs []error
	if n := c.Network(i); n != nil {
		errs = append(errs, n.CutOff())
	}
	// Frozen first: an smbd that gets errors from a dead mount would answer with them.
	if c.Backends[i].Pid() != 0 {
		errs = append(errs, c.Backends[i].Freeze())
	}
	if c.FS != nil && c.Nodes[i].Alive() {
		errs = append(errs, c.Nodes[i].Kill())
	}
	return errors.Join(append(errs, c.Backends[i].abandon())...)
}

// ReviveNode starts a backend again that was lost, killed, frozen or cut off, with its node.
func (c *Cluster) ReviveNode(ctx context.Context, i int) error {
	if c.FS != nil && !c.Nodes[i].Alive() {
		// An smbd that is left has the dead mount open for good.
		if err := c.Backends[i].abandon(); err != nil {
			return err
		}
		if err := c.Nodes[i].Restart(); err != nil {
			return err
		}
	}
	if n := c.Network(i); n != nil {
		if err := n.Reconnect(); err != nil {
			return err
		}
	}
	if c.Backends[i].Pid() != 0 {
		return c.Backends[i].Thaw()
	}
	return c.Backends[i].Start(ctx)
}

// Network is the namespace of backend i, nil without ClusterOptions.Isolate.
func (c *Cluster) Network(i int) *Network { return c.Backends[i].opt.Net }

// Fenced are the backends whose fence command ran, in order.
func (c *Cluster) Fenced() []string {
	if c.fence == nil {
		return nil
	}
	return c.fence.Fenced()
}
