package spnego

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"testing"
)

// sambaInit is the first token of Samba 4.17's `ntlm_auth --helper-protocol=gss-spnego-client`.
const sambaInit = "604806062b0601050502a03e303ca00e300c060a2b06010401823702020aa22a04284e544c4d5353500001000000058208620000000028000000000000002800000006010000000000" + "0f"

// sambaHint is the SecurityBuffer of a NEGOTIATE response of smbd 4.17 without Kerberos.
const sambaHint = "604806062b0601050502a03e303ca00e300c060a2b06010401823702020aa32a3028a0261b246e6f745f646566696e65645f696e5f5246433431373840706c656173655f69676e6f7265"

// TestForeignInit decodes a token that is not ours and encodes it to the same bytes.
func TestForeignInit(t *testing.T) {
	raw, err := hex.DecodeString(sambaInit)
	if err != nil {
		t.Fatal(err)
	}
	var m NegTokenInit
	if err := m.Decode(raw); err != nil {
		t.Fatal(err)
	}
	if len(m.MechTypes) != 1 || m.MechTypes[0] != OIDNTLMSSP || !bytes.HasPrefix(m.MechToken, []byte("NTLMSSP\x00")) || m.MechListMIC != nil {
		t.Errorf("got %+v", m)
	}
	if got := m.Append(nil); !bytes.Equal(got, raw) {
		t.Errorf("encoded again: got %x, want %x", got, raw)
	}
	if !bytes.Equal(m.MechListDER, MechList(OIDNTLMSSP)) {
		t.Errorf("mech list: got %x", m.MechListDER)
	}
}

// TestHint is byte for byte what smbd sends.
func TestHint(t *testing.T) {
	if got := hex.EncodeToString(Hint(OIDNTLMSSP)); got != sambaHint {
		t.Errorf("got  %s\nwant %s", got, sambaHint)
	}
	var m NegTokenInit
	if err := m.Decode(Hint(OIDMSKerberos, OIDKerberos, OIDNTLMSSP)); err != nil {
		t.Fatal(err)
	}
	if want := []OID{OIDMSKerberos, OIDKerberos, OIDNTLMSSP}; !reflect.DeepEqual(m.MechTypes, want) {
		t.Errorf("got %v, want %v", m.MechTypes, want)
	}
}

// TestRespRoundTrip encodes and decodes every combination of fields.
func TestRespRoundTrip(t *testing.T) {
	for _, state := range []State{AcceptCompleted, AcceptIncomplete, Reject, RequestMIC, StateAbsent} {
		for _, mech := range []OID{"", OIDNTLMSSP} {
			for _, token := range [][]byte{nil, {}, []byte("token")} {
				for _, mic := range [][]byte{nil, []byte("mic")} {
					want := NegTokenResp{State: state, SupportedMech: mech, ResponseToken: token, MechListMIC: mic}
					var got NegTokenResp
					if err := got.Decode(want.Append(nil)); err != nil || !reflect.DeepEqual(got, want) {
						t.Errorf("got %+v, %v; want %+v", got, err, want)
					}
				}
			}
		}
	}
}

// TestTruncations cuts tokens everywhere.
func TestTruncations(t *testing.T) {
	init := (&NegTokenInit{MechTypes: []OID{OIDKerberos, OIDNTLMSSP}, MechToken: []byte("token"), MechListMIC: []byte("mic")}).Append(nil)
	for n := range init {
		if new(NegTokenInit).Decode(init[:n]) == nil {
			t.Errorf("NegTokenInit cut to %d bytes was accepted", n)
		}
	}
	resp := (&NegTokenResp{State: AcceptIncomplete, ResponseToken: []byte("token"), MechListMIC: []byte("mic")}).Append(nil)
	for n := range resp {
		if new(NegTokenResp).Decode(resp[:n]) == nil {
			t.Errorf("NegTokenResp cut to %d bytes was accepted", n)
		}
	}
}

// TestManyMechs bounds the list.
func TestManyMechs(t *testing.T) {
	mechs := make([]OID, maxMechs+1)
	for i := range mechs {
		mechs[i] = OIDNegoEx
	}
	if new(NegTokenInit).Decode((&NegTokenInit{MechTypes: mechs}).Append(nil)) == nil {
		t.Errorf("%d mechanisms were accepted", len(mechs))
	}
	if new(NegTokenInit).Decode((&NegTokenInit{}).Append(nil)) == nil {
		t.Error("no mechanism at all was accepted")
	}
}

// FuzzInit decodes anything; what decodes survives encoding.
func FuzzInit(f *testing.F) {
	raw, err := hex.DecodeString(sambaInit)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(Hint(OIDKerberos))
	f.Fuzz(func(t *testing.T, b []byte) {
		var m, again NegTokenInit
		if m.Decode(b) != nil {
			return
		}
		if err := again.Decode(m.Append(nil)); err != nil || !reflect.DeepEqual(again.MechTypes, m.MechTypes) || !bytes.Equal(again.MechToken, m.MechToken) {
			t.Fatalf("got %+v, %v; want %+v", again, err, m)
		}
	})
}

// FuzzResp likewise.
func FuzzResp(f *testing.F) {
	f.Add((&NegTokenResp{State: RequestMIC, SupportedMech: OIDNTLMSSP, ResponseToken: []byte("t"), MechListMIC: []byte("m")}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var m, again NegTokenResp
		if m.Decode(b) != nil {
			return
		}
		if err := again.Decode(m.Append(nil)); err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("got %+v, %v; want %+v", again, err, m)
		}
	})
}
