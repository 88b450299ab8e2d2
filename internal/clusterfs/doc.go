// Package clusterfs is a cluster file system for tests: one tree, mounted several times through
// FUSE, where every mount is a node as a Lustre client is. It is not part of the product.
//
//	Cluster            the tree (a plain directory of an ext4 or tmpfs) and its servers
//	 +- Node (any)     one mount: faults, and in it the life that a kill ends
//	 |   +- mount      FUSE requests, open handles, data written and not yet written back
//	 +- inode (any)    one file or directory as all nodes see it: who holds dirty data of it
//
// What it promises, beside POSIX as smbd needs it (access control and POSIX ACLs by the kernel with
// the caller's ids, user.*, security.* and trusted.* xattrs, hard links, rename over, fallocate,
// SEEK_HOLE and SEEK_DATA, birth times, one inode number on all nodes, an st_dev of each node's own):
//
//   - Coherence. Nothing is cached in the kernel (attributes and names are valid for no time, all
//     I/O is direct), so what one node wrote the other reads.
//   - A write stays in its node until fsync, until its age or the amount makes it go
//     ([Options].WriteBack, MaxDirty), or until another node touches the same bytes: then the
//     writer is made to write them back first, as a Lustre lock callback does. A stat elsewhere sees
//     size and time without that, as a Lustre glimpse does.
//   - [Node.Kill] loses what is in the node and nothing else: size and times fall back too. Names,
//     modes, times, xattrs and truncation are synchronous: Lustre may lose these as well when a
//     server dies with its client, this file system does not.
//   - [Node.Hang], [Node.Delay], [Node.RateLimit] and [Node.SetFull] concern one node. A hung
//     request holds nothing but itself here. The kernel, as for every file system, holds a
//     directory while it looks up a name that it does not know, and the directories while it makes,
//     removes or renames one: hang a directory rather than a file of a directory in use.
//     A hung process dies of SIGKILL.
//   - lustre.lov (and trusted.lov) have the layout that the test gave to a file, or to the directory
//     it was made in ([Cluster.SetLayout]).
//
// What it lacks: shared writable mmap, O_TMPFILE, locks across nodes (fcntl, flock and leases are
// each kernel's own; backends of smbproxy use none), and its files are gone with the tree.
//
// FUSE is served by this process: code that forks must not be stopped with a mount's files open.
// The file descriptors of a mount are closed on exec.
//
// Lock order: mount.life, inode.names (two of them by inode number), inode.mu, mount.mu, Cluster.mu.
package clusterfs
