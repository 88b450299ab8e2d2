// Package ntstatus holds the NTSTATUS codes of [MS-ERREF] 2.3.1 as Go errors, and
// the one function that turns any error into a status that can go on the wire.
//
// A Status is an error, also Success: code that returns error must return nil
// where nothing failed; code that carries a backend's answer carries the Status.
package ntstatus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// Status is an NTSTATUS: two severity bits, a customer bit, facility and code.
type Status uint32

// Severity values: the two highest bits of a status ([MS-ERREF] 2.3).
const (
	severitySuccess       = 0
	severityInformational = 1
	severityWarning       = 2
	severityError         = 3
)

// severity returns the two highest bits.
func (s Status) severity() uint32 { return uint32(s) >> 30 }

// IsError says that the request failed and no data of its response is valid.
func (s Status) IsError() bool { return s.severity() == severityError }

// IsWarning says that something is incomplete; some warnings (BufferOverflow) still
// carry the command's own response.
func (s Status) IsWarning() bool { return s.severity() == severityWarning }

// IsSuccess says that the status is of the success or informational severity,
// which is what NT_SUCCESS tests. Pending is one of these.
func (s Status) IsSuccess() bool { return s.severity() <= severityInformational }

// Name returns the name of [MS-ERREF], or "STATUS_0x%08X" for a code without a
// constant here, so that a metric label is never empty.
func (s Status) Name() string {
	if n, ok := names[s]; ok {
		return n
	}
	return fmt.Sprintf("STATUS_0x%08X", uint32(s))
}

// Error gives name and number: logs are searched by either.
func (s Status) Error() string {
	return fmt.Sprintf("%s (0x%08X)", s.Name(), uint32(s))
}

// String is Error, so that %v of a Status and of an error holding it look alike.
func (s Status) String() string { return s.Error() }

// Mapped is implemented by errors of other packages that know the status they
// are answered with, without being one.
type Mapped interface{ Status() Status }

// From maps any error to the status a peer is told. A Status anywhere in the chain
// wins, then a Mapped; what is left is about time, sockets and files, and all
// else is InternalError: an unmapped error is our own fault, never the client's.
func From(err error) Status {
	if err == nil {
		return Success
	}
	var st Status
	if errors.As(err, &st) {
		return st
	}
	var er Mapped
	if errors.As(err, &er) {
		return er.Status()
	}
	switch {
	case errors.Is(err, context.Canceled):
		return Cancelled
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return IoTimeout
	}
	var ne net.Error
	if errors.As(err, &ne) {
		if ne.Timeout() {
			return IoTimeout
		}
		if _, bare := ne.(syscall.Errno); !bare {
			return UnexpectedNetworkError
		}
	}
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return UnexpectedNetworkError
	}
	var en syscall.Errno
	if errors.As(err, &en) {
		return FromErrno(en)
	}
	return InternalError
}

// FromErrno maps what a system call of ours answered. Samba: the same choices as its
// table for the errors that both sides know, so that a local failure looks like smbd's.
func FromErrno(en syscall.Errno) Status {
	if st, ok := errnos[en]; ok {
		return st
	}
	return InternalError
}

// errnos is the table of FromErrno.
var errnos = map[syscall.Errno]Status{
	syscall.EPERM:        AccessDenied,
	syscall.EACCES:       AccessDenied,
	syscall.ENOENT:       ObjectNameNotFound,
	syscall.EIO:          IoDeviceError,
	syscall.EBADF:        InvalidHandle,
	syscall.ENOMEM:       NoMemory,
	syscall.EEXIST:       ObjectNameCollision,
	syscall.EXDEV:        NotSameDevice,
	syscall.ENOTDIR:      NotADirectory,
	syscall.EISDIR:       FileIsADirectory,
	syscall.EINVAL:       InvalidParameter,
	syscall.ENFILE:       TooManyOpenedFiles,
	syscall.EMFILE:       TooManyOpenedFiles,
	syscall.EFBIG:        DiskFull,
	syscall.ENOSPC:       DiskFull,
	syscall.EDQUOT:       DiskFull,
	syscall.EROFS:        MediaWriteProtected,
	syscall.EMLINK:       TooManyLinks,
	syscall.EPIPE:        UnexpectedNetworkError,
	syscall.ENAMETOOLONG: NameTooLong,
	syscall.ENOTEMPTY:    DirectoryNotEmpty,
	syscall.ELOOP:        ObjectPathNotFound,
	syscall.ENOTSUP:      NotSupported,
	syscall.ENOSYS:       NotImplemented,
	syscall.ETIMEDOUT:    IoTimeout,
	syscall.ECONNRESET:   UnexpectedNetworkError,
	syscall.ECONNREFUSED: UnexpectedNetworkError,
	syscall.ECONNABORTED: UnexpectedNetworkError,
	syscall.EHOSTUNREACH: UnexpectedNetworkError,
	syscall.ENETUNREACH:  UnexpectedNetworkError,
	syscall.ENETDOWN:     UnexpectedNetworkError,
}
