// Package oracle asks stock Samba what is right: it runs one script of SMB2 requests against smbd directly and
// against smbd behind smbproxy, and the two must answer alike.
//
//	script line -> request -> direct  -> reply -> observation --+
//	                     \--> proxy   -> reply -> observation --+--> equal, or the test fails
//
// An observation is text: the status and the decoded reply, in which only what must differ between two servers or
// two moments is replaced (normal.go): ids, serial numbers, the time of now, free space, the SIDs of the users.
// Scripts (testdata/*.script) are lines of "verb key=value ..."; a random test makes such lines, shrinks a sequence
// that differs and prints it in this form, to be kept as a script. The syntax stands at parse and in verbs.go.
//
//	make diff
package oracle
