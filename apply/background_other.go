//go:build !linux

package apply

// inBackground does nothing where sites do not run.
func inBackground() (back func()) { return func() {} }
