// Package acl decides, before any backend is asked, whether a user at an address may use a
// share and whether he may change anything there: `valid users`, `invalid users`, `hosts
// allow`, `hosts deny` and `read only`, each with the meaning that smb.conf(5) gives it.
//
// The package is pure: no I/O, no clock, no state. What it must learn from outside (is this
// user in that group, what is the name of this address) comes through Lookup, and is asked only
// when a list has an entry that needs it. Whatever cannot be answered counts as "no match" in
// a list that admits and as "match" in a list that refuses: policy fails closed.
//
// What a user may do with a file is not decided here; the backend does, as that user.
package acl
