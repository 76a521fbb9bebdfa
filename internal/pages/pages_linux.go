// Package pages gives back memory that holds the program itself. Linux maps 64 KiB of a program's file wherever a byte of it is
// touched, and a thousand packages that set themselves up touch it here and there: 60 of the 75 MiB that the whole
// program takes before it does anything.
package pages

import (
	"bufio"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Drop gives back the pages of the program's file. What is needed again comes back by itself, from the cache of files. Where
// anything is not as expected the pages stay.
func Drop() {
	for _, s := range programSpans() {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, s.start, s.end-s.start, unix.MADV_DONTNEED)
	}
}

// span is a range of addresses.
type span struct{ start, end uintptr }

// programSpans finds the ranges that hold the program's file as it is on disk. One that has pages of its own, as a program
// that is relocated when it starts, is left out: those could not come back.
func programSpans() []span {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return nil
	}
	defer f.Close()
	var list []span
	var at span
	own := false // at is a range of the program's file that nobody can write to
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) >= 5 && strings.Contains(fields[0], "-"):
			at, own = parseSpan(fields[0])
			own = own && len(fields) == 6 && fields[5] == program && (fields[1] == "r-xp" || fields[1] == "r--p")
		case own && len(fields) == 3 && fields[0] == "Anonymous:" && fields[1] == "0":
			list = append(list, at)
		}
	}
	return list
}

// parseSpan reads a range as the kernel writes it: 00400000-0040d000.
func parseSpan(s string) (span, bool) {
	from, to, _ := strings.Cut(s, "-")
	start, err := strconv.ParseUint(from, 16, strconv.IntSize)
	end, err2 := strconv.ParseUint(to, 16, strconv.IntSize)
	return span{uintptr(start), uintptr(end)}, err == nil && err2 == nil && start < end
}
