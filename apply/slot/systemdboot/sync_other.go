//go:build !linux

package systemdboot

// syncFileSystem has nothing to do where systemd-boot boots no system.
func syncFileSystem(string) error { return nil }
