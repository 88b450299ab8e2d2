package main

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/hirochachacha/go-smb2"

	"smbproxy/internal/lab"
)

// ask runs a command against the cluster's smbproxy and decodes its JSON.
func ask[T any](t *testing.T, c *lab.Cluster, command string) (v T) {
	t.Helper()
	out, err := c.Proxy.Run(t.Context(), command, "--json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatalf("%s: %v in %s", command, err, out)
	}
	return v
}

// What an administrator sees of a client, and that a reload leaves its open file alone, even if the
// backend's settings have changed and its pool is replaced.
func TestLive(t *testing.T) {
	// go-smb2 takes unsigned interim replies for forgeries: it encrypts.
	c := lab.New(t, lab.Options{}).MustCluster(lab.ClusterOptions{GlobalLines: []string{"server smb encrypt = required"}})
	user := c.Lab.Users()[0]
	nc, err := net.Dial("tcp", c.Proxy.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	d := &smb2.Dialer{Negotiator: smb2.Negotiator{RequireMessageSigning: true}, Initiator: &smb2.NTLMInitiator{User: user.Name, Password: user.Password}}
	session, err := d.Dial(nc)
	if err != nil {
		t.Fatal(err)
	}
	share, err := session.Mount("share")
	if err != nil {
		t.Fatal(err)
	}
	file, err := share.Create("hello.txt")
	if err != nil {
		t.Fatal(err)
	}

	sessions := ask[[]sessionRow](t, c, "sessions")
	if len(sessions) != 1 || sessions[0].User != user.Name || sessions[0].Client != nc.LocalAddr().String() || strings.Join(sessions[0].Shares, " ") != "share" || sessions[0].Channels != 1 {
		t.Errorf("sessions: %+v", sessions)
	}
	opens := ask[[]openRow](t, c, "opens")
	if len(opens) != 1 || opens[0].Name != "hello.txt" || opens[0].Share != "share" || opens[0].User != user.Name ||
		!strings.Contains(opens[0].Access, "w") || opens[0].Client != nc.LocalAddr().String() || opens[0].Session != sessions[0].ID {
		t.Errorf("opens: %+v", opens)
	}
	s := ask[statusReply](t, c, "status")
	if s.Connections != 1 || s.Sessions != 1 || s.Trees != 1 || s.Opens != 1 || len(s.Backends) != 1 || s.Backends[0].Lanes != 1 || s.Backends[0].Clients != 1 || s.Backends[0].Opens != 1 {
		t.Errorf("status: %+v", s)
	}

	before, err := os.ReadFile(c.Proxy.ConfFile())
	if err != nil {
		t.Fatal(err)
	}
	after := strings.Replace(string(before), "\taddress = ", "\tlanes = 2\n\taddress = ", 1)
	if after == string(before) {
		t.Fatal("the lab's configuration has no backend")
	}
	if err := os.WriteFile(c.Proxy.ConfFile(), []byte(after), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := c.Proxy.Run(context.Background(), "reload"); err != nil {
		t.Fatalf("reload: %v\n%s", err, out)
	}
	if _, err := file.Write([]byte("hello")); err != nil {
		t.Errorf("writing to a file that was open when the backend's pool was replaced: %v", err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
	if got, err := share.ReadFile("hello.txt"); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
}
