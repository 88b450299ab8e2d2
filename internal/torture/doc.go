// Package torture runs Samba's smbtorture (Debian's samba-testsuite) against smbproxy, or
// against a stock smbd, and holds the outcome of every single test against a file in which
// each known failure has its reason. An unexpected failure and an unexpected pass both fail
// the run: a list that only ever grows tells nothing.
//
//	suites.go    what is run, on which share, and what is not, with the reason
//	shares.go    the shares that the tests name, as smbd options
//	site.go      one server with those shares: direct smbd, or smbproxy before one
//	subunit.go   what smbtorture prints
//	suite.go     one suite: resumed behind a test that hangs or kills smbtorture
//	expect.go    the expectations file
//	judge.go     outcome against expectation; the unexpected run alone twice first
//	session.go   many suites over several servers
//	run/         the command behind "make torture"
//
// smbtorture's own exit status and totals are of no use here: known failures are the norm.
package torture
