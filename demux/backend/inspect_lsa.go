package backend

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	lsarpc "github.com/oiweiwei/go-msrpc/msrpc/lsad/lsarpc/v0"
	"github.com/oiweiwei/go-msrpc/ndr"

	"smbproxy/internal/ntstatus"
	"smbproxy/internal/smb2"
)

// identity asks LSA who the machine is ([MS-LSAD] 3.1.4.4): access control lists
// hold SIDs, and a backend with another machine SID refuses users their own files.
func (i *inspector) identity(ctx context.Context, s *session) {
	name, sid, err := machine(ctx, s)
	if err != nil {
		err = fmt.Errorf("%w: %w", errNotShown, err)
		i.note("", "netbios name", err)
		i.note("", "machine sid", err)
		return
	}
	i.note("", "netbios name", want(strings.EqualFold(name, i.e.NetBIOSName), "it is %s, not %s", name, i.e.NetBIOSName))
	i.note("", "machine sid", want(sid == i.e.MachineSID, "it is %s, not %s", sid, i.e.MachineSID))
}

// lsaBind is a BIND for lsarpc 12345778-1234-ABCD-EF00-0123456789AB version 0.0
// in NDR ([C706] 12.6.4.3, [MS-LSAD] 1.9).
var lsaBind = []byte("\x05\x00\x0b\x03\x10\x00\x00\x00\x48\x00\x00\x00\x01\x00\x00\x00\xb8\x10\xb8\x10\x00\x00\x00\x00" +
	"\x01\x00\x00\x00\x00\x00\x01\x00\x78\x57\x34\x12\x34\x12\xcd\xab\xef\x00\x01\x23\x45\x67\x89\xab\x00\x00\x00\x00" +
	"\x04\x5d\x88\x8a\xeb\x1c\xc9\x11\x9f\xe8\x08\x00\x2b\x10\x48\x60\x02\x00\x00\x00")

// Operations of lsarpc, and what a PDU has before its stub.
const (
	lsarQueryInformationPolicy = 7
	lsarOpenPolicy2            = 44
	rpcHeader                  = 24
	rpcResponse                = 2
	rpcBindAck                 = 12
)

// machine is the name and the SID of the backend's account domain.
func machine(ctx context.Context, s *session) (name, sid string, err error) {
	tc, err := s.inspectTree(ctx, ipc)
	if err != nil {
		return "", "", err
	}
	var pipe smb2.CreateResponse
	if err := s.must(ctx, tc, smb2.CommandCreate, &smb2.CreateRequest{
		ImpersonationLevel: 2, DesiredAccess: smb2.FileReadData | smb2.FileWriteData, ShareAccess: 3, CreateDisposition: smb2.FileOpen, Name: "lsarpc",
	}, &pipe); err != nil {
		return "", "", err
	}
	defer func() { _ = s.must(ctx, tc, smb2.CommandClose, &smb2.CloseRequest{FileID: pipe.FileID}, nil) }()
	talk := func(pdu []byte, kind byte) ([]byte, error) {
		var reply smb2.IoctlResponse
		err := s.must(ctx, tc, smb2.CommandIoctl, &smb2.IoctlRequest{
			CtlCode: smb2.FsctlPipeTransceive, FileID: pipe.FileID, MaxOutputResponse: 4280, Flags: smb2.IoctlIsFsctl, Input: pdu,
		}, &reply)
		if err == nil && (len(reply.Output) < rpcHeader || reply.Output[2] != kind) {
			err = errors.New("lsarpc answers with something else")
		}
		return reply.Output, err
	}
	call := func(opnum uint16, in ndr.Marshaler, out ndr.Unmarshaler) error {
		stub, err := ndr.Marshal(in)
		if err != nil {
			return err
		}
		pdu := append([]byte{5, 0, 0, 3, 0x10, 0, 0, 0}, make([]byte, rpcHeader-8)...)
		binary.LittleEndian.PutUint16(pdu[8:], uint16(rpcHeader+len(stub)))
		binary.LittleEndian.PutUint32(pdu[16:], uint32(len(stub)))
		binary.LittleEndian.PutUint16(pdu[22:], opnum)
		reply, err := talk(append(pdu, stub...), rpcResponse)
		if err != nil {
			return err
		}
		return ndr.Unmarshal(reply[rpcHeader:], out)
	}
	if _, err := talk(lsaBind, rpcBindAck); err != nil {
		return "", "", err
	}
	return accountDomain(call)
}

// accountDomain asks LSA through call.
func accountDomain(call func(opnum uint16, in ndr.Marshaler, out ndr.Unmarshaler) error) (name, sid string, err error) {
	var opened lsarpc.OpenPolicy2Response
	const viewLocalInformation = 1
	if err := call(lsarOpenPolicy2, &lsarpc.OpenPolicy2Request{ObjectAttributes: &lsarpc.ObjectAttributes{}, DesiredAccess: viewLocalInformation}, &opened); err != nil {
		return "", "", err
	}
	if opened.Return != 0 {
		return "", "", ntstatus.Status(uint32(opened.Return))
	}
	answer := lsarpc.QueryInformationPolicyResponse{InformationClass: lsarpc.PolicyInformationClassAccountDomainInformation}
	if err := call(lsarQueryInformationPolicy, &lsarpc.QueryInformationPolicyRequest{Policy: opened.Policy, InformationClass: answer.InformationClass}, &answer); err != nil {
		return "", "", err
	}
	if answer.Return != 0 {
		return "", "", ntstatus.Status(uint32(answer.Return))
	}
	info, ok := answer.PolicyInformation.GetValue().(*lsarpc.PolicyAccountDomInfo)
	if !ok || info.DomainName == nil || info.DomainSID == nil {
		return "", "", errors.New("LSA tells no account domain")
	}
	got := smb2.SID{SubAuthority: info.DomainSID.SubAuthority}
	for _, b := range info.DomainSID.IDAuthority.Value {
		got.IdentifierAuthority = got.IdentifierAuthority<<8 | uint64(b)
	}
	return info.DomainName.Buffer, got.String(), nil
}
