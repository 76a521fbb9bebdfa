package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport-dev/sallyport/internal/bootrig/wire"
)

// line is the serial line to the host.
type line struct {
	mu  sync.Mutex
	out *os.File
	in  *bufio.Reader
}

// lines are the names that the second serial line may have.
var lines = []string{"/dev/ttyS1", "/dev/ttyAMA1"}

func openHost() *line {
	for _, name := range lines {
		f, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			continue
		}
		if err := raw(f); err != nil {
			report(err)
			continue
		}
		return &line{out: f, in: bufio.NewReader(f)}
	}
	report(errors.New("there is no serial line to the host"))
	select {}
}

// raw passes bytes as they are, and echoes none.
func raw(f *os.File) error {
	t, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8 | unix.CLOCAL | unix.CREAD
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t)
}

func (l *line) say(e wire.Event) {
	b, err := json.Marshal(e)
	if err != nil {
		report(err)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// What firmware and loader have left on the line ends here.
	if _, err := l.out.Write(slices.Concat([]byte("\n"), b, []byte("\n"))); err != nil {
		report(err)
	}
}

func (l *line) hear() (r wire.Request) {
	for {
		b, err := l.in.ReadBytes('\n')
		if err != nil {
			report(err)
			time.Sleep(time.Second)
			continue
		}
		if err := json.Unmarshal(b, &r); err != nil {
			report(err)
			continue
		}
		return r
	}
}

// answer does what the host asks for. Of a reboot that works there is no answer.
func (l *line) answer(r wire.Request) {
	var a wire.Answer
	var err error
	switch {
	case len(r.Run) > 0:
		a = run(r.Run...)
	case r.Write != "":
		if err = os.MkdirAll(filepath.Dir(r.Write), 0o755); err == nil {
			err = os.WriteFile(r.Write, []byte(r.Text), 0o644)
		}
		unix.Sync()
	case r.Read != "":
		var b []byte
		b, err = os.ReadFile(r.Read)
		a.Out = string(b)
	case r.Remove != "":
		err = os.RemoveAll(r.Remove)
		unix.Sync()
	case r.Remount != "":
		flags := uintptr(unix.MS_REMOUNT)
		if r.Options == "" {
			flags |= unix.MS_RDONLY
		}
		err = unix.Mount("none", r.Remount, "", flags, r.Options)
	case r.Reboot:
		err = end(unix.LINUX_REBOOT_CMD_RESTART)
	case r.PowerOff:
		err = end(unix.LINUX_REBOOT_CMD_POWER_OFF)
	default:
		err = errors.New("nothing that a guest knows")
	}
	if err != nil {
		a.Exit, a.Err = 1, err.Error()
	}
	l.say(wire.Event{Answer: &a})
}

// sallyport is the program for sites, as the images have it.
const sallyport = "/usr/local/bin/sallyport"

// run starts a program and waits for it. What it complains of also goes to the console, as it comes: a program that reboots the
// machine has no answer.
func run(argv ...string) (a wire.Answer) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(context.Background(), argv[0], argv[1:]...)
	cmd.Env = environ()
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = &out, io.MultiWriter(&errs, os.Stdout)
	err := cmd.Run()
	a.Out, a.Err = out.String(), errs.String()
	if cmd.ProcessState == nil {
		return wire.Answer{Exit: 127, Err: err.Error()}
	}
	a.Exit = cmd.ProcessState.ExitCode()
	return a
}

// confirm plays the shipped unit: it reboots where that leads on, and is run again after 1 and 7, which pass.
func confirm(l *line) {
	for {
		a := run(sallyport, "confirm", "--reboot", "--json", "--progress", "none")
		l.say(wire.Event{Confirm: &a})
		if a.Exit != 1 && a.Exit != 7 {
			return
		}
		time.Sleep(3 * time.Second)
	}
}

// overdue plays the shipped timer.
func overdue(after time.Duration) {
	time.Sleep(after)
	a := run(sallyport, "confirm", "--deadline", "--reboot", "--progress", "none")
	report(fmt.Errorf("confirm --deadline: exit %d", a.Exit))
}
