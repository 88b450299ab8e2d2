package session

import (
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"

	"pgregory.net/rapid"
)

// TestWindowModel compares the window with a set of ids.
func TestWindowModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 200).Draw(t, "limit")
		var w window
		w.init(limit)
		free, next, low := map[uint64]bool{0: true}, uint64(1), uint64(0)
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "grant") {
				req := uint16(rapid.IntRange(0, 300).Draw(t, "requested"))
				charge := uint16(rapid.IntRange(0, 4).Draw(t, "charge"))
				got := w.grant(req, charge, rapid.Bool().Draw(t, "extra"))
				for range got {
					free[next] = true
					next++
				}
				if next-low > uint64(limit) {
					t.Fatalf("window from %d to %d is wider than %d", low, next, limit)
				}
				if len(free) == 0 && next-low < uint64(limit) {
					t.Fatal("client without credits although there is room")
				}
				continue
			}
			id := low + uint64(rapid.IntRange(-2, limit+2).Draw(t, "id"))
			charge := uint64(rapid.IntRange(1, 4).Draw(t, "charge"))
			want := id+charge > id
			for i := id; i < id+charge; i++ {
				want = want && free[i]
			}
			if got := w.consume(id, uint16(charge)); got != want {
				t.Fatalf("consume(%d, %d): got %v, want %v", id, charge, got, want)
			}
			if want {
				for i := id; i < id+charge; i++ {
					delete(free, i)
				}
			}
			for low < next && !free[low] {
				low++
			}
			if w.credits() != len(free) {
				t.Fatalf("credits: got %d, want %d", w.credits(), len(free))
			}
		}
	})
}

// TestReplay: an id used twice, skipped too far or taken back ends the connection ([MS-SMB2] 3.3.5.2.3).
func TestReplay(t *testing.T) {
	for name, edit := range map[string]func(c *client, h *smb2.Header){
		"again":          func(c *client, h *smb2.Header) { h.MessageID-- },
		"first":          func(c *client, h *smb2.Header) { h.MessageID = 0 },
		"not granted":    func(c *client, h *smb2.Header) { h.MessageID += 8192 },
		"charge too big": func(c *client, h *smb2.Header) { h.CreditCharge = 100 },
		"a response":     func(c *client, h *smb2.Header) { h.Flags |= smb2.FlagServerToRedir },
	} {
		t.Run(name, func(t *testing.T) {
			ts := serve(t, nil)
			c := ts.login(t, smb2.Dialect311, "anna")
			c.want(ntstatus.Success, smb2.CommandEcho, echoRequest)
			h := c.header(smb2.CommandEcho)
			edit(c, &h)
			c.write(c.message(h, echoRequest))
			c.gone()
			ts.upper.await(t, "session anna")
		})
	}
}

// TestCreditsGranted: what is asked for is granted, up to the limit, but not by NEGOTIATE or half a SESSION_SETUP.
func TestCreditsGranted(t *testing.T) {
	ts := serve(t, nil)
	c := ts.dial(t, smb2.Dialect311)
	c.credits = 65535
	c.mustNegotiate()
	conn := ts.snapshot()[0]
	if got := conn.window.credits(); got != 1 {
		t.Errorf("after NEGOTIATE the client has %d credits, want 1", got)
	}
	c.mustSetup("anna")
	if got := conn.window.credits(); got != 8192 {
		t.Errorf("after SESSION_SETUP the client has %d credits, want 8192", got)
	}
	for range 3 {
		if h, _ := c.call(smb2.CommandEcho, echoRequest); h.Credits != 1 {
			t.Errorf("ECHO with a full window grants %d, want 1", h.Credits)
		}
	}
}

// TestSkippedMessageID: credits go on until the window is full, and come back with the id skipped.
func TestSkippedMessageID(t *testing.T) {
	ts := serve(t, func(cfg *Config) { cfg.Credits = 64 })
	c := ts.dial(t, smb2.Dialect311)
	c.credits = 64
	c.mustNegotiate()
	c.mustSetup("anna")
	skipped := c.mid
	c.mid++
	for range 63 {
		c.want(ntstatus.Success, smb2.CommandEcho, echoRequest)
	}
	conn := ts.snapshot()[0]
	if got := conn.window.credits(); got != 1 {
		t.Errorf("with a full window the client has %d credits, want 1", got)
	}
	c.mid = skipped
	c.want(ntstatus.Success, smb2.CommandEcho, echoRequest)
	if got := conn.window.credits(); got != 64 {
		t.Errorf("the client has %d credits, want 64", got)
	}
	c.mid = skipped + 64
	c.want(ntstatus.Success, smb2.CommandEcho, echoRequest)
}

// TestCreditCharge: payload must be paid for, and no more be asked for than was negotiated ([MS-SMB2] 3.3.5.2.5).
func TestCreditCharge(t *testing.T) {
	ts := serve(t, nil)
	c := ts.dial(t, smb2.Dialect311)
	c.credits = 1000
	c.mustNegotiate()
	c.mustSetup("anna")
	c.tree("share")
	for _, test := range []struct {
		name   string
		length uint32
		charge uint16
		want   ntstatus.Status
	}{
		{"one", 65536, 1, ntstatus.Success},
		{"none for little", 65536, 0, ntstatus.Success},
		{"too little", 65537, 1, ntstatus.InvalidParameter},
		{"none for much", 65537, 0, ntstatus.InvalidParameter},
		{"two", 131072, 2, ntstatus.Success},
		{"largest", 8 << 20, 128, ntstatus.Success},
		{"too large", 8<<20 + 1, 200, ntstatus.InvalidParameter},
	} {
		h := c.header(smb2.CommandRead)
		h.CreditCharge = test.charge
		c.mid += uint64(max(test.charge, 1)) - 1
		c.write(c.message(h, readRequest(smb2.FileID{Volatile: 1}, test.length)))
		f := c.mustRead()
		if f.hdrs[0].Status != test.want {
			t.Errorf("%s: got %v, want %v", test.name, f.hdrs[0].Status, test.want)
		}
		if f.hdrs[0].CreditCharge != test.charge {
			t.Errorf("%s: reply says charge %d, want %d", test.name, f.hdrs[0].CreditCharge, test.charge)
		}
	}
	if got := ts.snapshot()[0].readGate.owed.Load(); got != 0 {
		t.Errorf("%d bytes of READ still counted", got)
	}

	c = ts.login(t, smb2.Dialect202, "anna")
	c.tree("share")
	c.want(ntstatus.Success, smb2.CommandRead, readRequest(smb2.FileID{Volatile: 1}, 65536))
	c.want(ntstatus.InvalidParameter, smb2.CommandRead, readRequest(smb2.FileID{Volatile: 1}, 65537))
}
