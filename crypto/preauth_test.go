package crypto

import (
	"bufio"
	"os"
	"strings"
	"testing"
)

// TestPreauthHash follows the sample of "SMB 3.1.1 pre-authentication integrity
// in Windows 10" message by message and ends in the check that matters: the
// signature of the final SESSION_SETUP response.
func TestPreauthHash(t *testing.T) {
	file, err := os.Open("testdata/preauth311.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var h PreauthHash
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		kind, value, _ := strings.Cut(lines.Text(), " ")
		switch kind {
		case "message":
			h.Update(unhex(t, value))
		case "hash":
			want(t, "hash", h[:], value)
		case "signed":
			k := DeriveKeys(0x0311, unhex(t, "270E1BA896585EEB7AF3472D3B4C75A7"), h, CipherNone, SigningAESCMAC)
			s, err := NewSigner(k.SigningAlgorithm, k.SigningKey)
			if err != nil {
				t.Fatal(err)
			}
			msg := unhex(t, value)
			if !s.Verify(nil, msg) {
				t.Errorf("the sample's SESSION_SETUP response is not taken for signed")
			}
			msg[len(msg)-1] ^= 1
			if s.Verify(nil, msg) {
				t.Errorf("a changed SESSION_SETUP response is taken for signed")
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}
