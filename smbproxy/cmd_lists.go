package main

import (
	"cmp"
	"strings"
	"time"
)

// lookSessions is `smbproxy sessions`.
var lookSessions = look[[]sessionRow]{
	name: "sessions", short: "List the clients' sessions",
	text: table("Session\tUsername\tMachine\tProtocol Version\tEncryption\tSigning\tConnected at\tServices", func(r sessionRow) string {
		user := r.User
		if r.Domain != "" {
			user = r.Domain + `\` + user
		}
		return columns(r.ID, user, r.Client, r.Dialect, r.Encryption, r.Signing, clock(r.Connected), cmp.Or(strings.Join(r.Shares, " "), "-"))
	}),
}

// lookOpens is `smbproxy opens`.
var lookOpens = look[[]openRow]{
	name: "opens", short: "List the files that clients have open",
	long: `Lists the files, directories and pipes that clients have open, in the words of
"smbstatus -L". An open without a machine is a durable handle whose client is
away.`,
	text: table("Open\tUsername\tMachine\tDenyMode\tAccess\tR/W\tOplock\tShare\tName\tTime", func(r openRow) string {
		return columns(r.ID, r.User, cmp.Or(r.Client, "-"), r.DenyMode, r.Granted, r.ReadWrite, r.Oplock, r.Share, r.Name, opened(r.Opened))
	}),
}

// opened is when something was opened, - where that is not known.
func opened(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return clock(*t)
}

// lookLocks is `smbproxy locks`.
var lookLocks = look[[]lockRow]{
	name: "locks", short: "List the byte-range locks that clients hold",
	long: `Lists the byte-range locks that clients hold, or wait for ("waits"), in the words
of "smbstatus -B": R shares the range with other readers, W shares it with
nobody.`,
	text: table("Open\tUsername\tMachine\tR/W\tStart\tSize\tShare\tName\tState", func(r lockRow) string {
		state := "held"
		if r.Waiting {
			state = "waits"
		}
		return columns(r.Open, r.User, cmp.Or(r.Client, "-"), r.Type, r.Start, r.Size, r.Share, r.Name, state)
	}),
}

// lookLeases is `smbproxy leases`.
var lookLeases = look[[]leaseRow]{
	name: "leases", short: "List the leases that clients hold",
	long: `Lists the leases that clients hold: R lets them cache what they read, W what they
write, H the handle itself. "breaks" marks a lease that its client has been asked
to give back.`,
	text: table("Lease Key\tUsername\tMachine\tCaching\tEpoch\tOpens\tShare\tName\tState", func(r leaseRow) string {
		state := "held"
		if r.Breaking {
			state = "breaks"
		}
		return columns(r.Key, r.User, cmp.Or(r.Client, "-"), cmp.Or(r.Caching, "-"), r.Epoch, len(r.Opens), r.Share, r.Name, state)
	}),
}

// lookNotify is `smbproxy notify`.
var lookNotify = look[[]notifyRow]{
	name: "notify", short: "List the directories that clients watch",
	long: `Lists the directories that clients have asked to be notified of (CHANGE_NOTIFY),
with the kinds of change (FILE_NOTIFY_CHANGE_*).`,
	text: table("Open\tUsername\tMachine\tFilter\tSubdirs\tRequests\tShare\tName", func(r notifyRow) string {
		subtree := "no"
		if r.Subtree {
			subtree = "yes"
		}
		return columns(r.Open, r.User, cmp.Or(r.Client, "-"), r.Filter, subtree, r.Requests, r.Share, r.Name)
	}),
}
