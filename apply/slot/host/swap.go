package host

import "strings"

const maxSwaps = 1 << 20

// Swaps are the paths of the devices and files that are used as swap (proc_swaps(5)).
func (h Host) Swaps() ([]string, error) {
	text, err := h.read("/proc/swaps", maxSwaps)
	if err != nil {
		return nil, err
	}
	var all []string
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 0 && strings.HasPrefix(f[0], "/") { // the first line is a heading
			all = append(all, unescape(f[0]))
		}
	}
	return all, nil
}
