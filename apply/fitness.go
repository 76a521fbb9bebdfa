package apply

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// What an unattended pass wants of the machine. What is not known never counts as none left.
const (
	// leastMemory is below which nothing is staged, in bytes.
	leastMemory = 48 << 20
	// leastCharge is below which a machine that runs on its battery does not switch, in percent.
	leastCharge = 30
)

// made is before this program was: a clock that shows less has been reset.
var made = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// fitForWork refuses to stage on a machine that is short of memory.
func (r *run) fitForWork() error {
	if r.deps.Memory == nil {
		return nil
	}
	if free, known := r.deps.Memory(); known && free < leastMemory {
		return errorf("room", "stop what takes the memory; sallyport run tries again by itself", "%s of memory are left, and staging wants %s", size(free), size(leastMemory))
	}
	return nil
}

// fitToSwitch refuses to switch on a machine whose power may not last.
func (r *run) fitToSwitch() error {
	if r.deps.Power == nil {
		return nil
	}
	if why := r.deps.Power(); why != "" {
		return errorf("unusable", "connect it to the mains; sallyport run tries again by itself", "%s", why)
	}
	return nil
}

// lowPower says why the power may not last, by what the kernel tells below the folder, which is /sys/class/power_supply; empty if it does
// last or nobody knows. Batteries of mice and the like do not count.
func lowPower(dir string) string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	for _, e := range entries {
		get := func(name string) string {
			b, err := os.ReadFile(filepath.Join(dir, e.Name(), name))
			if err != nil {
				return ""
			}
			return strings.TrimSpace(string(b))
		}
		kind := get("type")
		if kind != "Battery" && kind != "UPS" || get("scope") == "Device" || get("present") == "0" || get("status") != "Discharging" {
			continue
		}
		if left, err := strconv.Atoi(get("capacity")); err == nil && left < leastCharge {
			return fmt.Sprintf("this machine runs on its battery %s, and %d %% are left in it", e.Name(), left)
		}
	}
	return ""
}

// freeMemory reads what the kernel says is available, from a file that is /proc/meminfo.
func freeMemory(path string) (bytes int64, known bool) {
	f, err := os.Open(path)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		rest, ok := strings.CutPrefix(lines.Text(), "MemAvailable:")
		if !ok {
			continue
		}
		kB, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		return kB << 10, err == nil && kB >= 0 && kB < 1<<40
	}
	return 0, false
}
