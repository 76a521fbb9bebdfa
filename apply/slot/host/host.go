// Package host reads what the running kernel knows of how the machine was booted.
package host

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Host is a machine. Root is the folder that stands for "/": empty for this machine.
type Host struct{ Root string }

// Path is where an absolute path of the machine is found.
func (h Host) Path(path string) string { return filepath.Join("/", h.Root, path) }

const (
	maxCommandLine = 64 << 10
	maxBootID      = 64
	maxUptime      = 1e9 // seconds
)

// SlotParam, EnvParam and TrialParam are the parameters that our boot scripts and entries put on the kernel's command line: the
// loader's name of the slot that it booted, the mark of the place that it keeps its state in, and the word that this boot is a try,
// by which sallyport-confirm-reboot.service ends one whose state cannot be read.
const (
	SlotParam  = "sallyport.slot"
	EnvParam   = "sallyport.env"
	TrialParam = "sallyport.trial"
)

// RAUCSlotParam is what RAUC's boot scripts call SlotParam.
const RAUCSlotParam = "rauc.slot"

// SlotName is the loader's name of the slot, as a boot script put it on the kernel's command line; empty if none did.
func (h Host) SlotName() (string, error) {
	for _, param := range []string{SlotParam, RAUCSlotParam} {
		if name, found, err := h.Param(param); err != nil || found {
			return name, err
		}
	}
	return "", nil
}

// CommandLine is the kernel's.
func (h Host) CommandLine() (string, error) { return h.read("/proc/cmdline", maxCommandLine) }

// Param returns the value of a parameter of the kernel's command line; of one that is there several times, the last.
func (h Host) Param(key string) (value string, found bool, err error) {
	line, err := h.CommandLine()
	if err != nil {
		return "", false, err
	}
	for _, word := range words(line) {
		if v, ok := strings.CutPrefix(word, key+"="); ok {
			value, found = strings.Trim(v, `"`), true
		}
	}
	return value, found, nil
}

// Params are the parameters on the kernel's command line, each as it stands there.
func (h Host) Params() ([]string, error) {
	line, err := h.CommandLine()
	return words(line), err
}

// words splits a command line as the kernel does: double quotes keep spaces together.
func words(line string) []string {
	quoted := false
	return strings.FieldsFunc(line, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return !quoted && (r == ' ' || r == '\t' || r == '\n')
	})
}

// BootID is different after each boot.
func (h Host) BootID() (string, error) {
	id, err := h.read("/proc/sys/kernel/random/boot_id", maxBootID)
	if id = strings.TrimSpace(id); err == nil && id == "" {
		err = errors.New("the kernel tells no boot_id")
	}
	return id, err
}

// Uptime is the time since the boot, that of sleep included.
func (h Host) Uptime() (time.Duration, error) {
	text, err := h.read("/proc/uptime", maxBootID)
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(text, " ")
	seconds, err := strconv.ParseFloat(first, 64)
	if err != nil || seconds < 0 || seconds > maxUptime {
		return 0, fmt.Errorf("/proc/uptime says %q", text)
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

// read returns a small file of the kernel's.
func (h Host) read(path string, limit int64) (string, error) {
	f, err := os.Open(h.Path(path))
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return string(b), err
}
