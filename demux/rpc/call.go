package rpc

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/oiweiwei/go-msrpc/dcerpc"
	"github.com/oiweiwei/go-msrpc/ndr"
)

// Statuses of methods ([MS-ERREF] 2.2, [MS-SRVS] 2.2.2).
const (
	success            uint32 = 0
	errorAccessDenied  uint32 = 5
	errorInvalidParam  uint32 = 87
	errorInvalidName   uint32 = 123
	errorInvalidLevel  uint32 = 124
	errorMoreData      uint32 = 234
	nerrNetNotFound    uint32 = 2310
	nerrClientNotFound uint32 = 2312
	nerrFileNotFound   uint32 = 2314
)

// maxPreferred says that a client takes all there is ([MS-SRVS] 2.2.2.2, MAX_PREFERRED_LENGTH).
const maxPreferred = 0xFFFFFFFF

// operation is a row of an interface's table: a method that we have.
type operation struct {
	// strings and levels are of the methods that list: how many unique strings stand before the level of the request,
	// and the levels that we have. The library cannot unpack a request of another level, nor answer it.
	strings int
	levels  []uint32
	// armed are levels that we do not have, but that clients know as a pointer.
	armed []uint32
}

// handle is a generated dispatcher of go-msrpc: it unpacks the request, calls our method and gives the operation
// that packs the answer.
type handle func(ctx context.Context, opnum int, r ndr.Reader) (dcerpc.Operation, error)

// serve makes a method of a dispatcher. A request that cannot be unpacked is RPC_X_BAD_STUB_DATA.
func serve(table map[uint16]operation, of func(c Caller) handle) method {
	return func(c Caller, opnum uint16, stub []byte, order binary.ByteOrder) (answer []byte, fault uint32) {
		row, ok := table[opnum]
		if !ok {
			return nil, faultOpRange
		}
		if row.levels != nil {
			level, ok := listLevel(stub, order, row.strings)
			if !ok {
				return nil, faultNDR
			}
			if !slices.Contains(row.levels, level) {
				return noSuchList(level, slices.Contains(row.armed, level)), 0
			}
		}
		drep := ndr.DefaultDataRepresentation
		if order == binary.ByteOrder(binary.BigEndian) {
			drep = 0
		}
		op, err := of(c)(context.Background(), int(opnum), ndr.NDR20(stub, drep))
		var ready answered
		if errors.As(err, &ready) {
			return ready, 0
		}
		if err != nil || op == nil {
			return nil, faultNDR
		}
		if answer, err = ndr.MarshalResponse(op); err != nil {
			return nil, faultNDR
		}
		return answer, 0
	}
}

// answered is an answer that the library cannot pack, ready as it is; a method returns it as its error.
type answered []byte

func (answered) Error() string { return "answered already" }

// noSuchLevel is the answer to a request for information of a level that not even the library knows: the level, a union
// with a null pointer, and the status.
func noSuchLevel(level uint32) answered { return words(level, 0, errorInvalidLevel) }

// words are 32-bit values in NDR.
func words(list ...uint32) []byte {
	var b []byte
	for _, w := range list {
		b = le.AppendUint32(b, w)
	}
	return b
}

// listLevel finds the level in a request to list something, behind so many unique strings.
func listLevel(stub []byte, order binary.ByteOrder, strings int) (level uint32, ok bool) {
	at := 0
	word := func() uint32 {
		if at+4 > len(stub) {
			return 0
		}
		at += 4
		return order.Uint32(stub[at-4:])
	}
	for range strings {
		if word() == 0 {
			continue
		}
		_, _ = word(), word() // maximum count, offset
		n := word()
		if uint64(n)*2 > uint64(len(stub)) {
			return 0, false
		}
		at = (at + int(n)*2 + 3) &^ 3
	}
	if at+4 > len(stub) {
		return 0, false
	}
	return word(), true
}

// noSuchList is the answer to a request to list something in a level that is not there: the level, a union that is
// empty, or a null pointer for clients that know the level, no entries, no resume handle.
func noSuchList(level uint32, armed bool) []byte {
	b := words(level, level)
	if armed {
		b = append(b, words(0)...)
	}
	return append(b, words(0, 0, errorInvalidLevel)...)
}

// page cuts a list as a client wishes: from resume on, as many as fit into limit bytes when each takes about
// size; the next resume handle is 0 at the end.
func page[T any](list []T, resume, limit uint32, size int) (part []T, next uint32, status uint32) {
	if uint64(resume) >= uint64(len(list)) {
		return nil, 0, success
	}
	part = list[resume:]
	if limit == maxPreferred {
		return part, 0, success
	}
	if n := max(1, int(limit)/size); n < len(part) {
		return part[:n], resume + uint32(n), errorMoreData
	}
	return part, 0, success
}

// text is a string that stays one when it is empty: the library makes a null pointer of "".
func text(s string) string {
	if s == "" {
		return ndr.ZeroString
	}
	return s
}

// each maps a list.
func each[T, U any](list []T, f func(*T) U) []U {
	out := make([]U, len(list))
	for i := range list {
		out[i] = f(&list[i])
	}
	return out
}
