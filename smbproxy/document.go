package main

import (
	"fmt"
	"strings"
)

// configurationDocument is docs/CONFIGURATION.md, made from the table so that it cannot be wrong.
func configurationDocument() string {
	var out strings.Builder
	out.WriteString(documentIntroduction)
	group := ""
	for _, row := range parameters {
		if row.group != group {
			group = row.group
			fmt.Fprintf(&out, "\n## %s\n\n", documentHeadings[group])
		}
		documentRow(&out, row)
	}
	out.WriteString("\n## Lines for a backend's own smb.conf\n\n" + documentSmbdOptions)
	return out.String()
}

// documentHeadings says in which sections the parameters of a group stand.
var documentHeadings = map[string]string{
	"Identity":       "`[global]`: identity",
	"Network":        "`[global]`: network",
	"Protocol":       "`[global]`: protocol",
	"Operation":      "`[global]`: operation",
	"Authentication": "`[global]`: authentication",
	"Limits":         "`[global]`: limits",
	"Backends":       "`[backend:NAME]`: a Samba server",
	"Shares":         "A share: a section of any other name",
}

const documentIntroduction = `# Configuration

This file is generated from the table of parameters in ` + "`smbproxy/parameters*.go`" + `
(` + "`go test ./smbproxy -update`" + `).

The syntax is that of smb.conf(5): ` + "`[section]`" + ` headers and ` + "`name = value`" + ` lines; names compare without
case and white space; a line that starts with ` + "`#`" + ` or ` + "`;`" + ` is a comment; a line that ends in a backslash goes on in the next;
` + "`include = FILE`" + ` reads another file in place. A parameter has the name and the meaning that smb.conf(5) gives it,
unless it is marked *own*. Booleans are yes or no; sizes take K, M, G; times take ms, s, m, h, d and are seconds without
a unit; elements of lists are separated by blanks or commas, quoted where they contain one.

Unlike smbd, smbproxy refuses to start with a faulty configuration, and keeps the old one if a reload brings a
faulty one. ` + "`smbproxy testparm`" + ` shows every fault at once. Parameters of a share may stand in ` + "`[global]`" + ` as
the default of all shares.
`

const documentSmbdOptions = "`smbd:NAME = VALUE` in `[backend:NAME]` goes into the `[global]` section of that backend's smb.conf, in a share into\n" +
	"that share's section, as it is: `smbd:create mask = 0770`, `smbd:inherit acls = yes`. Parameters that smbproxy itself sets\n" +
	"there are refused. `smbproxy backend config NAME` prints the result.\n"

func documentRow(out *strings.Builder, row parameter) {
	v := row.value(target{global: &Global{}, backend: &Backend{}, share: &Share{}})
	fmt.Fprintf(out, "### %s\n\n", row.name)
	var facts []string
	if row.own {
		facts = append(facts, "*own*")
	}
	facts = append(facts, v.Type())
	switch {
	case row.required:
		facts = append(facts, "must be set")
	case row.dynamic != "":
		facts = append(facts, "default: "+row.dynamic)
	case row.def == "":
		facts = append(facts, "default: empty")
	default:
		facts = append(facts, "default: `"+row.def+"`")
	}
	if len(row.synonyms) > 0 {
		facts = append(facts, "also: `"+strings.Join(row.synonyms, "`, `")+"`")
	}
	if len(row.opposite) > 0 {
		facts = append(facts, "opposite: `"+strings.Join(row.opposite, "`, `")+"`")
	}
	fmt.Fprintf(out, "%s\n\n%s\n\n", strings.Join(facts, "; "), row.help)
}

// exampleConfig is dist/smbproxy.conf: what a first configuration needs, and every other parameter
// as a comment with its default. It passes testparm as it is, but for files.
func exampleConfig() string {
	var out strings.Builder
	out.WriteString(`# smbproxy.conf: the syntax is that of smb.conf(5).
#
# Check it with:  smbproxy testparm
# Every parameter is described in docs/CONFIGURATION.md. What is commented out
# shows the default, or an example where there is none.
`)
	header, written := "", map[string]bool{}
	for _, row := range parameters {
		if h := exampleHeader(row.kind); h != header {
			header = h
			fmt.Fprintf(&out, "\n%s\n", header)
		}
		key := fmt.Sprint(row.kind, row.name)
		if written[key] {
			continue
		}
		written[key] = true
		first, _, _ := strings.Cut(row.help, ". ")
		fmt.Fprintf(&out, "\n%s\n", indentLines(wrapComment(strings.TrimSuffix(first, ".")+".")))
		value, active := exampleLines[key]
		if !active {
			value = row.example
			if value == "" {
				value = row.def
			}
		}
		line := strings.TrimSpace(row.name + " = " + value)
		if !active {
			line = "; " + line
		}
		fmt.Fprintf(&out, "\t%s\n", line)
	}
	return out.String()
}

func exampleHeader(k sectionKind) string {
	return map[sectionKind]string{inGlobal: "[global]", inBackend: "[backend:one]", inShare: "[projects]"}[k]
}

// exampleLines are the lines of the example that are in force.
var exampleLines = map[string]string{
	fmt.Sprint(inGlobal, "netbios name"):    "FILES",
	fmt.Sprint(inGlobal, "workgroup"):       "WORKGROUP",
	fmt.Sprint(inGlobal, "interfaces"):      "192.0.2.10",
	fmt.Sprint(inGlobal, "smb passwd file"): "/etc/smbproxy/smbpasswd",
	fmt.Sprint(inBackend, "address"):        "192.0.2.21",
	fmt.Sprint(inShare, "backend"):          "one",
	fmt.Sprint(inShare, "path"):             "/srv/projects",
	fmt.Sprint(inShare, "comment"):          "Projects of everybody",
	fmt.Sprint(inShare, "read only"):        "no",
	fmt.Sprint(inShare, "valid users"):      "@staff",
}
