package apply

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// deadlineTimer is the unit that ends a trial which nobody has confirmed; see docs/systemd.
const deadlineTimer = "sallyport-confirm-deadline.timer"

// unitDirs are where systemd looks for units, the first that has one first (systemd.unit(5)).
var unitDirs = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

// maxUnit bounds what is read of a unit, in bytes.
const maxUnit = 1 << 20

// deadlineReady looks whether the timer that boots this machine again, if nobody confirms, has the time that site.yaml promises. The
// status tells that time, and people wait for it.
func (s *Site) deadlineReady() Finding {
	want := s.cfg.Spec.Slots.deadline()
	at, found, err := s.timerAt()
	f := Finding{Name: "deadline"}
	switch {
	case err != nil:
		f.Message, f.Mend = oneLine(err.Error()), "look at what systemctl cat "+deadlineTimer+" says"
	case !found:
		f.OK, f.Message = true, deadlineTimer+" is not among systemd's units: nothing that doctor knows ends a trial which nobody confirms"
		f.Mend = "install it from docs/systemd, unless something else runs sallyport confirm --deadline --reboot"
	case at != want:
		f.Message = fmt.Sprintf("%s goes off %s after a boot, and spec.slots.deadline of this site is %s", deadlineTimer, at, want)
		f.Mend = fmt.Sprintf("make them one: systemctl edit %s, [Timer], OnBootSec= and OnBootSec=%d; or correct spec.slots.deadline in site.yaml", deadlineTimer, int(want.Seconds()))
	default:
		f.OK, f.Message = true, fmt.Sprintf("a trial that nobody confirms ends %s after the boot, by %s", at, deadlineTimer)
	}
	return f
}

// timerAt is when the timer goes off after a boot, as its file and the drop-ins beside it say.
func (s *Site) timerAt() (at time.Duration, found bool, err error) {
	files := s.unitFiles()
	if len(files) == 0 {
		return 0, false, nil
	}
	values := []string{}
	for _, path := range files {
		text, err := s.readUnit(path)
		if err != nil {
			return 0, true, err
		}
		values = timerValues(values, text)
	}
	if len(values) == 0 {
		return 0, true, fmt.Errorf("%s has no OnBootSec", deadlineTimer)
	}
	// Any of several lets it go off.
	for i, v := range values {
		d, err := timeSpan(v)
		if err != nil {
			return 0, true, fmt.Errorf("OnBootSec of %s: %w", deadlineTimer, err)
		}
		if i == 0 || d < at {
			at = d
		}
	}
	return at, true, nil
}

// unitFiles are the timer's file and its drop-ins, in the order in which they count; none if there is no timer.
func (s *Site) unitFiles() (files []string) {
	for _, dir := range unitDirs {
		path := filepath.Join(dir, deadlineTimer)
		if _, err := os.Stat(s.deps.Host.Path(path)); err == nil {
			files = append(files, path)
			break
		}
	}
	if files == nil {
		return nil
	}
	dropIns := map[string]string{} // by their names: the first folder wins
	for _, dir := range unitDirs {
		entries, err := os.ReadDir(s.deps.Host.Path(filepath.Join(dir, deadlineTimer+".d")))
		if err != nil {
			continue
		}
		for _, e := range entries {
			if _, has := dropIns[e.Name()]; !has && strings.HasSuffix(e.Name(), ".conf") {
				dropIns[e.Name()] = filepath.Join(dir, deadlineTimer+".d", e.Name())
			}
		}
	}
	var names []string
	for name := range dropIns {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		files = append(files, dropIns[name])
	}
	return files
}

func (s *Site) readUnit(path string) (string, error) {
	f, err := os.Open(s.deps.Host.Path(path))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil // a link to nothing
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxUnit))
	return string(b), err
}

// timerValues adds the values of OnBootSec in a unit's text. An empty one takes back those before it.
func timerValues(values []string, text string) []string {
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = line
		}
		key, value, ok := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case !ok || section != "[Timer]" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";"):
		case key != "OnBootSec":
		case value == "":
			values = values[:0]
		default:
			values = append(values, value)
		}
	}
	return values
}

// spanUnits are those of systemd.time(7) that a deadline may be in.
var spanUnits = map[string]time.Duration{
	"": time.Second, "s": time.Second, "sec": time.Second, "second": time.Second, "seconds": time.Second,
	"m": time.Minute, "min": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"h": time.Hour, "hr": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"d": 24 * time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour,
	"ms": time.Millisecond, "msec": time.Millisecond, "us": time.Microsecond, "usec": time.Microsecond,
}

// timeSpan reads a span as systemd does: numbers, each with a unit or in seconds, which are added up.
func timeSpan(text string) (span time.Duration, err error) {
	bad := fmt.Errorf("%.40q is not a time span", text)
	rest := strings.TrimSpace(text)
	if rest == "" {
		return 0, bad
	}
	for rest != "" {
		n := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if n < 0 {
			n = len(rest)
		}
		number, err := strconv.ParseFloat(rest[:n], 64)
		rest = strings.TrimLeft(rest[n:], " ")
		end := strings.IndexFunc(rest, func(r rune) bool { return r < 'a' || r > 'z' })
		if end < 0 {
			end = len(rest)
		}
		unit, known := spanUnits[rest[:end]]
		if err != nil || !known || number*float64(unit) > float64(365*24*time.Hour) {
			return 0, bad
		}
		span += time.Duration(number * float64(unit))
		rest = strings.TrimLeft(rest[end:], " ")
	}
	return span, nil
}
