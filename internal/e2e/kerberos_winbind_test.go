package e2e

import (
	"testing"

	"smbproxy/internal/lab"
)

// TestWinbind has passwords checked by a real winbindd through ntlm_auth: the session key that it returns must be
// the one that the client signs and seals with.
func TestWinbind(t *testing.T) {
	needs(t, "/usr/bin/ntlm_auth", "winbind")
	l := lab.New(t, lab.Options{})
	w, err := l.Winbind(t.Context(), "w")
	if err != nil {
		t.Fatal(err)
	}
	c := l.MustCluster(lab.ClusterOptions{NTLMHelper: w.Helper(), GlobalLines: []string{"workgroup = " + lab.WinbindDomain}})
	u := l.User("user1")
	u.Name = lab.WinbindDomain + `\` + u.Name
	for _, protection := range []string{"sign", "encrypt"} {
		must(t, l.Smbclient(c.Proxy.Addr(), "share", lab.As(u), lab.Protection(protection),
			lab.Command("put /etc/hostname a; rename a b; ls b; get b /dev/null; del b")))
	}
	mark := c.Proxy.LogSize()
	u.Password = "wrong"
	refused(t, l.Smbclient(c.Proxy.Addr(), "share", lab.As(u), lab.Command("ls")), "NT_STATUS_LOGON_FAILURE")
	logged(t, c, mark, "authentication refused", "ntlm_auth")
	if err := w.Stop(); err != nil {
		t.Fatal(err)
	}
	u.Password = l.User("user1").Password
	refused(t, l.Smbclient(c.Proxy.Addr(), "share", lab.As(u), lab.Command("ls")), "NT_STATUS_NO_LOGON_SERVERS")
}
