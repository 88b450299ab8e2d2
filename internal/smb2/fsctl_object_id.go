package smb2

// FileObjectIdBuffer is FILE_OBJECTID_BUFFER, [MS-FSCC] 2.1.3: the output of
// FSCTL_CREATE_OR_GET_OBJECT_ID and FSCTL_GET_OBJECT_ID, the input of
// FSCTL_SET_OBJECT_ID.
type FileObjectIdBuffer struct {
	ObjectId      GUID
	BirthVolumeId GUID
	BirthObjectId GUID
	DomainId      GUID
}

// fields lists them in wire order.
func (f *FileObjectIdBuffer) fields() [4]*GUID {
	return [4]*GUID{&f.ObjectId, &f.BirthVolumeId, &f.BirthObjectId, &f.DomainId}
}

// Decode reads the structure.
func (f *FileObjectIdBuffer) Decode(b []byte) error {
	if err := need("FILE_OBJECTID_BUFFER", b, 64); err != nil {
		return err
	}
	for i, g := range f.fields() {
		copy(g[:], b[16*i:])
	}
	return nil
}

// Append appends the structure.
func (f *FileObjectIdBuffer) Append(dst []byte) []byte {
	for _, g := range f.fields() {
		dst = append(dst, g[:]...)
	}
	return dst
}
