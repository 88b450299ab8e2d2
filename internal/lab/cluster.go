package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"smbproxy/internal/clusterfs"
)

// Share is one share of a cluster.
type Share struct {
	Name     string
	Dir      string // directory of the tree, made with mode 0777; "": Name
	Path     string // instead of Dir: an absolute path, which must exist
	Backend  int    // index of the backend that serves it
	Backends []int  // instead of Backend: the backends that serve it
	ReadOnly bool
	Mounted  bool     // smbproxy's host has it mounted: "mount point", where layouts are read
	Lines    []string // further parameters, "valid users = user1"
}

// ClusterOptions says what a cluster is made of. The zero value is one backend with the
// share "share" for everybody.
type ClusterOptions struct {
	Name         string // of the proxy; "": "proxy"
	Backends     int    // how many smbd; 0: 1
	Shares       []Share
	GlobalLines  []string                    // further lines of smbproxy.conf's [global]
	BackendLines []string                    // further lines of every [backend:NAME]
	EditConf     func(smbConf string) string // changes what smbproxy printed for a backend, and Direct; nil: as it is
	Direct       bool                        // one more smbd beside: the oracle, see Cluster.Direct
	LogLevel     string                      // of the proxy; "": debug
	IP           string                      // of the proxy; "": a free one
	Port         int                         // of the proxy; 0: a free one
	NTLMHelper   string                      // as of ProxyOptions
	Keytab       string                      // a keytab file for clients' tickets; "": no Kerberos

	// Nodes puts every backend on a node of its own of one cluster file system; nil: all are on
	// the lab's tree.
	Nodes *clusterfs.Options

	Isolate bool  // every backend in a network namespace of its own, so that it can be cut off
	Fence   Fence // its `fence command`

	// BackendLinesOf are further lines of the section of one backend; nil: none.
	BackendLinesOf func(i int) []string
}

// Cluster is some smbd and an smbproxy before them, all of it configured by smbproxy's own
// commands: what administrators get is what is tested.
type Cluster struct {
	Lab      *Lab
	Proxy    *Proxy
	Backends []*Samba

	// Direct is an smbd that clients log in to with the same passwords and that has the same
	// smb.conf but for that, nil unless asked for. Its shares are other directories, DirectDir:
	// users whom smbd knows by password have other SIDs in their ACLs than those it knows by
	// ticket.
	Direct *Samba

	FS    *clusterfs.Cluster // with ClusterOptions.Nodes
	Nodes []*clusterfs.Node  // of the backends; one more, which ShareDir shows, is not among them

	opt   ClusterOptions
	nodes *nodes
	fence *fencer
}

// Cluster starts backends and proxy. It returns when all of them listen.
func (l *Lab) Cluster(ctx context.Context, opt ClusterOptions) (*Cluster, error) {
	if opt.Name == "" {
		opt.Name = "proxy"
	}
	if opt.Backends == 0 {
		opt.Backends = 1
	}
	if opt.Shares == nil {
		opt.Shares = []Share{{Name: "share"}}
	}
	c := &Cluster{Lab: l, opt: opt}
	if err := c.makeStorage(); err != nil {
		return nil, err
	}
	// Addresses first: proxy's configuration names the backends, which are printed from it.
	addrs, err := c.addresses(ctx)
	if err != nil {
		return nil, err
	}
	c.Proxy, err = l.Proxy(ctx, ProxyOptions{Name: opt.Name, IP: opt.IP, Port: opt.Port, LogLevel: opt.LogLevel, NTLMHelper: opt.NTLMHelper, NoStart: true,
		Conf: func(p *Proxy) string { return c.conf(p, addrs) }})
	if err != nil {
		return nil, err
	}
	if err := c.copyKeytab(); err != nil {
		return nil, err
	}
	for i := range addrs {
		s, err := c.startBackend(ctx, i, addrs[i])
		if err != nil {
			return nil, err
		}
		c.Backends = append(c.Backends, s)
	}
	if opt.Direct {
		if err := c.startDirect(ctx); err != nil {
			return nil, err
		}
	}
	if c.fence != nil {
		c.fence.start()
	}
	return c, c.Proxy.Start(ctx)
}

