package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"smbproxy/internal/smbconf"
)

// anyTarget has all three sections.
func anyTarget() target {
	return target{global: &Global{}, backend: &Backend{}, share: &Share{}}
}

func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, row := range parameters {
		for _, name := range append(append([]string{row.name}, row.synonyms...), row.opposite...) {
			key := row.kind.String() + smbconf.Key(name)
			if seen[key] {
				t.Errorf("%s %s: stands there twice", row.kind, name)
			}
			seen[key] = true
		}
		if row.help == "" || !strings.HasSuffix(row.help, ".") {
			t.Errorf("%s %s: the help is not a sentence: %q", row.kind, row.name, row.help)
		}
		if documentHeadings[row.group] == "" {
			t.Errorf("%s %s: no heading for group %q", row.kind, row.name, row.group)
		}
		if row.def != "" && row.dynamic != "" {
			t.Errorf("%s %s: two defaults", row.kind, row.name)
		}
		for _, text := range []string{row.def, row.example} {
			if text == "" {
				continue
			}
			v := row.value(anyTarget())
			if err := v.Set(text); err != nil {
				t.Errorf("%s %s = %s: %v", row.kind, row.name, text, err)
				continue
			}
			again := row.value(anyTarget())
			if err := again.Set(v.String()); err != nil || again.String() != v.String() {
				t.Errorf("%s %s: %q is printed as %q and read as %q, %v", row.kind, row.name, text, v, again, err)
			}
		}
		if len(row.opposite) > 0 && row.value(anyTarget()).Type() != "boolean" {
			t.Errorf("%s %s: has an opposite, but is no boolean", row.kind, row.name)
		}
	}
	for key := range smbdParameters {
		if key != smbconf.Key(key) {
			t.Errorf("smbdParameters: %q is no key", key)
		}
		for _, kind := range []sectionKind{inGlobal, inShare} {
			if _, ok := spellings[kind][key]; ok {
				t.Errorf("smbdParameters: %q is in the table", key)
			}
		}
	}
}

// A parameter that smb.conf(5) has keeps its name; one that it does not have is marked as our own.
func TestTableAgainstSamba(t *testing.T) {
	theirs := sambaParameters(t)
	for _, row := range parameters {
		// Newer than the Samba of Debian 12, or in [backend:NAME] with the meaning of a parameter of the same name.
		if row.name == "dns hostname" || row.kind == inBackend && row.name == "realm" {
			continue
		}
		if theirs[smbconf.Key(row.name)] == row.own {
			t.Errorf("%s %s: own is %v, but Samba's testparm has it: %v", row.kind, row.name, row.own, theirs[smbconf.Key(row.name)])
		}
	}
	for key := range smbdParameters {
		if !theirs[key] && key != "createmode" && key != "directorymode" && key != "printable" && key != "copy" && key != "guestonly" {
			t.Errorf("smbdParameters: Samba has no %q", key)
		}
	}
}

// sambaParameters are the parameters that Samba's testparm knows.
func sambaParameters(t *testing.T) map[string]bool {
	t.Helper()
	out, err := exec.Command("testparm", "-sv", "/dev/null").Output()
	if err != nil {
		t.Fatalf("Samba's testparm is needed (Debian: samba-common-bin): %v", err)
	}
	known := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		if name, _, ok := strings.Cut(line, "="); ok {
			known[smbconf.Key(name)] = true
		}
	}
	return known
}

func TestDocuments(t *testing.T) {
	golden(t, filepath.Join("..", "docs", "CONFIGURATION.md"), configurationDocument())
	golden(t, filepath.Join("..", "dist", "smbproxy.conf"), exampleConfig())
}

// The example is a configuration without faults, and so is the same with every comment taken off.
func TestExampleConfig(t *testing.T) {
	text := exampleConfig()
	cfg, err := parseConfig(text)
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Shares) != 1 || len(cfg.Backends) != 1 {
		t.Errorf("got %d shares and %d backends", len(cfg.Shares), len(cfg.Backends))
	}
	all := strings.ReplaceAll(text, "\t; ", "\t")
	_, err = parseConfig(all)
	// Only alternatives exclude one another there.
	checkFaults(t, err, []string{"t:"})
	if !strings.Contains(err.Error(), "ntlm auth helper: `smb passwd file` is set too") {
		t.Error(err)
	}
}
