package auth

import (
	"context"
	"fmt"

	"smbproxy/internal/ntstatus"
	"smbproxy/session/auth/ntlm"
	"smbproxy/session/auth/spnego"
)

// phase is where an exchange stands; see the diagram in doc.go.
type phase int

// The phases.
const (
	phaseStart phase = iota
	phaseRaw         // a mechanism without SPNEGO
	phaseMech        // under SPNEGO, the mechanism wants more
	phaseMIC         // the mechanism is done, the client owes its mechListMIC
	phaseOver
)

// exchange implements Exchange for the Acceptor.
type exchange struct {
	a     *Acceptor
	phase phase
	asked bool // the client sent an empty token and got the hint
	mech  mechanism

	mechList []byte     // DER of the client's mechTypes: what mechListMIC covers
	chosen   spnego.OID // to be named in our first NegTokenResp; then empty
	needMIC  bool       // the mechanism is not the client's first choice
	result   *Result    // in phaseMIC
}

// Step implements Exchange.
func (x *exchange) Step(ctx context.Context, token []byte) ([]byte, *Result, error) {
	reply, done, err := x.step(ctx, token)
	if err != nil || done != nil {
		x.phase, x.result = phaseOver, nil
	}
	return reply, done, err
}

// step is Step but for the end.
func (x *exchange) step(ctx context.Context, token []byte) ([]byte, *Result, error) {
	switch x.phase {
	case phaseStart:
		return x.start(ctx, token)
	case phaseRaw:
		return x.mech.Step(ctx, token)
	case phaseMech, phaseMIC:
		return x.next(ctx, token)
	default:
	}
	return nil, nil, refuse(ntstatus.InvalidParameter, "token after the end of the exchange")
}

// start takes the first token: SPNEGO's, or a mechanism's own ([MS-SMB2] 3.3.5.5.3 leaves it to
// GSS, Windows and Samba take both).
func (x *exchange) start(ctx context.Context, token []byte) ([]byte, *Result, error) {
	if len(token) == 0 && !x.asked {
		x.asked = true
		return x.a.hint, nil, nil
	}
	mech, _, ok := spnego.Mechanism(token)
	switch {
	case ntlm.IsMessage(token):
		mech = spnego.OIDNTLMSSP
	case !ok:
		return nil, nil, refuse(ntstatus.InvalidParameter, "token is neither SPNEGO nor NTLM nor Kerberos")
	case mech == spnego.OIDSPNEGO:
		return x.negotiate(ctx, token)
	}
	begin, ok := x.a.mechs[mech]
	if !ok {
		return nil, nil, refuse(ntstatus.LogonFailure, "client insists on %v, which is not configured", mech)
	}
	x.phase, x.mech = phaseRaw, begin()
	return x.mech.Step(ctx, token)
}

// negotiate takes the NegTokenInit: of the client's mechanisms, in its order, the first that we
// have, RFC 4178 4.2.1. Its optimistic token is of any use only if that is its very first.
func (x *exchange) negotiate(ctx context.Context, token []byte) ([]byte, *Result, error) {
	var init spnego.NegTokenInit
	if err := init.Decode(token); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", err, ntstatus.InvalidParameter)
	}
	for i, oid := range init.MechTypes {
		begin, ok := x.a.mechs[oid]
		if !ok {
			continue
		}
		x.phase, x.mech, x.chosen = phaseMech, begin(), oid
		x.mechList = append([]byte(nil), init.MechListDER...)
		x.needMIC = i > 0
		if i == 0 && len(init.MechToken) > 0 {
			return x.advance(ctx, init.MechToken, init.MechListMIC)
		}
		return x.more(nil, nil), nil, nil
	}
	return nil, nil, refuse(ntstatus.InvalidParameter, "no mechanism of the client's is configured here, it offers %v", init.MechTypes)
}

// next takes a NegTokenResp.
func (x *exchange) next(ctx context.Context, token []byte) ([]byte, *Result, error) {
	var resp spnego.NegTokenResp
	if err := resp.Decode(token); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", err, ntstatus.InvalidParameter)
	}
	if resp.State == spnego.Reject {
		return nil, nil, refuse(ntstatus.LogonFailure, "client gave up the negotiation")
	}
	if x.phase == phaseMech {
		return x.advance(ctx, resp.ResponseToken, resp.MechListMIC)
	}
	if len(resp.ResponseToken) > 0 || resp.MechListMIC == nil {
		return nil, nil, refuse(ntstatus.InvalidParameter, "client did not send its mechListMIC")
	}
	if !x.mech.Verify(x.mechList, resp.MechListMIC) {
		return nil, nil, errMechList
	}
	return (&spnego.NegTokenResp{State: spnego.AcceptCompleted}).Append(nil), x.result, nil
}

// advance gives the mechanism its token and, when it is done, settles mechListMIC.
func (x *exchange) advance(ctx context.Context, mechToken, mic []byte) ([]byte, *Result, error) {
	reply, done, err := x.mech.Step(ctx, mechToken)
	if err != nil {
		return nil, nil, err
	}
	if done == nil {
		return x.more(reply, nil), nil, nil
	}
	final := spnego.NegTokenResp{State: spnego.AcceptCompleted, SupportedMech: x.chosen, ResponseToken: reply}
	switch {
	case done.Identity.Guest || done.Identity.Anonymous:
		// There is no key that proves anything: RFC 4178 5 has no mechListMIC without integrity.
	case mic != nil:
		if !x.mech.Verify(x.mechList, mic) {
			return nil, nil, errMechList
		}
		final.MechListMIC = x.mech.Sign(x.mechList)
	case x.needMIC || x.mech.MustSignMechList():
		x.phase, x.result = phaseMIC, done
		return x.more(reply, x.mech.Sign(x.mechList)), nil, nil
	}
	return final.Append(nil), done, nil
}

// more encodes an answer that is not the last. The first names the mechanism, and asks for
// mechListMIC when it is not the client's first choice, RFC 4178 4.2.2 and 5.
func (x *exchange) more(mechToken, mic []byte) []byte {
	resp := spnego.NegTokenResp{State: spnego.AcceptIncomplete, SupportedMech: x.chosen, ResponseToken: mechToken, MechListMIC: mic}
	if x.chosen != "" && x.needMIC && mic == nil {
		resp.State = spnego.RequestMIC
	}
	x.chosen = ""
	return resp.Append(nil)
}

// errMechList is RFC 4178's answer to a mechanism list that was changed on the way.
var errMechList = refuse(ntstatus.AccessDenied, "mechListMIC is wrong: the list of mechanisms was changed on the way")

// refuse makes the error that ends an exchange.
func refuse(status ntstatus.Status, format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), status)
}
