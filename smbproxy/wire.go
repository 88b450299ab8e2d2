package main

import (
	"errors"
	"io/fs"
	"log/slog"
	"strconv"
	"strings"

	"smbproxy/acl"
	"smbproxy/crypto"
	"smbproxy/demux"
	"smbproxy/demux/backend"
	"smbproxy/demux/rpc"
	"smbproxy/internal/smb2"
	"smbproxy/session"
	"smbproxy/session/auth"
)

// Words of smb.conf(5) to values of the wire; the parameter table has checked the words.
var (
	dialects = map[string]smb2.Dialect{"SMB2_02": smb2.Dialect202, "SMB2_10": smb2.Dialect210, "SMB3_00": smb2.Dialect300, "SMB3_02": smb2.Dialect302, "SMB3_11": smb2.Dialect311}

	signingByName = map[string]crypto.SigningAlgorithm{
		"HMAC-SHA256": crypto.SigningHMACSHA256, "AES-128-CMAC": crypto.SigningAESCMAC, "AES-128-GMAC": crypto.SigningAESGMAC,
	}
	cipherByName = map[string]crypto.Cipher{
		"AES-128-CCM": crypto.CipherAES128CCM, "AES-128-GCM": crypto.CipherAES128GCM,
		"AES-256-CCM": crypto.CipherAES256CCM, "AES-256-GCM": crypto.CipherAES256GCM,
	}
)

var (
	encryptionByName = map[string]session.Encryption{
		"off": session.EncryptionOff, "if_required": session.EncryptionEnabled,
		"desired": session.EncryptionDesired, "required": session.EncryptionRequired,
	}
	shareEncryptionByName = map[string]demux.Encryption{
		"default": demux.EncryptionOff, "desired": demux.EncryptionDesired, "required": demux.EncryptionRequired,
	}
)

// wireNames maps a checked list of words.
func wireNames[T any](words []string, byName map[string]T) []T {
	out := make([]T, len(words))
	for i, w := range words {
		out[i] = byName[w]
	}
	return out
}

// authConfig is who may log on.
func authConfig(cfg *Config, log *slog.Logger) auth.Config {
	g := &cfg.Global
	out := auth.Config{
		ServerName:   g.NetBIOSName,
		Workgroup:    g.Workgroup,
		DNSName:      g.DNSHostname,
		Realm:        g.Realm,
		Keytab:       g.KeytabFile,
		Helpers:      g.NTLMHelpers,
		Anonymous:    g.RestrictAnonymous < 2,
		GuestAccount: g.GuestAccount,
		Log:          log,
	}
	if g.NTLMAuth != "disabled" {
		out.PassdbFile, out.NTLMHelper = g.PassdbFile, g.NTLMHelper
	}
	if g.MapToGuest == "bad user" {
		out.MapToGuest = auth.GuestBadUser
	}
	return out
}

// backendConfig is how to speak to one backend.
func backendConfig(cfg *Config, b *Backend) backend.Config {
	return backend.Config{
		Name:        b.Name,
		Address:     b.Address,
		Realm:       b.Realm,
		SPN:         b.ServicePrincipal,
		KeytabFile:  b.KeytabFile,
		Signing:     wireNames(b.SigningAlgorithms, signingByName),
		Encrypt:     b.Encryption == "required",
		Ciphers:     wireNames(b.EncryptionAlgorithms, cipherByName),
		Lanes:       b.Lanes,
		MaxLanes:    b.MaxLanes,
		MaxOpens:    b.MaxOpenFiles,
		DialTimeout: b.ConnectTimeout,
		MinUID:      uint32(cfg.Global.MinimumUID),

		SuspectAfter: b.SuspectAfter,
		DownAfter:    b.DownAfter,
		ProbeEvery:   b.ProbeInterval,
		FenceCommand: b.FenceCommand,
		FenceTimeout: b.FenceTimeout,
	}
}

// sessionConfig is the client side.
func sessionConfig(cfg *Config, guid [16]byte, a auth.Authenticator, observe session.Observer, log *slog.Logger) session.Config {
	g := &cfg.Global
	return session.Config{
		ServerGUID:               guid,
		MinDialect:               dialects[g.MinProtocol],
		MaxDialect:               dialects[g.MaxProtocol],
		SigningRequired:          g.Signing == "mandatory",
		SigningAlgorithms:        wireNames(g.SigningAlgorithms, signingByName),
		Encryption:               encryptionByName[g.Encryption],
		Ciphers:                  wireNames(g.EncryptionAlgorithms, cipherByName),
		MultiChannel:             g.MultiChannel,
		Credits:                  g.MaxCredits,
		Capabilities:             capabilities(cfg),
		MaxTransactSize:          uint32(g.MaxTransact),
		MaxReadSize:              uint32(g.MaxRead),
		MaxWriteSize:             uint32(g.MaxWrite),
		MaxConnections:           g.MaxConnections,
		MaxConnectionsPerAddress: g.MaxConnectionsPerAddress,
		AuthenticationTimeout:    g.AuthenticationTimeout,
		MaxFrameBeforeAuth:       uint32(g.UnauthenticatedFrame),
		Authenticator:            a,
		Log:                      log,
		Observe:                  observe,
	}
}

