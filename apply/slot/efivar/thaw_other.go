//go:build !linux

package efivar

// thaw has nothing to do where there is no efivarfs.
func thaw(string) (freeze func() error, err error) { return func() error { return nil }, nil }
