package ntlm

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// specExchange is an exchange that ended as that of [MS-NLMP] 4.2.4.
func specExchange() *Exchange {
	x := &Exchange{flags: NegotiateExtendedSec | NegotiateKeyExchange | Negotiate128 | Negotiate56 | NegotiateSeal | NegotiateSign}
	for i := range x.exported {
		x.exported[i] = 0x55
	}
	return x
}

// TestUnsealSpec opens the sealed message of [MS-NLMP] 4.2.4.4.
func TestUnsealSpec(t *testing.T) {
	data, _ := hex.DecodeString("54e50165bf1936dc996020c1811b0f06fb5f")
	signature, _ := hex.DecodeString("010000007fb38ec5c55d497600000000")
	want := utf16le("Plaintext")
	c := specExchange().Channel()
	if !c.Unseal(data, data, signature) || !bytes.Equal(data, want) {
		t.Errorf("got %x, want %x", data, want)
	}
}

// TestChannelOrder: a message that is changed, repeated or out of turn is refused, and a mechListMIC counts.
func TestChannelOrder(t *testing.T) {
	peer := func(x *Exchange) *Channel { // the client's end
		c := x.Channel()
		c.to, c.from = c.from, c.to
		return c
	}
	msg := []byte("a message")
	server, client := specExchange().Channel(), peer(specExchange())
	first, second := client.Sign(msg), client.Sign(msg)
	if !server.Verify(msg, first[:]) {
		t.Error("the first message is refused")
	}
	if server.Verify(msg, first[:]) {
		t.Error("a repeated message is taken")
	}
	if server.Verify(msg, second[:]) {
		t.Error("a message out of turn is taken")
	}
	server, client = specExchange().Channel(), peer(specExchange())
	sealed := bytes.Clone(msg)
	sum := client.Seal(sealed[2:], sealed)
	sealed[3] ^= 1
	if server.Unseal(sealed[2:], sealed, sum[:]) {
		t.Error("a changed message is taken")
	}
	x := specExchange()
	x.Verify(msg, nil)
	if got := x.Channel().from.number; got != 1 {
		t.Errorf("after a mechListMIC the next message is number %d, want 1", got)
	}
}
