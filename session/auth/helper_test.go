package auth

import (
	"context"
	"errors"
	"testing"

	"smbproxy/internal/ntstatus"
	"smbproxy/session/auth/ntlm"
)

// TestHelperTakesOurDomainOnly: a user of a trusted domain would become whoever has his name in ours.
func TestHelperTakesOurDomainOnly(t *testing.T) {
	h := helper{domains: []string{"WG", "wg.example.test"}}
	for domain, want := range map[string]bool{
		"WG": true, "wg": true, "WG.EXAMPLE.TEST": true, "": true, "OTHER": false, "WG2": false, "other.example.test": false,
	} {
		if got := h.ours(domain); got != want {
			t.Errorf("domain %q: ours %v, want %v", domain, got, want)
		}
	}
	if (helper{domains: []string{"WG", ""}}).ours("X") {
		t.Error("without a realm any domain is ours")
	}
	_, err := h.Verify(context.Background(), &ntlm.Response{User: "anna", Domain: "OTHER"}) // the pool is not asked
	if !errors.Is(err, ntstatus.LogonFailure) {
		t.Errorf("a user of a trusted domain: %v, want LOGON_FAILURE", err)
	}
}
