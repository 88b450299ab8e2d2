package demux

import (
	"time"

	"golang.org/x/time/rate"

	"smbproxy/demux/backend"
)

// diskFullEvery is how often a backend without space is logged: every client that writes is refused, and one line
// says it.
const diskFullEvery = time.Minute

// diskFull tells the administrator that a share's backend has no space left. Any goroutine may call it.
func (d *Demux) diskFull(pool *backend.Pool, share *Share) {
	first, _ := d.full.LoadOrStore(pool.Name(), &rate.Sometimes{Interval: diskFullEvery})
	first.(*rate.Sometimes).Do(func() {
		d.log.Warn("backend has no space left: STATUS_DISK_FULL", "backend", pool.Name(), "share", share.Name, "backend_share", share.BackendShare)
	})
}
