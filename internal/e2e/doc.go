// Package e2e holds end-to-end tests: clients that others wrote (Debian's smbclient,
// hirochachacha/go-smb2), the real smbproxy binary, stock Samba behind it. They look at three
// places: what the client is told, what lies on the backend's disk, what smbproxy logged.
//
// Where a rule is Samba's ("what the permissions forbid is refused with the same status as
// directly"), the same steps run against an smbd without a proxy, and the two must agree.
package e2e
