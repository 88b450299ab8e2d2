package backend

import (
	"errors"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// maxGhosts is how many READs of a lane may have been given up and not answered.
// Each costs smbd and us some hundred bytes as long as the lane lives.
const maxGhosts = 4096

// errGhosts ends a lane for pipes on which too many READs were given up.
var errGhosts = errors.New("too many READs of pipes were given up")

// notePipe notes what ends the waiting of a READ. Samba: a READ that waits for a
// pipe to say something is not ended by CANCEL nor by CLOSE, and has no reply as
// long as the connection lives (4.17). So we end it ourselves, and a ghost
// stands for it in case there is a reply after all.
func (c *Call) notePipe(msg []byte) {
	switch c.command {
	case smb2.CommandRead:
		c.deaf = true
		c.file = smb2.RawFileID(msg, smb2.FileIDOffset(c.command))
	case smb2.CommandClose:
		c.file = smb2.RawFileID(msg, smb2.FileIDOffset(c.command))
	default:
	}
}

// abandonLocked puts a ghost in the place of c, which is in flight and which
// nobody is at. The caller completes c when the lock is gone.
func (cn *connection) abandonLocked(c *Call) {
	g := &Call{
		tree: c.tree, session: c.session, command: c.command, charge: c.charge, waits: c.waits, changes: c.changes,
		state: callSent, ghost: true, messageID: c.messageID, asyncID: c.asyncID, since: c.since,
	}
	g.Done = orphan{call: g}
	cn.inflight[c.messageID] = g
	cn.ghosts++
	if c.list != nil { // an answer is still due
		c.list.replace(c, g)
	}
	c.state, c.charge = callIdle, 0
}

// pipeClosed ends the READs of a pipe that has been closed. It runs on the
// reader, so nobody tells them anything meanwhile.
func (cn *connection) pipeClosed(id smb2.FileID) {
	var over []*Call
	cn.mu.Lock()
	for _, c := range cn.inflight {
		switch {
		case !c.deaf || c.file != id:
		case c.state == callSending: // its submitter looks afterwards
			c.canceled, c.cancelDue = true, true
		default:
			cn.abandonLocked(c)
			over = append(over, c)
		}
	}
	cn.mu.Unlock()
	for _, c := range over {
		cn.complete(c, nil, nil, ntstatus.FileClosed)
	}
}
