// Package arrows holds the rules of the whole repository that no compiler checks: which package
// may import which (imports run downwards, siblings never import one another), and how long files
// and functions may be. It has tests only; what they allow stands in this file.
package arrows

// module is what the import paths of this repository begin with.
const module = "smbproxy/"

// allowed says which packages of this repository each one may import, besides those it contains.
// A package that is not named here takes the row of the package that contains it.
var allowed = map[string][]string{
	"internal/ntstatus":  {},
	"internal/smb2":      {"internal/ntstatus"},
	"crypto":             {},
	"internal/transport": {"crypto", "internal/smb2", "internal/ntstatus"},
	"session/auth":       {"internal/ntstatus"},
	"session":            {"session/auth", "internal/transport", "crypto", "internal/smb2", "internal/ntstatus"},
	"acl":                {},
	"statedb":            {"internal/smb2", "internal/ntstatus"},
	"demux/rpc":          {"internal/ntstatus"},
	"demux/backend":      {"internal/transport", "crypto", "internal/smb2", "internal/ntstatus"},
	"demux/layout":       {},
	"demux":              {"session", "acl", "statedb", "demux/backend", "demux/layout", "demux/rpc", "internal/transport", "internal/smb2", "internal/ntstatus"},
	"internal/smbconf":   {},
	"internal/rawsmb":    {"internal/transport", "crypto", "internal/smb2", "internal/ntstatus"},
	"internal/bench":     {"internal/rawsmb", "crypto", "internal/smb2", "internal/ntstatus"},
	"smbproxy":           {"internal/bench", "demux", "demux/backend", "demux/rpc", "session", "session/auth", "acl", "statedb", "internal/smbconf", "crypto", "internal/smb2", "internal/ntstatus"},

	// Only for tests, the demo and benchmarks: nothing of the product imports these.
	"internal/arrows":        {},
	"internal/pcap":          {},
	"internal/golden":        {"internal/pcap", "internal/lab", "internal/rawsmb", "internal/transport", "crypto", "internal/smb2", "internal/ntstatus"},
	"internal/clusterfs":     {},
	"internal/lab":           {"internal/clusterfs", "internal/rawsmb", "internal/smb2", "internal/ntstatus", "internal/smbconf"},
	"internal/demo":          {"internal/lab"},
	"internal/bench/compare": {"internal/bench", "internal/lab"},
	"internal/torture":       {"internal/lab", "internal/rawsmb", "internal/smb2", "internal/ntstatus", "internal/smbconf"},
	"internal/e2e":           {"internal/lab", "internal/rawsmb", "internal/smb2", "internal/ntstatus"},
	"internal/oracle":        {"internal/lab", "internal/rawsmb", "internal/smb2", "internal/ntstatus"},
	"internal/chaos":         {"internal/clusterfs", "internal/lab", "internal/rawsmb", "internal/smb2", "internal/ntstatus"},
	"internal/hostile":       {"demux", "demux/backend", "session", "session/auth", "statedb", "internal/golden", "internal/lab", "internal/rawsmb", "internal/transport", "crypto", "internal/smb2", "internal/ntstatus"},
}

// forTests are packages that only tests and other packages for tests may import.
var forTests = []string{
	"internal/arrows", "internal/clusterfs", "internal/lab", "internal/demo", "internal/e2e", "internal/torture", "internal/pcap", "internal/golden", "internal/hostile", "internal/oracle", "internal/bench/compare", "internal/chaos",
}

// anyTest are packages of the product that a test may import from anywhere: the client that sends
// what it is told, which the load generator has brought into the product.
var anyTest = []string{"internal/rawsmb"}

// Limits of length, in lines.
const (
	maxFile     = 400
	maxFunction = 80
)

// tooLong are the files ("path") and functions ("path:Name") that may be longer, each with the
// reason. A row that is not needed any more fails the test.
var tooLong = map[string]string{}
