// Command smbproxy is one virtual SMB server in front of stock Samba servers.
//
// This package is commands, configuration, listeners, wiring and shutdown. No
// protocol: what a client says is read in session, what becomes of it is decided
// in demux.
//
//	main.go             the command tree
//	cmd_<name>.go       one command each
//	parameters*.go      THE table of parameters; parser, testparm, documents read it
//	value.go            the types a parameter can have
//	config.go           the configuration as Go values
//	load.go             smb.conf text -> Config, all faults at once
//	check_*.go          what no single value can tell: references, files, ranges
//	smbd_conf*.go       Config -> the smb.conf of one backend
//	document.go         the table -> docs/CONFIGURATION.md, the example file
//	serve*.go           Config -> running server; reload; drain
//	wire.go             Config -> the Config types of session, auth, demux, backend
//	admin*.go           the unix socket that status, opens, close, reload ... talk to
//	statedb_source.go   the store of what outlives the process, for statedb list, check, ...
//	metrics.go          what Prometheus sees
//
// The life of a process:
//
//	load --faults--> exit 1
//	  |
//	  v
//	listen -> READY -> serving --SIGTERM--> draining --all gone, or timeout--> exit 0
//	                    ^    |
//	                    |    SIGHUP, "smbproxy reload"
//	                    |    v
//	                    +- load again: faults keep the old configuration
package main
