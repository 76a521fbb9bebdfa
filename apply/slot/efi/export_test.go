package efi

// ParseRecord and its way back are what a fuzz target looks at.
func ParseRecord(b []byte) ([]byte, error) {
	r, err := parseRecord(b)
	return r.bytes(), err
}
