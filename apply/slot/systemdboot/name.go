package systemdboot

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

const (
	extension = ".conf"
	uncounted = -1
)

// name is the name of an entry's file, taken apart.
type name struct {
	stem string // without counter and extension
	left int    // tries left, or uncounted
	done int
}

// parseName takes the name of a file apart as systemd-boot does: the counter stands after the last plus sign, and anything there
// that is not quite a counter belongs to the name. ext is the extension, which is compared without case only where no counter
// stands before it.
func parseName(file, ext string) (n name, ok bool) {
	if len(file) < len(ext) || !strings.EqualFold(file[len(file)-len(ext):], ext) {
		return name{}, false
	}
	n = name{stem: file[:len(file)-len(ext)], left: uncounted}
	plus := strings.LastIndexByte(n.stem, '+')
	if plus < 0 || !strings.HasSuffix(file, ext) {
		return n, true
	}
	left, done, dash := strings.Cut(n.stem[plus+1:], "-")
	if !dash {
		done = "0"
	}
	l, okLeft := number(left)
	d, okDone := number(done)
	if okLeft && okDone {
		n = name{stem: n.stem[:plus], left: l, done: d}
	}
	return n, true
}

// number reads decimal digits only.
func number(s string) (int, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return int(n), err == nil && n <= math.MaxInt32
}

// goodFile, badFile and trialFile are the names that this package gives. Counting leads to none of them.
func goodFile(stem string) string             { return stem + extension }
func badFile(stem string) string              { return stem + "+0" + extension }
func trialFile(stem string, tries int) string { return fmt.Sprintf("%s+%d%s", stem, tries, extension) }

var nameSyntax = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}$`)

// ValidName tells whether s can be the name of an entry's file, without counter and extension.
func ValidName(s string) error {
	if !nameSyntax.MatchString(s) || strings.HasPrefix(strings.ToLower(s), "auto-") {
		return fmt.Errorf("%q is not the name of an entry of systemd-boot: use letters, digits, hyphens, underscores and dots, as in slot-a", s)
	}
	return nil
}
