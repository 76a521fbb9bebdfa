package part

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"golang.org/x/sys/unix"
)

// Places are where the parts of a slot go, by the parts' names: block devices, or files on mounted file systems.
type Places map[string]string

// place is a place as it was found.
type place struct {
	part   string
	path   string // as the site names it
	real   string // where it is on this machine; of a file, with no symbolic link in the folders above it
	device bool
	// dev is the number of the device or, of a file, of the file system that its folder is on.
	dev uint64
	// folder is the inode of a file's folder.
	folder uint64
}

// deviceAt tells whether a path is that of a block device, and which.
func deviceAt(h host.Host, path string) (dev uint64, ok bool) {
	text, ok := h.BlockDevice(path)
	if !ok || !strings.HasPrefix(path, "/") {
		return 0, false
	}
	dev, err := parseDev(text)
	return dev, err == nil
}

// inDev tells whether a path is in the folder of devices, where no file belongs.
func inDev(path string) bool {
	return strings.HasPrefix(path, "/dev/") && !strings.HasPrefix(path, "/dev/shm/")
}

// find looks at a place. That nothing is there yet is well if a file may be made there.
func find(h host.Host, part, path string) (*place, error) {
	p := &place{part: part, path: path, real: h.Path(path)}
	info, err := os.Stat(p.real)
	switch {
	case err == nil:
		if p.dev, p.device = deviceAt(h, path); p.device {
			return p, nil
		}
		if !info.Mode().IsRegular() {
			return nil, p.unfit(checkPlaces, "it is neither a block device nor a file")
		}
	case errors.Is(err, fs.ErrNotExist):
	default:
		return nil, p.plain(err)
	}
	if inDev(path) {
		return nil, p.unfit("check the name in site.yaml, and the labels: lsblk -o NAME,PARTLABEL,SIZE", "there is no such block device")
	}
	return p, p.findFile()
}

const (
	checkPlaces = "correct spec.slots in site.yaml"
	renamed     = "find out what changes the devices' names meanwhile, then run the same command again"
)

// findFile looks at the folder that a file is in, or goes to.
func (p *place) findFile() error {
	dir, err := filepath.EvalSymlinks(filepath.Dir(p.real))
	if errors.Is(err, fs.ErrNotExist) {
		return p.unfit("mount the file system that it belongs on, or make the folder", "there is no folder %s", filepath.Dir(p.path))
	}
	if err != nil {
		return p.plain(err)
	}
	p.real = filepath.Join(dir, filepath.Base(p.real))
	if info, err := os.Lstat(p.real); err == nil && !info.Mode().IsRegular() {
		return p.unfit("name the file itself in site.yaml", "it is a symbolic link, which would be replaced and not followed")
	}
	p.dev, p.folder, err = inode(dir)
	if err != nil {
		return p.plain(err)
	}
	return nil
}

// inode tells a file or folder from all others on this machine.
func inode(path string) (dev, ino uint64, err error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, 0, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return uint64(st.Dev), st.Ino, nil
}

// unchanged tells whether the place's name still means what it meant when it was looked at.
func (p *place) unchanged(h host.Host) error {
	now, err := find(h, p.part, p.path)
	if err != nil {
		return err
	}
	if now.device != p.device || now.dev != p.dev || now.folder != p.folder || !p.device && now.real != p.real {
		return p.unfit(renamed,
			"it was another place (%s) when it was looked at, and is %s now", p.known(), now.known())
	}
	return nil
}

func (p *place) known() string {
	if p.device {
		return "block device " + number(p.dev)
	}
	return "a file on device " + number(p.dev)
}

func (p *place) unfit(advice, format string, args ...any) error {
	return &UnfitError{Part: p.part, Place: p.path, Text: fmt.Sprintf(format, args...), Advice: advice}
}

// plain names the place in an error of the system's.
func (p *place) plain(err error) error { return fmt.Errorf("part %s at %s: %w", p.part, p.path, err) }
