package ntlm

// Flags are the NEGOTIATE flags, [MS-NLMP] 2.2.2.5.
type Flags uint32

// The flags by their names in [MS-NLMP], without NTLMSSP_.
const (
	NegotiateUnicode     Flags = 1 << 0
	NegotiateOEM         Flags = 1 << 1
	RequestTarget        Flags = 1 << 2
	NegotiateSign        Flags = 1 << 4
	NegotiateSeal        Flags = 1 << 5
	NegotiateDatagram    Flags = 1 << 6
	NegotiateLMKey       Flags = 1 << 7
	NegotiateNTLM        Flags = 1 << 9
	NegotiateAnonymous   Flags = 1 << 11
	NegotiateAlwaysSign  Flags = 1 << 15
	TargetTypeDomain     Flags = 1 << 16
	TargetTypeServer     Flags = 1 << 17
	NegotiateExtendedSec Flags = 1 << 19 // EXTENDED_SESSIONSECURITY
	NegotiateTargetInfo  Flags = 1 << 23
	NegotiateVersion     Flags = 1 << 25
	Negotiate128         Flags = 1 << 29
	NegotiateKeyExchange Flags = 1 << 30
	Negotiate56          Flags = 1 << 31
	echoedFlags                = NegotiateExtendedSec | NegotiateSign | NegotiateSeal | NegotiateAlwaysSign | NegotiateVersion | Negotiate128 | NegotiateKeyExchange | Negotiate56
)
