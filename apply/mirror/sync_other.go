//go:build !linux

package mirror

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Sync makes everything on the file system of dir durable: after a load into a registry that keeps its data there, a
// power cut takes none of it. This system can only flush all file systems at once.
func Sync(dir string) error {
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	unix.Sync()
	return nil
}
