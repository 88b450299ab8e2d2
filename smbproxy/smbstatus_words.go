package main

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"strings"

	"smbproxy/internal/smb2"
	"smbproxy/statedb/core"
)

// This file has the words in which smbstatus(1) tells of opens (Samba 4.17).

// accessWord says what an access mask is good for, in few letters: r reads data, w writes it, d
// deletes, - none of them (attributes only).
func accessWord(a smb2.AccessMask) string {
	var out strings.Builder
	for _, bit := range []struct {
		mask smb2.AccessMask
		word string
	}{
		{smb2.FileReadData | smb2.GenericRead | smb2.GenericAll | smb2.MaximumAllowed, "r"},
		{smb2.FileWriteData | smb2.FileAppendData | smb2.GenericWrite | smb2.GenericAll | smb2.MaximumAllowed, "w"},
		{smb2.Delete | smb2.GenericAll | smb2.MaximumAllowed, "d"},
	} {
		if a&bit.mask != 0 {
			out.WriteString(bit.word)
		}
	}
	return cmp.Or(out.String(), "-")
}

// mask writes flags as smbstatus does.
func mask(bits uint32) string { return fmt.Sprintf("0x%08x", bits) }

// letters writes the letters of the bits that are set, - for none.
func letters(bits uint32, words ...string) string {
	var out strings.Builder
	for i, w := range words {
		if bits&(1<<i) != 0 {
			out.WriteString(w)
		}
	}
	return cmp.Or(out.String(), "-")
}

// shareMode says what an open lets others do, denyMode the reverse.
func shareMode(s smb2.ShareAccess) string { return letters(uint32(s), "R", "W", "D") }

func denyMode(s smb2.ShareAccess) string {
	switch s & (smb2.FileShareRead | smb2.FileShareWrite) {
	case 0:
		return "DENY_ALL"
	case smb2.FileShareRead:
		return "DENY_WRITE"
	case smb2.FileShareWrite:
		return "DENY_READ"
	default:
		return "DENY_NONE"
	}
}

// readWrite says which way data goes.
func readWrite(granted smb2.AccessMask) string {
	switch granted & (smb2.FileReadData | smb2.FileWriteData) {
	case smb2.FileReadData | smb2.FileWriteData:
		return "RDWR"
	case smb2.FileWriteData:
		return "WRONLY"
	default:
		return "RDONLY"
	}
}

// caching names a lease's state.
func caching(s smb2.LeaseState) string {
	var out string
	for _, b := range []struct {
		bit  smb2.LeaseState
		word string
	}{{smb2.LeaseReadCaching, "R"}, {smb2.LeaseWriteCaching, "W"}, {smb2.LeaseHandleCaching, "H"}} {
		if s&b.bit != 0 {
			out += b.word
		}
	}
	return out
}

// oplockWord names what an open's client may cache.
func oplockWord(i *core.OpenInfo) string {
	switch i.Oplock {
	case smb2.OplockLevelBatch:
		return "EXCLUSIVE+BATCH"
	case smb2.OplockLevelExclusive:
		return "EXCLUSIVE"
	case smb2.OplockLevelII:
		return "LEVEL_II"
	case smb2.OplockLevelLease:
		return "LEASE(" + caching(i.LeaseState) + ")"
	default:
		return "NONE"
	}
}

// leaseKey writes a key or a GUID in the order of its bytes on the wire.
func leaseKey(k [16]byte) string { return hex.EncodeToString(k[:]) }
