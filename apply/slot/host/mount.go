package host

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const maxMounts = 4 << 20

// Mount is a mounted file system.
type Mount struct {
	Point    string // the folder that it is mounted on
	Type     string // the kernel's name of its kind: vfat, ext4
	Device   string // major:minor of what holds it
	Source   string // what was mounted, as a person has named it
	ReadOnly bool
	Options  string // of the mount, then of the file system, with a comma between each two
}

// Has tells whether the file system is mounted with an option.
func (m Mount) Has(option string) bool { return slices.Contains(strings.Split(m.Options, ","), option) }

// MountOf is the mount that holds the file or folder at path; of several, one over the other, the uppermost.
func (h Host) MountOf(path string) (Mount, error) {
	inside, err := h.resolve(path)
	if err != nil {
		return Mount{}, err
	}
	all, err := h.Mounts()
	if err != nil {
		return Mount{}, err
	}
	var found Mount
	for _, m := range all {
		if holds(m.Point, inside) && len(m.Point) >= len(found.Point) {
			found = m
		}
	}
	if found.Point == "" {
		return found, fmt.Errorf("no mounted file system holds %s", path)
	}
	return found, nil
}

// Mounts are all mounted file systems, in the order in which they were mounted.
func (h Host) Mounts() ([]Mount, error) {
	text, err := h.read("/proc/self/mountinfo", maxMounts)
	if err != nil {
		return nil, err
	}
	var all []Mount
	for line := range strings.Lines(text) {
		m, err := parseMount(line)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

// resolve is the machine's own path without symbolic links.
func (h Host) resolve(path string) (string, error) {
	root, err := filepath.EvalSymlinks(h.Path("/"))
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(h.Path(path))
	if err != nil {
		return "", err
	}
	inside, err := filepath.Rel(root, real)
	return filepath.Join("/", inside), err
}

// holds tells whether path is point or lies below it.
func holds(point, path string) bool {
	return point == "/" || path == point || strings.HasPrefix(path, point+"/")
}

// parseMount reads a line of mountinfo: number, parent, device, root, point, options, optional fields, "-", type, source,
// options of the file system (proc_pid_mountinfo(5)).
func parseMount(line string) (Mount, error) {
	front, back, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
	f, b := strings.Split(front, " "), strings.Split(back, " ")
	if len(f) < 6 || len(b) < 3 {
		return Mount{}, fmt.Errorf("/proc/self/mountinfo has a line that is none of a mount: %q", line)
	}
	m := Mount{Device: f[2], Point: unescape(f[4]), Type: b[0], Source: unescape(b[1]), Options: f[5] + "," + b[2]}
	m.ReadOnly = m.Has("ro")
	return m, nil
}

// unescape turns the kernel's \040 into what it stands for.
func unescape(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}
