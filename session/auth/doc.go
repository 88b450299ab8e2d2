// Package auth finds out who a client is: SPNEGO ([MS-SPNG], RFC 4178) with NTLMv2
// ([MS-NLMP]) and Kerberos 5 (RFC 4120, RFC 4121), or either of them without SPNEGO.
//
//	auth            SPNEGO negotiation, mechListMIC, policy, wiring
//	auth/spnego     the SPNEGO tokens: codec only
//	auth/ntlm       NTLM messages, NTLMv2 arithmetic, the acceptor
//	auth/passdb     accounts from an smbpasswd-format file
//	auth/ntlmauth   accounts of a domain, through child processes `ntlm_auth`
//	auth/kerberos   the AP exchange with a keytab
//	auth/filecache  a parsed file that is read again when it changes
//
// One exchange:
//
//	        NegTokenInit            NegTokenResp...                    MIC only
//	start ---------------> mech -------------------> mech done ------------------> over
//	  |                                                  |   MIC there or not needed
//	  |  raw NTLMSSP or Kerberos: no SPNEGO              +-------------------------> over
//	  +---------------> raw mech ----------------------------------------------------> over
//
// A refused token ends the exchange. What is secret (hashes, keys, tokens) never
// enters an error or a log record; user names do.
package auth
