package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// serverGUIDFile is the file in the state directory that holds the ServerGuid.
const serverGUIDFile = "server_guid"

// loadServerGUID reads the ServerGuid of [MS-SMB2] 3.3.1.5, and makes it once. Clients compare it
// between connections and in VALIDATE_NEGOTIATE_INFO, so it must survive restarts; a damaged file
// is an error rather than a reason for a new one.
func loadServerGUID(stateDirectory string) (guid [16]byte, err error) {
	path := filepath.Join(stateDirectory, serverGUIDFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		rand.Read(guid[:])
		guid[6], guid[8] = guid[6]&0x0f|0x40, guid[8]&0x3f|0x80 // RFC 9562, version 4
		return guid, replaceFile(path, []byte(formatGUID(guid)+"\n"))
	}
	if err != nil {
		return guid, err
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(string(text)), "-", ""))
	if err != nil || len(raw) != len(guid) {
		return guid, fmt.Errorf("%s holds no GUID: remove it to get a new one, all clients must reconnect then", path)
	}
	return [16]byte(raw), nil
}

// formatGUID writes the bytes in the order in which they stand on the wire.
func formatGUID(g [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", g[0:4], g[4:6], g[6:8], g[8:10], g[10:16])
}
