package apply

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// foreign are the file systems that sticks have and that no system of ours has its state on.
var foreign = []string{"vfat", "msdos", "exfat", "ntfs", "ntfs3", "fuseblk"}

// Medium is the folder for the receipts of a bundle that was named by path and found as file: the top of a stick, or where a folder
// was named, that. It is empty for a file that is on this site's own disks, which nobody carries away.
func (s *Site) Medium(path, file string) string {
	if path == "-" {
		return "" // it comes through a pipe
	}
	dir := path
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		dir = filepath.Dir(file)
		m, err := s.mountOf(dir)
		if err != nil || !s.portable(m) {
			return ""
		}
	}
	return dir
}

// mountOf is the mount that holds a folder, which may be named from where this program runs.
func (s *Site) mountOf(dir string) (host.Mount, error) {
	whole, err := filepath.Abs(dir)
	if err != nil {
		return host.Mount{}, err
	}
	return s.deps.Host.MountOf(whole)
}

// portable tells whether people carry a mounted file system around.
func (s *Site) portable(m host.Mount) bool {
	if m.Point == "/" {
		return false
	}
	if state, err := s.deps.Host.MountOf(s.cfg.Spec.State); err == nil && state.Device == m.Device {
		return false
	}
	return slices.Contains(foreign, m.Type) && !strings.HasPrefix(m.Point, "/boot") && !strings.HasPrefix(m.Point, "/efi") || s.removable(m)
}

// removable asks the kernel whether the disk of a mount comes out.
func (s *Site) removable(m host.Mount) bool {
	dir, err := filepath.EvalSymlinks(s.deps.Host.Path("/sys/dev/block/" + m.Device))
	if err != nil {
		return false
	}
	for _, d := range []string{dir, filepath.Dir(dir)} { // a partition's folder is in that of its disk
		if b, err := os.ReadFile(filepath.Join(d, "removable")); err == nil {
			return strings.TrimSpace(string(b)) == "1"
		}
	}
	return false
}

// writable calls write, which writes below dir. Where that is on a medium that is mounted for reading only, and this process may, it
// is mounted for writing meanwhile: with all that a mount for media forbids still forbidden.
func (s *Site) writable(dir string, write func() error) (err error) {
	m, err := s.mountOf(dir)
	if err != nil || !m.ReadOnly {
		return write() // what cannot be told is found out by writing
	}
	if !s.portable(m) && (!m.Has("nosuid") || !m.Has("nodev")) {
		return fmt.Errorf("%s is mounted for reading only, and is no medium that comes out", m.Point)
	}
	if err := remount(m, false); err != nil {
		return fmt.Errorf("%s is mounted for reading only, and cannot be mounted for writing: %w", m.Point, err)
	}
	defer func() {
		if back := remount(m, true); back != nil {
			err = errors.Join(err, fmt.Errorf("%s cannot be mounted for reading only again: %w", m.Point, back))
		}
	}()
	return write()
}
