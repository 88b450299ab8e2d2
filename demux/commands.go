package demux

import (
	"smbproxy/internal/smb2"
	"smbproxy/session"
)

// commands is THE table: every SMB2 command, what must exist before it may run, and what serves
// it. session checks the preconditions in the order of [MS-SMB2] 3.3.5.2.
func (d *Demux) commands() [smb2.CommandCount]session.Command {
	const (
		sess = session.NeedsSession
		tree = session.NeedsSession | session.NeedsTree
		file = session.NeedsSession | session.NeedsTree | session.NeedsFile
		late = session.AllowExpired
	)
	at := smb2.FileIDOffset
	return [smb2.CommandCount]session.Command{
		smb2.CommandNegotiate:      {Name: "NEGOTIATE", StructureSize: 36, Run: session.Negotiate},
		smb2.CommandSessionSetup:   {Name: "SESSION_SETUP", StructureSize: 25, Run: session.SessionSetup},
		smb2.CommandLogoff:         {Name: "LOGOFF", StructureSize: 4, Needs: sess | late, Run: session.Logoff},
		smb2.CommandTreeConnect:    {Name: "TREE_CONNECT", StructureSize: 9, Needs: sess, Run: d.treeConnect},
		smb2.CommandTreeDisconnect: {Name: "TREE_DISCONNECT", StructureSize: 4, Needs: tree, Run: session.TreeDisconnect},
		smb2.CommandCreate:         {Name: "CREATE", StructureSize: 57, Needs: tree, Run: d.create},
		smb2.CommandClose:          {Name: "CLOSE", StructureSize: 24, Needs: file | late, FileIDOffset: at(smb2.CommandClose), Run: closeFile},
		smb2.CommandFlush:          {Name: "FLUSH", StructureSize: 24, Needs: file, FileIDOffset: at(smb2.CommandFlush), Run: flush},
		smb2.CommandRead:           {Name: "READ", StructureSize: 49, Needs: file, FileIDOffset: at(smb2.CommandRead), Run: read},
		smb2.CommandWrite:          {Name: "WRITE", StructureSize: 49, Needs: file, FileIDOffset: at(smb2.CommandWrite), Run: write},
		smb2.CommandLock:           {Name: "LOCK", StructureSize: 48, Needs: file | late, FileIDOffset: at(smb2.CommandLock), Run: d.lock},
		smb2.CommandIoctl:          {Name: "IOCTL", StructureSize: 57, Needs: file, FileIDOffset: at(smb2.CommandIoctl), Free: d.isSmbtorture, Run: d.ioctl},
		smb2.CommandCancel:         {Name: "CANCEL", StructureSize: 4, Needs: late, Run: session.Cancel},
		smb2.CommandEcho:           {Name: "ECHO", StructureSize: 4, Run: session.Echo},
		smb2.CommandQueryDirectory: {Name: "QUERY_DIRECTORY", StructureSize: 33, Needs: file, FileIDOffset: at(smb2.CommandQueryDirectory), Run: queryDirectory},
		smb2.CommandChangeNotify:   {Name: "CHANGE_NOTIFY", StructureSize: 32, Needs: file, FileIDOffset: at(smb2.CommandChangeNotify), Run: d.changeNotify},
		smb2.CommandQueryInfo:      {Name: "QUERY_INFO", StructureSize: 41, Needs: file, FileIDOffset: at(smb2.CommandQueryInfo), Run: queryInfo},
		smb2.CommandSetInfo:        {Name: "SET_INFO", StructureSize: 33, Needs: file, FileIDOffset: at(smb2.CommandSetInfo), Run: setInfo},
		// Two requests share this code, so neither size nor FileId is the table's to check.
		smb2.CommandOplockBreak: {Name: "OPLOCK_BREAK", Needs: tree, Run: d.oplockBreak},
	}
}
