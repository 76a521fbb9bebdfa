package part

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport-dev/sallyport/internal/durable"
	"golang.org/x/sys/unix"
)

// maxFAT is the largest file that a FAT file system holds, in bytes.
const maxFAT = 1<<32 - 1

// file looks at the folder of a file that is to be replaced.
func (f *fitter) file(p *place) error {
	fs, err := fileSystemOf(filepath.Dir(p.real))
	switch {
	case err != nil:
		return p.plain(err)
	case fs.readOnly:
		return p.unfit("mount it for writing: mount -o remount,rw; if that does not help, check the file system", "its file system is mounted read-only")
	case fs.fat && f.sizes[p.part] > maxFAT:
		return p.unfit("name a place on another file system in site.yaml", "a FAT file system holds no file of %d bytes", f.sizes[p.part])
	}
	for _, name := range sortedPlaces(f.running) {
		if r := f.running[name]; r.device && r.dev == p.dev {
			return p.unfit("mount the file system that it belongs on: writing it here would change part "+name+" of the slot that runs",
				"its folder is on %s, part %s of the slot that runs", r.path, name)
		}
	}
	if err := unix.Access(filepath.Dir(p.real), unix.W_OK|unix.X_OK); err != nil {
		return p.plain(&os.PathError{Op: "write", Path: filepath.Dir(p.path), Err: err})
	}
	return nil
}

// rooms wants each file system to have room for all new files that go there, beside the old ones.
func (f *fitter) rooms() error {
	need, free := map[uint64]int64{}, map[uint64]int64{}
	for _, name := range sortedPlaces(f.target) {
		p := f.target[name]
		if p.device || f.sizes[name] == 0 {
			continue
		}
		fs, err := fileSystemOf(filepath.Dir(p.real))
		if err != nil {
			return p.plain(err)
		}
		if _, ok := free[p.dev]; !ok {
			free[p.dev] = fs.free
		}
		free[p.dev] += leftover(p.real)
		need[p.dev] += fs.blocks(f.sizes[name]) + fs.block // the folder may grow, too
		if need[p.dev] > free[p.dev] {
			return p.unfit("make room there: until the new file is safe the old one stays beside it",
				"its file system has %d bytes free, and the new files need %d", free[p.dev], need[p.dev])
		}
	}
	return nil
}

// leftover is how many bytes are taken by what was left of writing a file, which goes before it is written anew.
func leftover(path string) (n int64) {
	found, err := durable.Leftovers(path)
	if err != nil {
		return 0
	}
	for _, name := range found {
		if info, err := os.Lstat(name); err == nil {
			n += info.Size()
		}
	}
	return n
}

// sameFile tells whether two places of files are one.
func (p *place) sameFile(o *place) bool {
	if p.real == o.real {
		return true
	}
	if a, err := os.Stat(p.real); err == nil {
		if b, err := os.Stat(o.real); err == nil && os.SameFile(a, b) {
			return true
		}
	}
	if p.dev != o.dev || p.folder != o.folder || !strings.EqualFold(filepath.Base(p.real), filepath.Base(o.real)) {
		return false
	}
	fs, err := fileSystemOf(filepath.Dir(p.real))
	return err == nil && fs.fat // its names have no case
}
