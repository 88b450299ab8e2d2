package smb2

// Values of FilePipeInfo.
const (
	FilePipeByteStreamMode    uint32 = 0
	FilePipeMessageMode       uint32 = 1
	FilePipeQueueOperation    uint32 = 0
	FilePipeCompleteOperation uint32 = 1
)

// FilePipeInfo is FilePipeInformation, [MS-FSCC] 2.4.37.
type FilePipeInfo struct {
	ReadMode       uint32
	CompletionMode uint32
}

// Decode reads the structure.
func (f *FilePipeInfo) Decode(b []byte) error {
	if err := need("FilePipeInformation", b, 8); err != nil {
		return err
	}
	f.ReadMode = le.Uint32(b)
	f.CompletionMode = le.Uint32(b[4:])
	return nil
}

// Append appends the structure.
func (f *FilePipeInfo) Append(dst []byte) []byte {
	return le.AppendUint32(le.AppendUint32(dst, f.ReadMode), f.CompletionMode)
}

// FilePipeLocalInfo is FilePipeLocalInformation, [MS-FSCC] 2.4.38.
type FilePipeLocalInfo struct {
	NamedPipeType          uint32
	NamedPipeConfiguration uint32
	MaximumInstances       uint32
	CurrentInstances       uint32
	InboundQuota           uint32
	ReadDataAvailable      uint32
	OutboundQuota          uint32
	WriteQuotaAvailable    uint32
	NamedPipeState         uint32
	NamedPipeEnd           uint32
}

// fields lists them in wire order.
func (f *FilePipeLocalInfo) fields() [10]*uint32 {
	return [10]*uint32{
		&f.NamedPipeType, &f.NamedPipeConfiguration, &f.MaximumInstances, &f.CurrentInstances, &f.InboundQuota,
		&f.ReadDataAvailable, &f.OutboundQuota, &f.WriteQuotaAvailable, &f.NamedPipeState, &f.NamedPipeEnd,
	}
}

// Decode reads the structure.
func (f *FilePipeLocalInfo) Decode(b []byte) error {
	if err := need("FilePipeLocalInformation", b, 40); err != nil {
		return err
	}
	for i, p := range f.fields() {
		*p = le.Uint32(b[4*i:])
	}
	return nil
}

// Append appends the structure.
func (f *FilePipeLocalInfo) Append(dst []byte) []byte {
	for _, p := range f.fields() {
		dst = le.AppendUint32(dst, *p)
	}
	return dst
}
