package ntstatus

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestValues pins codes whose numbers the protocol text itself spells out.
func TestValues(t *testing.T) {
	tests := map[string]struct {
		got  Status
		want uint32
	}{
		"success":                   {Success, 0},
		"pending":                   {Pending, 0x103},
		"buffer overflow":           {BufferOverflow, 0x80000005},
		"no more files":             {NoMoreFiles, 0x80000006},
		"stopped on symlink":        {StoppedOnSymlink, 0x8000002D},
		"invalid parameter":         {InvalidParameter, 0xC000000D},
		"end of file":               {EndOfFile, 0xC0000011},
		"more processing required":  {MoreProcessingRequired, 0xC0000016},
		"access denied":             {AccessDenied, 0xC0000022},
		"object name not found":     {ObjectNameNotFound, 0xC0000034},
		"object name collision":     {ObjectNameCollision, 0xC0000035},
		"sharing violation":         {SharingViolation, 0xC0000043},
		"delete pending":            {DeletePending, 0xC0000056},
		"logon failure":             {LogonFailure, 0xC000006D},
		"io timeout":                {IoTimeout, 0xC00000B5},
		"bad network name":          {BadNetworkName, 0xC00000CC},
		"unexpected network error":  {UnexpectedNetworkError, 0xC00000C4},
		"cancelled":                 {Cancelled, 0xC0000120},
		"file closed":               {FileClosed, 0xC0000128},
		"user session deleted":      {UserSessionDeleted, 0xC0000203},
		"network session expired":   {NetworkSessionExpired, 0xC000035C},
		"network name deleted":      {NetworkNameDeleted, 0xC00000C9},
		"notify cleanup":            {NotifyCleanup, 0x10B},
		"notify enum dir":           {NotifyEnumDir, 0x10C},
		"path not covered":          {PathNotCovered, 0xC0000257},
		"not found":                 {NotFound, 0xC0000225},
		"file not available":        {FileNotAvailable, 0xC0000467},
		"no preauth overlap":        {SmbNoPreauthIntegrityHashOverlap, 0xC05D0000},
		"object path syntax bad":    {ObjectPathSyntaxBad, 0xC000003B},
		"request not accepted":      {RequestNotAccepted, 0xC00000D0},
		"lock not granted":          {LockNotGranted, 0xC0000055},
		"file lock conflict":        {FileLockConflict, 0xC0000054},
		"range not locked":          {RangeNotLocked, 0xC000007E},
		"insufficient resources":    {InsufficientResources, 0xC000009A},
		"invalid device request":    {InvalidDeviceRequest, 0xC0000010},
		"fs driver required":        {FsDriverRequired, 0xC000019C},
		"invalid oplock protocol":   {InvalidOplockProtocol, 0xC00000E3},
		"directory not empty":       {DirectoryNotEmpty, 0xC0000101},
		"duplicate objectid":        {DuplicateObjectid, 0xC000022A},
		"reparse tag not handled":   {IoReparseTagNotHandled, 0xC0000279},
		"account restriction":       {AccountRestriction, 0xC000006E},
		"no such user":              {NoSuchUser, 0xC0000064},
		"pipe disconnected":         {PipeDisconnected, 0xC00000B0},
		"not supported":             {NotSupported, 0xC00000BB},
		"internal error":            {InternalError, 0xC00000E5},
		"invalid info class":        {InvalidInfoClass, 0xC0000003},
		"info length mismatch":      {InfoLengthMismatch, 0xC0000004},
		"buffer too small":          {BufferTooSmall, 0xC0000023},
		"disk full":                 {DiskFull, 0xC000007F},
		"io device error":           {IoDeviceError, 0xC0000185},
		"network access denied":     {NetworkAccessDenied, 0xC00000CA},
		"file forced closed":        {FileForcedClosed, 0xC00000B6},
		"file deleted":              {FileDeleted, 0xC0000123},
		"server has open handles":   {ServerHasOpenHandles, 0x80000024},
		"connection disconnected":   {ConnectionDisconnected, 0xC000020C},
		"more entries":              {MoreEntries, 0x105},
		"eas not supported":         {EasNotSupported, 0xC000004F},
		"cannot break oplock":       {CannotBreakOplock, 0xC0000909},
		"oplock not granted":        {OplockNotGranted, 0xC00000E2},
		"not a reparse point":       {NotAReparsePoint, 0xC0000275},
		"invalid signature":         {InvalidSignature, 0xC000A000},
		"cannot delete":             {CannotDelete, 0xC0000121},
		"media write protected":     {MediaWriteProtected, 0xC00000A2},
		"nonexistent ea entry":      {NonexistentEaEntry, 0xC0000051},
		"bad device type":           {BadDeviceType, 0xC00000CB},
		"too many opened files":     {TooManyOpenedFiles, 0xC000011F},
		"cannot grant oplock":       {CannotGrantRequestedOplock, 0x8000002E},
		"invalid lock range":        {InvalidLockRange, 0xC00001A1},
		"no more entries":           {NoMoreEntries, 0x8000001A},
		"insuff server resources":   {InsuffServerResources, 0xC0000205},
		"server unavailable":        {ServerUnavailable, 0xC0000466},
		"insufficient buffer":       {InvalidBufferSize, 0xC0000206},
		"user mapped file":          {UserMappedFile, 0xC0000243},
		"instance not available":    {InstanceNotAvailable, 0xC00000AB},
		"object name invalid":       {ObjectNameInvalid, 0xC0000033},
		"invalid handle":            {InvalidHandle, 0xC0000008},
		"not same device":           {NotSameDevice, 0xC00000D4},
		"not a directory":           {NotADirectory, 0xC0000103},
		"file is a directory":       {FileIsADirectory, 0xC00000BA},
		"object path not found":     {ObjectPathNotFound, 0xC000003A},
		"not implemented":           {NotImplemented, 0xC0000002},
		"wrong password":            {WrongPassword, 0xC000006A},
		"account disabled":          {AccountDisabled, 0xC0000072},
		"account locked out":        {AccountLockedOut, 0xC0000234},
		"password expired":          {PasswordExpired, 0xC0000071},
		"no such file":              {NoSuchFile, 0xC000000F},
		"request aborted":           {RequestAborted, 0xC0000240},
		"no logon servers":          {NoLogonServers, 0xC000005E},
		"journal not active":        {JournalNotActive, 0xC00002B8},
		"quota exceeded":            {QuotaExceeded, 0xC0000044},
		"invalid workstation":       {InvalidWorkstation, 0xC0000070},
		"privilege not held":        {PrivilegeNotHeld, 0xC0000061},
		"pipe not available":        {PipeNotAvailable, 0xC00000AC},
		"no eas on file":            {NoEasOnFile, 0xC0000052},
		"password must change":      {PasswordMustChange, 0xC0000224},
		"retry":                     {Retry, 0xC000022D},
		"wait for oplock":           {WaitForOplock, 0x367},
		"oplock break in progress":  {OplockBreakInProgress, 0x108},
		"smb guest logon blocked":   {SmbGuestLogonBlocked, 0xC05D0002},
		"unsupported compression":   {UnsupportedCompression, 0xC000025F},
		"name too long":             {NameTooLong, 0xC0000106},
		"host unreachable":          {HostUnreachable, 0xC000023D},
		"reparse point encountered": {ReparsePointEncountered, 0xC000050B},
	}
	for name, tt := range tests {
		if uint32(tt.got) != tt.want {
			t.Errorf("%s: got 0x%08X, want 0x%08X", name, uint32(tt.got), tt.want)
		}
	}
}

