// Package lab runs real Samba servers and the real smbproxy on loopback, for tests, the
// demo and benchmarks. Nothing in it is part of the product.
//
//	Lab                  one directory, one shared tree, one set of users
//	 +- Tree             an ext4 image, loop-mounted, that every smbd exports
//	 +- Samba (any)      one stock smbd: 127.x.y.z:port, directories of its own
//	 +- Proxy (any)      one smbproxy, from a configuration that the lab writes
//	 +- Cluster (any)    a Proxy and the smbd behind it; with ClusterOptions.Nodes each smbd is on a
//	 |                    node of its own of one cluster file system (clusterfs), with Isolate in a
//	 |                    network namespace: LoseNode, ReviveNode, Network(i).CutOff
//	 +- guard            a shell that ends all of it should this process die first
//
// In a test:
//
//	l := lab.New(t, lab.Options{})
//	s := l.MustSamba(lab.SambaOptions{Name: "a", Conf: lab.DirectConf("share")})
//	// s.Addr() listens; everything is gone when the test ends
//
// or, with smbproxy in front and the smb.conf that "smbproxy backend config" prints:
//
//	c := l.MustCluster(lab.ClusterOptions{Backends: 2})
//	c.Proxy.Addr()
//
// smbd starts as root and becomes the user of each request, so the lab needs root. Users
// exist only inside the lab: libnss_wrapper shows smbd (and smbproxy) a passwd and a group
// file of the lab's own. [New] skips the test where root or a package is missing, and says
// which; with SMBPROXY_LAB=required in the environment it fails instead, as "make test" has it.
//
// Processes are started as leaders of their own process groups and are ended by that group's
// number; samba-dcerpcd and its children, which leave the group, are found by a mark in
// their environment. Nothing is ever found by its name.
package lab
