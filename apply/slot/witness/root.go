package witness

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// maxLayers bounds how many devices one below the other are looked at: verity on a loop device on a partition are three.
const maxLayers = 32

// maxBackingFile bounds the path of a loop device's file, in bytes.
const maxBackingFile = 4096

// rootOf tells whose part the root file system is; None if it is nobody's. device is that of the root file system.
func rootOf(h host.Host, places map[slot.Name]map[string]string) (n slot.Name, device string, err error) {
	owners := owners(h, places)
	device, err = rootDevice(h)
	if err != nil {
		return slot.None, "", err
	}
	for _, d := range layers(h, device) {
		owner, ours := owners[d]
		if !ours {
			continue
		}
		if n != slot.None && n != owner {
			return slot.None, device, fmt.Errorf("the root file system (device %s) lies on parts of both slots", device)
		}
		n = owner
	}
	return n, device, nil
}

// owners are the slots by what their parts lie on: the number of a device, or the path of a file. What both slots have is nobody's.
func owners(h host.Host, places map[slot.Name]map[string]string) map[string]slot.Name {
	all := map[string]slot.Name{}
	for _, n := range []slot.Name{slot.A, slot.B} {
		for _, path := range places[n] {
			key, ok := h.BlockDevice(path)
			if !ok {
				if key, ok = file(h, path); !ok {
					continue
				}
			}
			if other, taken := all[key]; taken && other != n {
				all[key] = slot.None
				continue
			}
			all[key] = n
		}
	}
	for key, n := range all {
		if n == slot.None {
			delete(all, key)
		}
	}
	return all
}

// file is the path of a file without symbolic links.
func file(h host.Host, path string) (string, bool) {
	real, err := filepath.EvalSymlinks(h.Path(path))
	return real, err == nil
}

// rootDevice is the device that the root file system lies on.
func rootDevice(h host.Host) (string, error) {
	m, err := h.MountOf("/")
	if err != nil {
		return "", err
	}
	if lower := option(m, "lowerdir="); m.Type == "overlay" && lower != "" {
		// The lowest folder is the one that the image is mounted at. The initramfs may have hidden it since.
		folders := strings.Split(lower, ":")
		if under, err := h.MountOf(folders[len(folders)-1]); err == nil && under.Point != "/" {
			m = under
		}
	}
	// File systems that may span several devices, such as btrfs, have a number of their own.
	if strings.HasPrefix(m.Device, "0:") {
		if number, ok := h.BlockDevice(m.Source); ok && strings.HasPrefix(m.Source, "/dev/") {
			return number, nil
		}
	}
	return m.Device, nil
}

func option(m host.Mount, prefix string) string {
	for o := range strings.SplitSeq(m.Options, ",") {
		if value, found := strings.CutPrefix(o, prefix); found {
			return value
		}
	}
	return ""
}

// layers are a device and all those below it, as /sys tells: what verity, device-mapper and RAID are made of, and a loop device's
// file.
func layers(h host.Host, device string) []string {
	all := []string{device}
	for i := 0; i < len(all) && len(all) < maxLayers; i++ {
		if strings.HasPrefix(all[i], "/") {
			continue
		}
		dir := filepath.Join("/sys/dev/block", all[i])
		slaves, _ := filepath.Glob(h.Path(dir) + "/slaves/*/dev")
		for _, s := range slaves {
			if number := small(s); number != "" && !slices.Contains(all, number) {
				all = append(all, number)
			}
		}
		if backing := small(h.Path(filepath.Join(dir, "loop/backing_file"))); backing != "" {
			if real, ok := file(h, backing); ok && !slices.Contains(all, real) {
				all = append(all, real)
			}
		}
	}
	return all[:min(len(all), maxLayers)]
}

// small reads a short file of the kernel's; empty if there is none.
func small(path string) string {
	info, err := os.Stat(path)
	if err != nil || info.IsDir() {
		return ""
	}
	b, err := os.ReadFile(path)
	if err != nil || len(b) > maxBackingFile {
		return ""
	}
	return strings.TrimSpace(string(b))
}
