package smb2

// PipeWait is the input of FSCTL_PIPE_WAIT, [MS-FSCC] 2.3.49.
type PipeWait struct {
	Timeout          uint64 // 100 ns
	TimeoutSpecified bool
	Name             string // without \pipe\
}

// Decode reads the structure.
func (p *PipeWait) Decode(b []byte) (err error) {
	if err = need("FSCTL_PIPE_WAIT", b, 14); err != nil {
		return err
	}
	p.Timeout = le.Uint64(b)
	p.TimeoutSpecified = b[12] != 0
	p.Name, err = tailText("FSCTL_PIPE_WAIT.Name", b, 14, le.Uint32(b[8:]))
	return err
}

// Append appends the structure.
func (p *PipeWait) Append(dst []byte) []byte {
	dst = le.AppendUint64(dst, p.Timeout)
	dst = le.AppendUint32(dst, uint32(UTF16Len(p.Name)))
	dst = append(dst, boolByte(p.TimeoutSpecified), 0)
	return AppendUTF16(dst, p.Name)
}

// PipePeek is the output of FSCTL_PIPE_PEEK, [MS-FSCC] 2.3.46.
type PipePeek struct {
	NamedPipeState    uint32
	ReadDataAvailable uint32
	NumberOfMessages  uint32
	MessageLength     uint32
	Data              []byte
}

// Decode reads the structure.
func (p *PipePeek) Decode(b []byte) error {
	if err := need("FSCTL_PIPE_PEEK", b, 16); err != nil {
		return err
	}
	p.NamedPipeState = le.Uint32(b)
	p.ReadDataAvailable = le.Uint32(b[4:])
	p.NumberOfMessages = le.Uint32(b[8:])
	p.MessageLength = le.Uint32(b[12:])
	p.Data = b[16:]
	return nil
}

// Append appends the structure.
func (p *PipePeek) Append(dst []byte) []byte {
	dst = le.AppendUint32(dst, p.NamedPipeState)
	dst = le.AppendUint32(dst, p.ReadDataAvailable)
	dst = le.AppendUint32(dst, p.NumberOfMessages)
	dst = le.AppendUint32(dst, p.MessageLength)
	return append(dst, p.Data...)
}
