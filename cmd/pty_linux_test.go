//go:build linux && !site

package cmd

import (
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// screen is a terminal of so many columns, and what happened on it.
type screen struct {
	tty, master *os.File
	closed      chan struct{}

	mu     sync.Mutex
	width  int
	lines  []string // as they stand
	at     int      // column, in the last line
	frames []string // each line that was drawn over another
	raw    strings.Builder
}

// newScreen opens a pseudo-terminal, pty(7).
func newScreen(t *testing.T, columns int) *screen {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("this machine gives no pseudo-terminal: %v", err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	tty, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY)
	if errno != 0 {
		t.Fatal(errno)
	}
	s := &screen{master: master, tty: os.NewFile(tty, "tty"), closed: make(chan struct{}), lines: []string{""}}
	s.resize(t, columns)
	go s.read()
	return s
}

func (s *screen) resize(t *testing.T, columns int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.width = columns
	if err := unix.IoctlSetWinsize(int(s.tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(columns)}); err != nil {
		t.Fatal(err)
	}
}

func (s *screen) read() {
	defer close(s.closed)
	b := make([]byte, 4096)
	for {
		n, err := s.master.Read(b)
		s.mu.Lock()
		s.raw.Write(b[:n])
		for rest := string(b[:n]); rest != ""; {
			rest = s.take(rest)
		}
		s.mu.Unlock()
		if err != nil {
			return // EIO, once nobody has the terminal open any more
		}
	}
}

var erase = "\x1b[K"

// take does what a terminal does with the first character or sequence of b. Sequences come whole here: each is written
// in one piece, of less than the terminal's buffer.
func (s *screen) take(b string) string {
	last := &s.lines[len(s.lines)-1]
	switch {
	case strings.HasPrefix(b, erase):
		if *last = string([]rune(*last)[:s.at]); s.at > 0 {
			s.frames = append(s.frames, *last)
		}
		return b[len(erase):]
	case b[0] == '\x1b':
		return b[len(colour.FindString(b)):]
	case b[0] == '\r':
		s.at = 0
		return b[1:]
	case b[0] == '\n':
		s.lines, s.at = append(s.lines, ""), 0
		return b[1:]
	}
	r := []rune(b)[0]
	if s.at == s.width {
		s.lines, s.at = append(s.lines, ""), 0
		last = &s.lines[len(s.lines)-1]
	}
	line := []rune(*last)
	if s.at < len(line) {
		line[s.at] = r
	} else {
		line = append(line, r)
	}
	*last, s.at = string(line), s.at+1
	return b[len(string(r)):]
}

var colour = regexp.MustCompile(`^\x1b(\[[0-9;]*m)?`)

// await waits until the terminal has taken text.
func (s *screen) await(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		there := strings.Contains(s.raw.String(), text)
		s.mu.Unlock()
		if there {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%q never came", text)
		}
	}
}

// end closes the terminal and gives what stands on it then, and what stood there meanwhile.
func (s *screen) end() (text string, frames []string, raw string) {
	_ = s.tty.Close()
	<-s.closed
	_ = s.master.Close()
	return strings.Join(s.lines, "\n"), s.frames, s.raw.String()
}
