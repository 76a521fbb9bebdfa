//go:build !linux

package apply

// clockSynced tells nothing where the kernel cannot be asked.
func clockSynced() bool { return false }
