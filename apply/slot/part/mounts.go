package part

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"golang.org/x/sys/unix"
)

// maxTable bounds what is read of the kernel's tables of mounts and swap, in bytes.
const maxTable = 4 << 20

// mount is a mounted file system.
type mount struct {
	dev    uint64 // device number, which is nobody's device with file systems that span several
	source string
	point  string
}

// readMounts returns what is mounted as this process sees it.
func readMounts(h host.Host) ([]mount, error) {
	text, err := readTable(h, "/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	return parseMounts(text)
}

// parseMounts reads the kernel's mountinfo (proc_pid_mountinfo(5)).
func parseMounts(text string) ([]mount, error) {
	var all []mount
	for line := range strings.Lines(text) {
		before, after, ok := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 6 || len(right) < 2 {
			return nil, fmt.Errorf("/proc/self/mountinfo has a line that is not known: %.80q", line)
		}
		dev, err := parseDev(left[2])
		if err != nil {
			return nil, fmt.Errorf("/proc/self/mountinfo: %w", err)
		}
		all = append(all, mount{dev: dev, point: unescape(left[4]), source: unescape(right[1])})
	}
	return all, nil
}

// readSwaps returns the paths of what is used as swap.
func readSwaps(h host.Host) ([]string, error) {
	text, err := readTable(h, "/proc/swaps")
	if err != nil {
		return nil, err
	}
	var all []string
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 0 && strings.HasPrefix(f[0], "/") { // the first line is a heading
			all = append(all, unescape(f[0]))
		}
	}
	return all, nil
}

// readTable reads a table of the kernel's. A machine that stands for another one need not have it.
func readTable(h host.Host, path string) (string, error) {
	f, err := os.Open(h.Path(path))
	if errors.Is(err, fs.ErrNotExist) && h.Root != "" {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxTable+1))
	if err == nil && len(b) > maxTable {
		err = fmt.Errorf("%s is longer than %d bytes", path, maxTable)
	}
	return string(b), err
}

// parseDev reads a device number as the kernel prints it: 259:2.
func parseDev(s string) (uint64, error) {
	major, minor, ok := strings.Cut(strings.TrimSpace(s), ":")
	ma, err1 := strconv.ParseUint(major, 10, 32)
	mi, err2 := strconv.ParseUint(minor, 10, 32)
	if !ok || err1 != nil || err2 != nil {
		return 0, fmt.Errorf("%.40q is not a device number", s)
	}
	return unix.Mkdev(uint32(ma), uint32(mi)), nil
}

// number prints a device number as the kernel does.
func number(dev uint64) string { return fmt.Sprintf("%d:%d", unix.Major(dev), unix.Minor(dev)) }

// unescape undoes the octal escapes of the kernel's tables: \040 is a space.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