// capabilities are what clients are told besides what session itself can do: persistent handles where a share is there
// for them ([MS-SMB2] 3.3.5.4).
func capabilities(cfg *Config) smb2.Capabilities {
	caps := smb2.GlobalCapLeasing | smb2.GlobalCapDirectoryLeasing
	for _, s := range cfg.Shares {
		if s.Available && s.ContinuousAvailability {
			caps |= smb2.GlobalCapPersistentHandles
		}
	}
	return caps
}

// demuxConfig is the shares and where they are served. Pipes go to the first backend of the file.
func demuxConfig(cfg *Config, pools map[string]*backend.Pool, log *slog.Logger) (demux.Config, error) {
	out := demux.Config{
		FailoverTimeout: cfg.Global.FailoverTimeout, UnflushedLimit: cfg.Global.UnflushedLimit,
		Backends: pools, DataHandles: cfg.Global.MaxDataHandles, SmbtortureFsctls: cfg.Global.SmbtortureFsctls, Log: log}
	if len(cfg.Backends) > 0 {
		out.PipeBackend = cfg.Backends[0].Name
	}
	out.Identity = rpc.Identity{Name: cfg.Global.NetBIOSName, Domain: cfg.Global.Workgroup, Comment: cfg.Global.ServerString}
	if cfg.Global.RestrictAnonymous < 2 {
		out.GuestAccount = cfg.Global.GuestAccount
	}
	var faults []error
	var err error
	if out.Admins, err = acl.ParseUsers(cfg.Global.AdminUsers); err != nil {
		faults = append(faults, err)
	}
	if out.Interfaces, err = channelInterfaces(&cfg.Global, hostInterfaces); err != nil {
		faults = append(faults, err)
	}
	for _, s := range cfg.Shares {
		if !s.Available {
			continue
		}
		policy := acl.Policy{ReadOnly: s.ReadOnly}
		var errs [4]error
		policy.ValidUsers, errs[0] = acl.ParseUsers(s.ValidUsers)
		policy.InvalidUsers, errs[1] = acl.ParseUsers(s.InvalidUsers)
		policy.HostsAllow, errs[2] = acl.ParseHosts(s.HostsAllow)
		policy.HostsDeny, errs[3] = acl.ParseHosts(s.HostsDeny)
		faults = append(faults, errs[:]...)
		out.Shares = append(out.Shares, demux.Share{
			Name: s.Name, Backends: s.Backends, Routes: demuxRoutes(s.Routes), Striping: striping(cfg, s), BackendShare: s.BackendShare, Comment: s.Comment,
			Browseable: s.Browseable, GuestOK: s.GuestOK, OtherWriters: s.OtherWriters, NoChangeNotify: !s.ChangeNotify,
			ContinuouslyAvailable: s.ContinuousAvailability, Encrypt: shareEncryptionByName[s.Encryption], Policy: policy,
		})
	}
	return out, errors.Join(faults...)
}

// striping is where the data of a share's files lie.
func striping(cfg *Config, s *Share) demux.Striping {
	return demux.Striping{
		Backends: dataBackends(cfg, s), Share: s.dataShare(), Size: uint64(s.StripeSize), Count: s.StripeCount, MountPoint: s.MountPoint,
	}
}

// dataBackends are a share's `ost backends`, those that there are.
func dataBackends(cfg *Config, s *Share) []demux.DataBackend {
	var out []demux.DataBackend
	for i, name := range s.OSTBackends {
		b := cfg.backend(name)
		if b == nil {
			continue
		}
		index := i
		if b.OSTIndex != "" {
			index, _ = strconv.Atoi(b.OSTIndex) // checkOSTIndex has seen it
		}
		out = append(out, demux.DataBackend{Name: b.Name, Index: uint32(index), User: b.DataUser})
	}
	return out
}

// demuxRoutes are a share's routes in demux' spelling of paths.
func demuxRoutes(list []Route) []demux.Route {
	out := make([]demux.Route, len(list))
	for i, r := range list {
		out[i] = demux.Route{Path: strings.ReplaceAll(strings.Trim(r.Path, "/"), "/", `\`), Backends: r.Backends}
	}
	return out
}

// ensureKeytab makes the key of a backend. A key that exists is kept; with rotate a newer one is
// added to it. done says what happened.
func ensureKeytab(b *Backend, rotate bool) (done string, err error) {
	err = backend.GenerateKeytab(b.KeytabFile, b.ServicePrincipal, b.Realm)
	switch {
	case err == nil:
		return "made", nil
	case !errors.Is(err, fs.ErrExist):
		return "", err
	case rotate:
		_, err = backend.RotateKeytab(b.KeytabFile, b.ServicePrincipal, b.Realm)
		return "added a newer key to", err
	}
	_, err = backend.LoadKeytab(b.KeytabFile, b.ServicePrincipal, b.Realm)
	return "kept", err
}

// flatten takes an error made by errors.Join apart, so that each cause is a fault of its own.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		var out []error
		for _, e := range j.Unwrap() {
			out = append(out, flatten(e)...)
		}
		return out
	}
	return []error{err}
}
