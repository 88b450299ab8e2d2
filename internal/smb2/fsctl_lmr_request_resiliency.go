package smb2

// NetworkResiliencyRequest is the input of FSCTL_LMR_REQUEST_RESILIENCY, [MS-SMB2]
// 2.2.31.3.
type NetworkResiliencyRequest struct {
	Timeout uint32 // milliseconds
}

// Decode reads the structure.
func (n *NetworkResiliencyRequest) Decode(b []byte) error {
	if err := need("NETWORK_RESILIENCY_REQUEST", b, 8); err != nil {
		return err
	}
	n.Timeout = le.Uint32(b)
	return nil
}

// Append appends the structure.
func (n *NetworkResiliencyRequest) Append(dst []byte) []byte {
	return le.AppendUint64(dst, uint64(n.Timeout))
}
