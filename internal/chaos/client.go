package chaos

import (
	"context"
	"fmt"
	"time"

	"smbproxy/internal/rawsmb"
	"smbproxy/internal/smb2"
)

// patience is how long one of our own clients waits for a reply; Windows gives up after about as
// long.
const patience = time.Minute

// connect logs one of our own clients in and connects the share.
func (e *Env) connect(ctx context.Context, guid byte) (*rawsmb.Tree, error) {
	c, err := rawsmb.Dial(ctx, e.C.Proxy.Addr(), rawsmb.Options{Timeout: patience, ClientGUID: smb2.GUID{guid, 0xC4}, Capabilities: smb2.GlobalCapLeasing | smb2.GlobalCapLargeMTU})
	if err != nil {
		return nil, err
	}
	u := e.Lab.User("user1")
	s, err := c.Login(ctx, u.Name, u.Password)
	if err != nil {
		c.Close()
		return nil, err
	}
	t, err := s.TreeConnect(e.Share)
	if err != nil {
		c.Close()
		return nil, err
	}
	return t, nil
}

// open opens or makes a file of the work directory; a lease of RWH is asked for where key is not 0.
func open(t *rawsmb.Tree, name string, key byte) (smb2.CreateResponse, error) {
	req := smb2.CreateRequest{Name: work + `\` + name}
	if key != 0 {
		lease := smb2.RequestLease{LeaseKey: smb2.LeaseKey{key}, V2: true,
			LeaseState: smb2.LeaseReadCaching | smb2.LeaseHandleCaching | smb2.LeaseWriteCaching}
		req.RequestedOplockLevel = smb2.OplockLevelLease
		req.CreateContexts = []smb2.CreateContext{{Name: []byte(smb2.CreateRequestLease), Data: lease.Append(nil)}}
	}
	r, err := t.Create(req)
	if err != nil {
		return r, fmt.Errorf("open %s: %w", name, err)
	}
	return r, nil
}

// write writes data; short answers are faults.
func write(t *rawsmb.Tree, id smb2.FileID, off uint64, data []byte) error {
	m, err := t.Do(smb2.CommandWrite, &smb2.WriteRequest{FileID: id, Offset: off, Data: data})
	if err != nil {
		return fmt.Errorf("write at %d: %w", off, err)
	}
	var r smb2.WriteResponse
	if err := r.Decode(m.Bytes); err != nil {
		return err
	}
	if int(r.Count) != len(data) {
		return fmt.Errorf("write at %d: %d bytes written of %d", off, r.Count, len(data))
	}
	return nil
}

// read reads up to n bytes.
func read(t *rawsmb.Tree, id smb2.FileID, off uint64, n int) ([]byte, error) {
	m, err := t.Do(smb2.CommandRead, &smb2.ReadRequest{FileID: id, Offset: off, Length: uint32(n)})
	if err != nil {
		return nil, fmt.Errorf("read at %d: %w", off, err)
	}
	var r smb2.ReadResponse
	err = r.Decode(m.Bytes)
	return r.Data, err
}

// lock takes byte ranges at once or not at all; flags are smb2.LockFlag constants.
func lock(t *rawsmb.Tree, id smb2.FileID, flags uint32, offsets ...uint64) error {
	req := smb2.LockRequest{FileID: id}
	for _, off := range offsets {
		req.Locks = append(req.Locks, smb2.LockElement{Offset: off, Length: 10, Flags: flags})
	}
	_, err := t.Do(smb2.CommandLock, &req)
	return err
}
