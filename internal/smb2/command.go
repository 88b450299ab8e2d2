package smb2

import "strconv"

// Command is the command code of the header, [MS-SMB2] 2.2.1.
type Command uint16

// The 19 commands. Their numbers are dense, so tables are arrays of CommandCount.
const (
	CommandNegotiate Command = iota
	CommandSessionSetup
	CommandLogoff
	CommandTreeConnect
	CommandTreeDisconnect
	CommandCreate
	CommandClose
	CommandFlush
	CommandRead
	CommandWrite
	CommandLock
	CommandIoctl
	CommandCancel
	CommandEcho
	CommandQueryDirectory
	CommandChangeNotify
	CommandQueryInfo
	CommandSetInfo
	CommandOplockBreak
)

// CommandCount is the number of commands: a code from here on is invalid.
const CommandCount = 19

// commandNames are the texts of String, in the spelling of [MS-SMB2].
var commandNames = [CommandCount]string{
	"NEGOTIATE", "SESSION_SETUP", "LOGOFF", "TREE_CONNECT", "TREE_DISCONNECT", "CREATE", "CLOSE", "FLUSH",
	"READ", "WRITE", "LOCK", "IOCTL", "CANCEL", "ECHO", "QUERY_DIRECTORY", "CHANGE_NOTIFY", "QUERY_INFO",
	"SET_INFO", "OPLOCK_BREAK",
}

// String is the name of [MS-SMB2], or a number for a code that does not exist, for
// logs and metrics.
func (c Command) String() string {
	if c < CommandCount {
		return commandNames[c]
	}
	return "COMMAND_" + strconv.Itoa(int(c))
}

// fileIDOffsets is the table of FileIDOffset.
var fileIDOffsets = [CommandCount]int{
	CommandClose: 72, CommandFlush: 72, CommandRead: 80, CommandWrite: 80, CommandLock: 72, CommandIoctl: 72,
	CommandQueryDirectory: 72, CommandChangeNotify: 72, CommandQueryInfo: 88, CommandSetInfo: 80, CommandOplockBreak: 72,
}

// FileIDOffset is where the FileId stands in a request, counted from the header; 0
// for a command without. An OPLOCK_BREAK acknowledgement has a FileId there, a lease
// break acknowledgement (IsLeaseBreak) has not.
func FileIDOffset(c Command) int {
	if c < CommandCount {
		return fileIDOffsets[c]
	}
	return 0
}

// CreditCharge is how many credits a payload of n bytes costs from dialect 2.1 on:
// one per started 64 KiB and at least one ([MS-SMB2] 3.1.5.2).
func CreditCharge(n int) uint16 {
	if n <= 65536 {
		return 1
	}
	return uint16((n-1)/65536 + 1)
}
