// Package golden reads the captures of testdata/pcaps, which were made in the lab: Samba's clients talking to Samba's
// smbd, none of it ours. It opens what is sealed, verifies what is signed and shows each message as text in which
// everything that differs from one making to the next (ids, times, tokens) is normalised.
//
//	NAME.pcap     the TCP connections of one scenario in one dialect, written by [Recorder]
//	NAME.keys     the session keys: "SessionId key" in hex, a line for each session
//	NAME.golden   what [Capture.Dump] gave when the capture was made
//
// "make golden" makes them again (the tests of this package with -update): a capture that says the same as before keeps
// its file. README.md beside the captures is generated from the table of scenarios.
//
// The tests hold our codec and our cryptography to these captures, replay what the clients said through smbproxy and,
// where the same Samba is installed, make each capture anew and compare. Other packages take the captures as seeds:
// [Seeds].
package golden