// TestEveryConstantHasItsName reads codes.go, so that a constant added without a
// row in names, or with the row of another, fails.
func TestEveryConstantHasItsName(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range g.Specs {
			vs := s.(*ast.ValueSpec)
			v, err := strconv.ParseUint(vs.Values[0].(*ast.BasicLit).Value, 0, 32)
			if err != nil {
				t.Fatal(err)
			}
			want := vs.Names[0].Name
			got := strings.ReplaceAll(strings.TrimPrefix(names[Status(v)], "STATUS_"), "_", "")
			if !strings.EqualFold(got, want) {
				t.Errorf("0x%08X: constant %s, name %q", v, want, got)
			}
			n++
		}
	}
	if n != len(names) || n < 300 {
		t.Errorf("got %d constants, %d names", n, len(names))
	}
}

// timeoutError is a net.Error whose time ran out.
type timeoutError struct{}

func (timeoutError) Error() string   { return "slow" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

// mapped is an error that knows its status without being one.
type mapped struct{}

func (mapped) Error() string  { return "field" }
func (mapped) Status() Status { return InvalidParameter }

// TestFrom covers each branch of the mapping, wrapped as callers wrap.
func TestFrom(t *testing.T) {
	tests := map[string]struct {
		err  error
		want Status
	}{
		"nil":               {nil, Success},
		"status":            {AccessDenied, AccessDenied},
		"wrapped status":    {fmt.Errorf("create: %w", SharingViolation), SharingViolation},
		"joined status":     {errors.Join(io.EOF, LogonFailure), LogonFailure},
		"mapped":            {fmt.Errorf("decode: %w", mapped{}), InvalidParameter},
		"context cancelled": {fmt.Errorf("x: %w", context.Canceled), Cancelled},
		"context deadline":  {context.DeadlineExceeded, IoTimeout},
		"file deadline":     {os.ErrDeadlineExceeded, IoTimeout},
		"net timeout":       {timeoutError{}, IoTimeout},
		"net op":            {&net.OpError{Op: "read", Err: syscall.ECONNRESET}, UnexpectedNetworkError},
		"closed":            {net.ErrClosed, UnexpectedNetworkError},
		"eof":               {fmt.Errorf("read 127.0.0.1: %w", io.EOF), UnexpectedNetworkError},
		"errno":             {&os.PathError{Op: "open", Path: "x", Err: syscall.ENOSPC}, DiskFull},
		"errno unknown":     {syscall.EXFULL, InternalError},
		"other":             {errors.New("x"), InternalError},
	}
	for name, tt := range tests {
		if got := From(tt.err); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

// TestSeverityAndText checks the texts that logs are searched by.
func TestSeverityAndText(t *testing.T) {
	if got, want := AccessDenied.Error(), "STATUS_ACCESS_DENIED (0xC0000022)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := Status(0xC0DE0001).Name(), "STATUS_0xC0DE0001"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !AccessDenied.IsError() || AccessDenied.IsSuccess() || !BufferOverflow.IsWarning() || BufferOverflow.IsError() ||
		!Pending.IsSuccess() || !ObjectNameExists.IsSuccess() || ObjectNameExists.IsWarning() {
		t.Error("severity bits read wrongly")
	}
}
