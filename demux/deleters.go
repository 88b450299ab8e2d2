package demux

import (
	"maps"
	"slices"
	"sync"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
	"smbproxy/internal/transport"
	"smbproxy/statedb/core"
)

// deleters are opens that clients have closed and that are still held at their backends: their files are
// delete-pending by them, and open by others, who need not have the right to delete.
type deleters struct {
	mu    sync.Mutex // guards opens
	opens map[core.OpenID]*open
}

// put keeps an open.
func (t *deleters) put(o *open) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.opens == nil {
		t.opens = map[core.OpenID]*open{}
	}
	t.opens[o.state] = o
}

// take takes it out; nil: it is not here.
func (t *deleters) take(id core.OpenID) *open {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.opens[id]
	delete(t.opens, id)
	return o
}

// list is a snapshot, for who moves opens to another backend.
func (t *deleters) list() []*open {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Values(t.opens))
}

// of takes out the open that is to carry out a deletion; nil: there is no deletion, or it is nobody's who is here.
func (t *deleters) of(del *core.Deletion) *open {
	if del == nil {
		return nil
	}
	return t.take(del.By)
}

// release tells the state that an open ends. One that it needs is among the deleters before anybody can ask for it.
func (d *Demux) release(o *open, c core.Command) core.Result {
	if !o.deletes() {
		return d.tell(c)
	}
	d.deleters.put(o)
	r := d.tell(c)
	if !r.Needed {
		d.deleters.take(o.state)
	}
	return r
}

// erase deletes by the handle of o, which is closed with that, and tells the state. then may run on a lane's reader.
func (d *Demux) erase(o *open, del *core.Deletion, then func()) {
	o.setDoomed(true)
	o.submit(smb2.CommandSetInfo, deletion, func(_ *attachment, h *smb2.Header, _ *transport.Frame, err error) {
		st := statusOf(h, err)
		o.submit(smb2.CommandClose, closing, func(at *attachment, h *smb2.Header, _ *transport.Frame, err error) {
			if st == ntstatus.Success {
				st = deletedBy(h, err)
			}
			d.unlinked(del, st)
			o.ended(at)
			then()
		})
	})
}

// spare closes the handle of a kept open whose file is not to be deleted any more.
func (d *Demux) spare(id core.OpenID) {
	o := d.deleters.take(id)
	if o == nil {
		return
	}
	o.setDoomed(false)
	o.submit(smb2.CommandSetInfo, func(h *handle) smb2.Body { return setDisposition(h.fid, false) },
		func(*attachment, *smb2.Header, *transport.Frame, error) {
			o.submit(smb2.CommandClose, closing, func(at *attachment, _ *smb2.Header, _ *transport.Frame, _ error) { o.ended(at) })
		})
}

// giveBack ends an open that has been granted and comes to nothing. Where the file waited for just that to be deleted, it is.
func (d *Demux) giveBack(id core.OpenID) {
	del := d.tell(&core.Close{Open: id, Abandon: true}).Delete
	if other := d.deleters.of(del); other != nil {
		d.erase(other, del, func() {})
		return
	}
	d.unlinked(del, ntstatus.UnexpectedNetworkError)
}
