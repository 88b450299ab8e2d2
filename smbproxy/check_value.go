package main

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"smbproxy/internal/smbconf"
)

// parseNetBIOSName takes a NetBIOS name: 1 to 15 printing ASCII characters, upper case
// ([MS-NBTE] 2.2.1; the characters that Windows refuses in computer names).
func parseNetBIOSName(s string) (string, error) {
	if len(s) > 15 {
		return "", fmt.Errorf("%q has %d characters, NetBIOS names have at most 15", s, len(s))
	}
	for _, c := range s {
		if c <= ' ' || c > '~' || strings.ContainsRune(`\/:*?"<>|.,`, c) {
			return "", fmt.Errorf("%q cannot stand in a NetBIOS name", c)
		}
	}
	return strings.ToUpper(s), nil
}

// realmPattern is a realm in the style of domain names (RFC 4120 6.1), which is all that smbd and gokrb5 agree on.
var realmPattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$`)

// parseRealm takes a Kerberos realm, which is upper case by convention and in smbd always.
func parseRealm(s string) (string, error) {
	if !realmPattern.MatchString(s) {
		return "", fmt.Errorf("%q is not a realm (example: EXAMPLE.COM)", s)
	}
	return strings.ToUpper(s), nil
}

func checkDNSName(s string) error {
	if !realmPattern.MatchString(s) || len(s) > 253 {
		return fmt.Errorf("%q is not a DNS name", s)
	}
	return nil
}

var machineSIDPattern = regexp.MustCompile(`^S-1-5-21-[0-9]{1,10}-[0-9]{1,10}-[0-9]{1,10}$`)

func checkMachineSID(s string) error {
	if !machineSIDPattern.MatchString(s) {
		return fmt.Errorf("%q is not the SID of a machine (example: S-1-5-21-1000000001-1000000002-1000000003)", s)
	}
	return nil
}

func checkAbsolute(s string) error {
	if !strings.HasPrefix(s, "/") {
		return fmt.Errorf("%q is not an absolute path", s)
	}
	if filepath.Clean(s) != strings.TrimSuffix(s, "/") && s != "/" {
		return fmt.Errorf("%q is not a clean path, write %s", s, filepath.Clean(s))
	}
	return nil
}

// parseKeytabPath takes an absolute path, with or without the FILE: that smb.conf(5) wants.
func parseKeytabPath(s string) (string, error) {
	s = strings.TrimPrefix(s, "FILE:")
	return s, checkAbsolute(s)
}

// parseLoopback takes a loopback address and port.
func parseLoopback(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil || port == "" {
		return "", fmt.Errorf("%q is not address:port", s)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return "", fmt.Errorf("%s is not a loopback address (127.0.0.1, ::1)", host)
	}
	return splitHostPort(s, port)
}

// checkUserName takes what may be minted into a ticket (DESIGN 5) and stand in smb.conf.
func checkUserName(s string) error {
	if strings.ContainsAny(s, "@/\\:, \t\"") {
		return fmt.Errorf("%q is not the name of a local user", s)
	}
	if s == "root" {
		return errors.New("root is never let through to a backend")
	}
	return nil
}

var principalPattern = regexp.MustCompile(`^cifs/[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)

// checkOSTIndex takes the number of an OST.
func checkOSTIndex(s string) error {
	_, err := smbconf.Int(s, 0, 0xFFFE)
	return err
}

func checkPrincipal(s string) error {
	if !principalPattern.MatchString(s) {
		return fmt.Errorf("%q is not of the form cifs/NAME", s)
	}
	return nil
}

// checkShareName takes a name that a client can write behind \\server\ ([MS-SMB2] 3.3.4.13, [MS-FSCC]
// 2.1.6: at most 80 characters, none of a list) and that smb.conf can hold in brackets.
func checkShareName(s string) error {
	if n := utf8.RuneCountInString(s); n > 80 {
		return fmt.Errorf("the name has %d characters, share names have at most 80", n)
	}
	for _, c := range s {
		if c < ' ' || c == 0x7f || strings.ContainsRune(`%<>*?|/\+=;:",[]`, c) {
			return fmt.Errorf("%q cannot stand in a share name", c)
		}
	}
	return nil
}

// backendNamePattern is what NAME in [backend:NAME] may be: it becomes part of file names,
// principals and metric labels.
var backendNamePattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$`)

func checkBackendName(s string) error {
	if !backendNamePattern.MatchString(s) {
		return fmt.Errorf("%q cannot be the name of a backend: letters, digits, dots, dashes, at most 64", s)
	}
	return nil
}

// reservedShares are section names that mean something else in smb.conf(5).
var reservedShares = map[string]string{
	"ipc$":     "IPC$ is served by smbproxy itself",
	"homes":    "[homes] is not supported: make a share for the directory above the homes",
	"printers": "smbproxy serves no printers",
	"print$":   "smbproxy serves no printers",
}
