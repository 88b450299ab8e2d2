package hostile

import (
	"testing"

	"smbproxy/internal/rawsmb"
)

func TestStack(t *testing.T) {
	s := newStack(t, nil)
	w := newWitness(s.client(t, "user1", rawsmb.Options{}))
	w.undisturbed(t)
}
