package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"smbproxy/internal/clusterfs"

	"golang.org/x/sys/unix"
)

// Tree is the file system that every smbd of the lab exports, as a cluster file system is
// mounted on every node.
type Tree struct {
	Dir   string // its root, mode 0755 root
	Image string // the image file; "" when Dir is a plain directory
	Why   string // why it is a plain directory, when nobody asked for one

	Below string // with onClusterFS: where the files of the cluster file system lie

	fs *clusterfs.Cluster // with onClusterFS
}

// onClusterFS in the environment puts the tree of every lab on a node of a cluster file system,
// to see what differs there from ext4: a torture run, the oracle.
const onClusterFS = "SMBPROXY_LAB_TREE=clusterfs"

// makeTree mounts a fresh ext4. Inodes of 1 KiB hold the NT ACL and DOS attribute xattrs: with
// 256 bytes they cost a block of their own, and an empty file shows an allocation of 4096,
// which clients and smbtorture see; ea_inode allows xattrs over 4 KiB (streams_xattr).
func makeTree(ctx context.Context, l *Lab, opt Options) (Tree, error) {
	t := Tree{Dir: filepath.Join(l.Dir, "tree")}
	if err := os.MkdirAll(t.Dir, 0o755); err != nil {
		return t, err
	}
	if opt.PlainTree {
		return t, nil
	}
	t, err := makeExt4(ctx, l, t, opt)
	if err != nil || !slices.Contains(os.Environ(), onClusterFS) {
		return t, err
	}
	return t, t.overlay(l)
}

// makeExt4 mounts an image on the tree's directory, or says why it cannot.
func makeExt4(ctx context.Context, l *Lab, t Tree, opt Options) (Tree, error) {
	size := opt.TreeMiB
	if size == 0 {
		size = 8192
	}
	if err := t.mount(ctx, l, filepath.Join(l.Dir, "tree.img"), int64(size)<<20); err != nil {
		t.Why = err.Error()
		return t, nil
	}
	return t, os.Chmod(t.Dir, 0o755)
}

func (t *Tree) mount(ctx context.Context, l *Lab, image string, size int64) error {
	f, err := os.Create(image)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		return err
	}
	if err := run(ctx, program("mkfs.ext4"), "-q", "-F", "-I", "1024", "-O", "ea_inode", image); err != nil {
		return err
	}
	if err := run(ctx, program("mount"), "-o", "loop,user_xattr,acl", image, t.Dir); err != nil {
		return err
	}
	t.Image = image
	l.guard.tell("mount", t.Dir)
	return nil
}

// overlay mounts the tree as a node of a cluster file system and takes that for the tree.
func (t *Tree) overlay(l *Lab) error {
	fs, err := clusterfs.New(t.Dir, clusterfs.Options{})
	if err != nil {
		return err
	}
	t.fs = fs
	dir := filepath.Join(l.Dir, "tree-node")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	l.guard.tell("mount", dir)
	if _, err = fs.Mount("tree", dir); err != nil {
		return err
	}
	t.Below, t.Dir = t.Dir, dir
	return nil
}

// unmount detaches lazily: a file that a dying smbd still holds must not keep the lab.
func (t *Tree) unmount(g *guard) error {
	at := t.Dir
	if t.fs != nil {
		if err := t.fs.Close(); err != nil {
			return err
		}
		g.tell("unmount", t.Dir)
		at = t.Below
	}
	if t.Image == "" {
		return nil
	}
	if err := unix.Unmount(at, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount %s: %w", at, err)
	}
	g.tell("unmount", at)
	return os.Remove(t.Image)
}

// Share makes a directory of the tree that everybody may write, for a share to point at.
func (t Tree) Share(name string) (string, error) {
	dir := filepath.Join(t.Dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o777)
}

// Empty removes everything below a directory of the tree, as root.
func (t Tree) Empty(name string) error {
	dir := filepath.Join(t.Dir, name)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return errors.Join(errs...)
}

// run runs a program to its end; its output is in the error.
func run(ctx context.Context, argv ...string) error {
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(argv[0]), err, strings.TrimSpace(string(out)))
	}
	return nil
}
