package grub

// Variables reads a block as the loader does.
func Variables(data []byte) (map[string]string, error) {
	b, err := parseBlock(data)
	if err != nil {
		return nil, err
	}
	return variables(b), nil
}
