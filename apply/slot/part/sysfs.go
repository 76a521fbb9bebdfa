package part

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// maxStack bounds how many devices may lie on top of each other.
const maxStack = 16

// blockDir is the folder of a block device below /sys, without symbolic links. With an error it is one that is not there.
func blockDir(h host.Host, dev uint64) (string, error) {
	path := h.Path("/sys/dev/block/" + number(dev))
	dir, err := filepath.EvalSymlinks(path)
	if err != nil {
		return path, err
	}
	return dir, nil
}

// attribute is what the kernel tells of a device in one of its small files; empty if it tells nothing.
func attribute(dir, name string) string {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil || len(b) > 4096 {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// whole is the disk that a partition is on; a device that is no partition is itself one.
func whole(h host.Host, dev uint64) uint64 {
	dir, err := blockDir(h, dev)
	if err != nil || attribute(dir, "partition") == "" {
		return dev
	}
	if disk, err := parseDev(attribute(filepath.Dir(dir), "dev")); err == nil {
		return disk
	}
	return dev
}

// overlap tells whether two devices share blocks: they are one, or one is the disk that the other is a partition of.
func overlap(h host.Host, a, b uint64) bool {
	return a == b || whole(h, a) == b || whole(h, b) == a
}

// holders are the names of the devices that are made of this one (device-mapper, RAID), or of its partitions.
func holders(dir string) []string {
	found := names(filepath.Join(dir, "holders"))
	for _, child := range names(dir) {
		if attribute(filepath.Join(dir, child), "partition") != "" {
			found = append(found, names(filepath.Join(dir, child, "holders"))...)
		}
	}
	return found
}

func names(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// below are the device and all that it is made of.
func below(h host.Host, dev uint64) []uint64 {
	all := []uint64{dev}
	for i := 0; i < len(all) && len(all) < maxStack; i++ {
		dir, err := blockDir(h, all[i])
		if err != nil {
			continue
		}
		for _, name := range names(filepath.Join(dir, "slaves")) {
			if d, err := parseDev(attribute(filepath.Join(dir, "slaves", name), "dev")); err == nil {
				all = append(all, d)
			}
		}
	}
	return all
}

// loopOn is the name of a loop device whose content is in the block device; empty if there is none.
func loopOn(h host.Host, dev uint64) string {
	found, err := filepath.Glob(h.Path("/sys/block/loop*/loop/backing_file"))
	if err != nil {
		return ""
	}
	for _, file := range found {
		if d, ok := deviceAt(h, attribute(filepath.Dir(file), "backing_file")); ok && overlap(h, d, dev) {
			return filepath.Base(filepath.Dir(filepath.Dir(file)))
		}
	}
	return ""
}