// makeStorage makes what the shares lie on, and the shares' directories.
func (c *Cluster) makeStorage() error {
	if c.opt.Nodes != nil {
		var err error
		if c.nodes, err = c.Lab.makeNodes(c.opt.Name, c.opt.Backends, *c.opt.Nodes); err != nil {
			return err
		}
		c.FS, c.Nodes = c.nodes.Cluster, c.nodes.Nodes()[:c.opt.Backends]
	}
	if c.opt.Fence != NoFence {
		if err := c.makeFencer(); err != nil {
			return err
		}
	}
	for i := range c.opt.Shares {
		if err := c.makeShare(&c.opt.Shares[i]); err != nil {
			return err
		}
	}
	return nil
}

// addresses are where the backends will listen.
func (c *Cluster) addresses(ctx context.Context) ([]SambaOptions, error) {
	out := make([]SambaOptions, c.opt.Backends)
	for i := range out {
		o := &out[i]
		o.Name = fmt.Sprintf("%s-b%d", c.opt.Name, i)
		var err error
		if c.opt.Isolate {
			if o.Net, err = c.Lab.Network(ctx); err != nil {
				return nil, err
			}
			o.IP = o.Net.IP
		} else {
			o.IP = c.Lab.IP()
		}
		if o.Port, err = freePortIn(o.Net, o.IP); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// NoKernelNotify makes a backend notify only of what it does itself (ClusterOptions.EditConf). For the rest smbd relies
// on inotify, and loses what happens between a CHANGE_NOTIFY and the watch that its other process sets (4.17).
func NoKernelNotify(conf string) string {
	return strings.ReplaceAll(conf, "kernel change notify = yes", "kernel change notify = no")
}

// MustCluster is Cluster for tests.
func (l *Lab) MustCluster(opt ClusterOptions) *Cluster {
	if l.tb != nil {
		l.tb.Helper()
	}
	c, err := l.Cluster(context.Background(), opt)
	l.must(err)
	return c
}

// copyKeytab puts the clients' keytab where smbproxy's own user may read it.
func (c *Cluster) copyKeytab() error {
	if c.opt.Keytab == "" {
		return nil
	}
	keys, err := os.ReadFile(c.opt.Keytab)
	if err != nil {
		return err
	}
	return c.Proxy.WriteFile("clients.keytab", string(keys))
}

// BackendName is the NAME of backend i in smbproxy.conf.
func BackendName(i int) string { return fmt.Sprintf("b%d", i) }

// makeShare makes the share's directory and its twin for Direct.
func (c *Cluster) makeShare(s *Share) error {
	if s.Path != "" {
		return nil
	}
	if s.Dir == "" {
		s.Dir = s.Name
	}
	path, err := c.tree().Share(s.Dir)
	s.Path = path
	if err == nil && c.opt.Direct {
		_, err = c.tree().Share(filepath.Join("direct", s.Dir))
	}
	return err
}

// tree is what the shares lie on, as tests see it.
func (c *Cluster) tree() Tree {
	if c.nodes != nil {
		return Tree{Dir: c.nodes.watch.Dir}
	}
	return c.Lab.Tree
}

// ShareDir is where files of a share lie.
func (c *Cluster) ShareDir(name string) string {
	for _, s := range c.opt.Shares {
		if s.Name == name {
			return s.Path
		}
	}
	panic("lab: no share " + name)
}

// DirectDir is where files of a share of Direct lie.
func (c *Cluster) DirectDir(name string) string {
	return c.directPath(c.ShareDir(name))
}

func (c *Cluster) directPath(path string) string {
	rel, err := filepath.Rel(c.tree().Dir, path)
	if err != nil || strings.HasPrefix(rel, "..") {
		return path
	}
	return filepath.Join(c.tree().Dir, "direct", rel)
}

// conf is smbproxy.conf behind the lab's own lines.
func (c *Cluster) conf(p *Proxy, backends []SambaOptions) string {
	var b strings.Builder
	for _, line := range c.opt.GlobalLines {
		fmt.Fprintf(&b, "\t%s\n", line)
	}
	if c.opt.Keytab != "" {
		fmt.Fprintf(&b, "\tdedicated keytab file = %s\n", filepath.Join(p.Dir, "clients.keytab"))
	}
	for i, s := range backends {
		fmt.Fprintf(&b, "\n[backend:%s]\n\taddress = %s:%d\n\tdedicated keytab file = %s\n", BackendName(i), s.IP, s.Port, keytab(p, i))
		for _, line := range c.backendLines(i, s) {
			fmt.Fprintf(&b, "\t%s\n", line)
		}
	}
	for _, s := range c.opt.Shares {
		fmt.Fprintf(&b, "\n[%s]\n\tbackend = %s\n\tpath = %s\n", s.Name, strings.Join(s.backends(), " "), s.Path)
		if !s.ReadOnly {
			b.WriteString("\tread only = no\n")
		}
		if s.Mounted {
			fmt.Fprintf(&b, "\tmount point = %s\n", s.Path)
		}
		for _, line := range s.Lines {
			fmt.Fprintf(&b, "\t%s\n", line)
		}
	}
	return b.String()
}

// backends are the NAMEs of those that serve the share.
func (s Share) backends() []string {
	if s.Backends == nil {
		return []string{BackendName(s.Backend)}
	}
	var out []string
	for _, i := range s.Backends {
		out = append(out, BackendName(i))
	}
	return out
}

// backendLines are the further lines of one backend's section.
func (c *Cluster) backendLines(i int, s SambaOptions) []string {
	out := c.opt.BackendLines[:len(c.opt.BackendLines):len(c.opt.BackendLines)]
	if s.Net != nil {
		out = append(out, "hosts allow = "+s.Net.Host)
	}
	if c.fence != nil {
		out = append(out, "fence command = "+c.fence.command())
	}
	if c.opt.BackendLinesOf != nil {
		out = append(out, c.opt.BackendLinesOf(i)...)
	}
	return out
}

func keytab(p *Proxy, i int) string {
	return filepath.Join(p.StateDir(), BackendName(i)+".keytab")
}

// startBackend makes the backend's key and smb.conf with smbproxy's commands and starts smbd.
// Both processes read one keytab file; on a real cluster it is copied.
func (c *Cluster) startBackend(ctx context.Context, i int, opt SambaOptions) (*Samba, error) {
	if _, err := c.Proxy.Run(ctx, "backend", "keytab", BackendName(i)); err != nil {
		return nil, err
	}
	conf, err := c.Proxy.Run(ctx, "backend", "config", BackendName(i), "--keytab", keytab(c.Proxy, i))
	if err != nil {
		return nil, err
	}
	if c.opt.EditConf != nil {
		conf = c.opt.EditConf(conf)
	}
	if c.nodes != nil {
		// Real nodes mount the file system at the same place; these are all on one host.
		conf = strings.ReplaceAll(conf, "path = "+c.nodes.watch.Dir+"/", "path = "+c.Nodes[i].Dir+"/")
	}
	opt.Conf = func(Dirs) string { return conf }
	return c.Lab.Samba(ctx, opt)
}

// startDirect starts the oracle from the first backend's configuration.
func (c *Cluster) startDirect(ctx context.Context) error {
	conf, err := c.Proxy.Run(ctx, "backend", "config", BackendName(0), "--keytab", keytab(c.Proxy, 0))
	if err != nil {
		return err
	}
	if c.opt.EditConf != nil {
		conf = c.opt.EditConf(conf)
	}
	// The state of open files that a backend leaves to smbproxy is the oracle's own.
	conf = strings.NewReplacer("\tlocking = no\n", "\tlocking = yes\n", "\tstrict locking = no\n", "\tstrict locking = yes\n").Replace(conf)
	for _, s := range c.opt.Shares {
		if s.Backend == 0 {
			conf = strings.ReplaceAll(conf, "path = "+s.Path+"\n", "path = "+c.directPath(s.Path)+"\n")
		}
	}
	c.Direct, err = c.Lab.Samba(ctx, SambaOptions{Name: c.opt.Name + "-direct", Passwords: true, Frail: true,
		Conf: func(Dirs) string { return conf }})
	return err
}

// Reconfigure replaces shares and lines of the proxy's configuration file; the proxy and the
// backends go on with what they have until they are told.
func (c *Cluster) Reconfigure(change func(opt *ClusterOptions)) error {
	change(&c.opt)
	backends := make([]SambaOptions, len(c.Backends))
	for i, s := range c.Backends {
		backends[i] = s.opt
	}
	return c.Proxy.SetConf(func(p *Proxy) string { return c.conf(p, backends) })
}
