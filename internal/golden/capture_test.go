package golden

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// version is that of the Samba which the committed captures show. Another one's replies may differ for good reason.
const version = "4.17.12-Debian"

// TestMake makes every capture anew in the lab. What it says must be what the golden says; with -update the capture is
// written if it says something else.
func TestMake(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	r := newRig(t)
	if _, err := exec.LookPath("smbtorture"); err != nil {
		if os.Getenv("SMBPROXY_LAB") == "required" || *update {
			t.Fatal("missing package: samba-testsuite (run scripts/install-deps torture)")
		}
		t.Skip("missing package: samba-testsuite (run scripts/install-deps torture)")
	}
	out, err := exec.Command("smbclient", "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimPrefix(strings.TrimSpace(string(out)), "Version "); got != version && !*update {
		t.Skipf("Samba is %s here, and the captures were made with %s", got, version)
	} else if got != version {
		t.Errorf("Samba is %s here: correct the constant", got)
	}
	for _, j := range jobs() {
		t.Run(j.capture, func(t *testing.T) {
			file, keys := r.capture(t, j)
			parsed, err := parseKeys(keys)
			if err != nil {
				t.Fatal(err)
			}
			frames, err := readFrames(file)
			if err != nil {
				t.Fatal(err)
			}
			c, err := read(frames, parsed)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(Dir(), j.capture+".pcap")
			old, err := Load(path)
			diff := "there is no capture yet"
			if err == nil {
				got, want := c.gist(), old.gist()
				if j.noise {
					got, want = content.ReplaceAllString(got, ""), content.ReplaceAllString(want, "")
				}
				diff = difference(got, want)
			}
			switch {
			case diff == "":
			case *update:
				t.Logf("written, since %s", diff)
				write(t, path, file)
				write(t, strings.TrimSuffix(path, ".pcap")+".keys", keys)
			default:
				t.Errorf("says something else than %s: %s", path, diff)
			}
		})
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// later is how a header shows that an interim response went before, or what stands there otherwise.
var later = regexp.MustCompile(` (async|tree)\d+$`)

// content is how the dump shows what was written or read.
var content = regexp.MustCompile(`, sha256 [0-9a-f]+`)

// gist is Dump without what depends on how busy the machine was: each connection by itself and each response right behind
// its request, no interim responses, no credits and AsyncIds, which come with them.
func (c *Capture) gist() string {
	answers := map[*Message]string{}
	var order []netip.AddrPort
	said := map[netip.AddrPort][]*Message{} // requests, and what nobody asked for
	texts := map[*Message]string{}
	for _, x := range c.Blocks() {
		m := x.Message
		if m.Header.Status == ntstatus.Pending && m.Header.Flags&smb2.FlagAsync != 0 {
			continue
		}
		head, rest, _ := strings.Cut(x.Text, "\n")
		head, _, _ = strings.Cut(head, " charge ")
		if m.Response || m.Header.Flags&smb2.FlagAsync != 0 {
			head = later.ReplaceAllString(head, "")
		}
		text := head + "\n" + rest
		switch {
		case m.Request != nil:
			answers[m.Request] = text
			continue
		case said[m.Client] == nil:
			order = append(order, m.Client)
		}
		said[m.Client] = append(said[m.Client], m)
		texts[m] = text
	}
	var b, unasked strings.Builder
	for _, client := range order {
		for _, m := range said[client] {
			if m.Response {
				unasked.WriteString(texts[m])
				continue
			}
			b.WriteString(texts[m] + answers[m])
		}
	}
	return b.String() + unasked.String()
}
