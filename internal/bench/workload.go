package bench

import (
	"maps"
	"slices"

	"smbproxy/internal/smb2"
)

// Workload is one kind of load. An operation is a script of requests, each sent when the one before is answered.
type Workload struct {
	Help    string
	block   int  // bytes of a READ or WRITE; 0: it moves none
	depth   int  // default of Config.Depth
	file    bool // each client needs a file with content
	script  func(c *rawClient, slot int) script
	library func(c *libraryClient, worker int) func() (bytes int, err error) // nil: the library cannot
}

// Workloads are all of them, by name.
var Workloads = map[string]*Workload{
	"read": {Help: "sequential READs of the client's own file", block: 1 << 20, depth: 4, file: true,
		script: func(c *rawClient, _ int) script { return c.transfer(smb2.CommandRead, false) }, library: libraryTransfer(false, false)},
	"write": {Help: "sequential WRITEs of the client's own file", block: 1 << 20, depth: 4, file: true,
		script: func(c *rawClient, _ int) script { return c.transfer(smb2.CommandWrite, false) }, library: libraryTransfer(true, false)},
	"randread": {Help: "READs at random offsets", block: 4 << 10, depth: 8, file: true,
		script: func(c *rawClient, _ int) script { return c.transfer(smb2.CommandRead, true) }, library: libraryTransfer(false, true)},
	"randwrite": {Help: "WRITEs at random offsets", block: 4 << 10, depth: 8, file: true,
		script: func(c *rawClient, _ int) script { return c.transfer(smb2.CommandWrite, true) }, library: libraryTransfer(true, true)},
	"open": {Help: "CREATE of an existing file, CLOSE", depth: 1, file: true,
		script: func(c *rawClient, _ int) script { return c.openClose(nil) }, library: libraryOpen},
	"stat": {Help: "CREATE, QUERY_INFO, CLOSE: what showing a file's properties takes", depth: 1, file: true,
		script: func(c *rawClient, _ int) script { return c.openClose(c.queryInfo()) }, library: libraryStat},
	"create": {Help: "CREATE of a new file that is deleted by its CLOSE", depth: 1,
		script: func(c *rawClient, slot int) script { return c.createDelete(slot) }},
	"list": {Help: "QUERY_DIRECTORY of the clients' directory", depth: 1, file: true,
		script: func(c *rawClient, _ int) script { return c.list() }, library: libraryList},
	"lock": {Help: "exclusive LOCK of a byte range of the client's own file, unlock", depth: 1, file: true,
		script: func(c *rawClient, slot int) script { return c.lockUnlock(slot) }},
	"echo": {Help: "ECHO: what the protocol itself costs", depth: 1,
		script: func(c *rawClient, _ int) script { return c.echo() }},
	"mix": {Help: "an office: READs of two sizes, small WRITEs, open, stat, list, lock", block: 4 << 10, depth: 1, file: true,
		script: func(c *rawClient, slot int) script { return c.mix(slot) }},
	"idle": {Help: "sessions that do nothing; one ECHO each at the end", depth: 1,
		script: func(c *rawClient, _ int) script { return c.echo() }},
}

// idle is the name of the workload that sends nothing while it is measured.
const idle = "idle"

// Names are the names of Workloads in order.
func Names() []string { return slices.Sorted(maps.Keys(Workloads)) }
