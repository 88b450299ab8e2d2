package smb2

// NotifyAction is Action of a change, [MS-FSCC] 2.7.1.
type NotifyAction uint32

// Values of NotifyAction.
const (
	FileActionAdded              NotifyAction = 1
	FileActionRemoved            NotifyAction = 2
	FileActionModified           NotifyAction = 3
	FileActionRenamedOldName     NotifyAction = 4
	FileActionRenamedNewName     NotifyAction = 5
	FileActionAddedStream        NotifyAction = 6
	FileActionRemovedStream      NotifyAction = 7
	FileActionModifiedStream     NotifyAction = 8
	FileActionRemovedByDelete    NotifyAction = 9
	FileActionIDNotTunnelled     NotifyAction = 10
	FileActionTunnelledCollision NotifyAction = 11
)

// NotifyInformation is FILE_NOTIFY_INFORMATION, [MS-FSCC] 2.7.1: one change.
type NotifyInformation struct {
	Action   NotifyAction
	FileName string // relative to the watched directory
}

// DecodeNotifyInformation reads the list in a CHANGE_NOTIFY response.
func DecodeNotifyInformation(b []byte) (list []NotifyInformation, err error) {
	err = entries("FILE_NOTIFY_INFORMATION", b, 12, func(e []byte) error {
		name, err := tailText("FILE_NOTIFY_INFORMATION.FileName", e, 12, le.Uint32(e[8:]))
		list = append(list, NotifyInformation{Action: NotifyAction(le.Uint32(e[4:])), FileName: name})
		return err
	})
	return list, err
}

// AppendNotifyInformation appends the list; entries are 4-byte aligned.
func AppendNotifyInformation(dst []byte, list []NotifyInformation) []byte {
	start, prev := len(dst), -1
	for _, n := range list {
		dst = link(dst, start, prev, 4)
		prev = len(dst)
		dst = le.AppendUint32(dst, 0)
		dst = le.AppendUint32(dst, uint32(n.Action))
		dst = appendText(dst, n.FileName)
	}
	return dst
}
