package smb2

// ResumeKeySize is the length of a resume key, by which COPYCHUNK names its source.
const ResumeKeySize = 24

// SrvRequestResumeKey is the output of FSCTL_SRV_REQUEST_RESUME_KEY, [MS-SMB2]
// 2.2.32.3.
type SrvRequestResumeKey struct {
	ResumeKey [ResumeKeySize]byte
}

// Decode reads the structure; the context behind the key is always empty.
func (s *SrvRequestResumeKey) Decode(b []byte) error {
	if err := need("SRV_REQUEST_RESUME_KEY", b, 28); err != nil {
		return err
	}
	copy(s.ResumeKey[:], b)
	return nil
}

// Append appends the structure. Samba: with the four bytes of an empty context.
func (s *SrvRequestResumeKey) Append(dst []byte) []byte {
	return append(append(dst, s.ResumeKey[:]...), zeros[:8]...)
}

// SrvCopychunk is one chunk, [MS-SMB2] 2.2.31.1.1.
type SrvCopychunk struct {
	SourceOffset uint64
	TargetOffset uint64
	Length       uint32
}

// SrvCopychunkCopy is the input of FSCTL_SRV_COPYCHUNK and FSCTL_SRV_COPYCHUNK_WRITE,
// [MS-SMB2] 2.2.31.1.
type SrvCopychunkCopy struct {
	SourceKey [ResumeKeySize]byte
	Chunks    []SrvCopychunk
}

// Decode reads the structure.
func (s *SrvCopychunkCopy) Decode(b []byte) error {
	if err := need("SRV_COPYCHUNK_COPY", b, 32); err != nil {
		return err
	}
	copy(s.SourceKey[:], b)
	n := le.Uint32(b[24:])
	b = b[32:]
	if uint64(n)*24 > uint64(len(b)) {
		return &DecodeError{Command: CommandIoctl, Field: "SRV_COPYCHUNK_COPY.ChunkCount", Offset: 24, Reason: reasonCount}
	}
	s.Chunks = s.Chunks[:0]
	for ; n > 0; n-- {
		s.Chunks = append(s.Chunks, SrvCopychunk{SourceOffset: le.Uint64(b), TargetOffset: le.Uint64(b[8:]), Length: le.Uint32(b[16:])})
		b = b[24:]
	}
	return nil
}

// Append appends the structure.
func (s *SrvCopychunkCopy) Append(dst []byte) []byte {
	dst = append(dst, s.SourceKey[:]...)
	dst = le.AppendUint64(dst, uint64(uint32(len(s.Chunks))))
	for _, c := range s.Chunks {
		dst = le.AppendUint64(dst, c.SourceOffset)
		dst = le.AppendUint64(dst, c.TargetOffset)
		dst = le.AppendUint64(dst, uint64(c.Length))
	}
	return dst
}

// SrvCopychunkResponse is the output of both, [MS-SMB2] 2.2.32.1. With
// STATUS_INVALID_PARAMETER its fields are the server's limits instead.
type SrvCopychunkResponse struct {
	ChunksWritten     uint32
	ChunkBytesWritten uint32
	TotalBytesWritten uint32
}

// Decode reads the structure.
func (s *SrvCopychunkResponse) Decode(b []byte) error {
	if err := need("SRV_COPYCHUNK_RESPONSE", b, 12); err != nil {
		return err
	}
	s.ChunksWritten = le.Uint32(b)
	s.ChunkBytesWritten = le.Uint32(b[4:])
	s.TotalBytesWritten = le.Uint32(b[8:])
	return nil
}

// Append appends the structure.
func (s *SrvCopychunkResponse) Append(dst []byte) []byte {
	dst = le.AppendUint32(dst, s.ChunksWritten)
	dst = le.AppendUint32(dst, s.ChunkBytesWritten)
	return le.AppendUint32(dst, s.TotalBytesWritten)
}
