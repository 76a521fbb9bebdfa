package grub

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// generators is the folder of the programs that make grub.cfg on Debian, and generator is ours among them: the last but those that
// a person has added, so that its default entry counts.
const (
	generators = "/etc/grub.d"
	generator  = generators + "/42_sallyport"
)

const generatorText = `#!/bin/sh
# Has update-grub make grub.cfg read sallyport's part of GRUB's configuration.
# Written by: sallyport site init --boot grub.
cat <<'EOF'
if [ -f $prefix/` + ScriptFile + ` ]; then source $prefix/` + ScriptFile + `; fi
EOF
`

// writeScript writes our part of GRUB's configuration, and has update-grub make grub.cfg read it.
func (s Setup) writeScript(l *Loader, done *SetupResult) error {
	text, err := s.script(l)
	if err != nil {
		return err
	}
	path := filepath.Join(filepath.Dir(l.env), ScriptFile)
	if err := s.Disk.WriteFile(s.Host.Path(path), []byte(text), 0o644); err != nil {
		return err
	}
	done.Files = append(done.Files, path)
	// Without that folder, or where it lies in an image that nothing is written to, grub.cfg is made in another way.
	if _, err := os.Stat(s.Host.Path(generators)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	err = s.Disk.WriteFile(s.Host.Path(generator), []byte(generatorText), 0o755)
	if err == nil {
		done.Files = append(done.Files, generator)
	}
	if errors.Is(err, syscall.EROFS) {
		return nil
	}
	return err
}

// generates tells whether update-grub makes grub.cfg read our part: an image may have brought what does that.
func (l *Loader) generates() bool {
	path := l.host.Path(generator)
	text, err := os.ReadFile(path)
	if err != nil || string(text) != generatorText {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode()&0o111 != 0
}

// maxConfig bounds what is read of grub.cfg, in bytes.
const maxConfig = 4 << 20

// sourced tells whether grub.cfg reads our part already.
func (l *Loader) sourced() bool {
	f, err := os.Open(l.host.Path(filepath.Join(filepath.Dir(l.env), "grub.cfg")))
	if err != nil {
		return false
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig))
	return err == nil && bytes.Contains(text, []byte("source $prefix/"+ScriptFile))
}

func (s Setup) script(l *Loader) (string, error) {
	a, err := partUUID(s.Host, s.Roots[slot.A])
	if err != nil {
		return "", err
	}
	b, err := partUUID(s.Host, s.Roots[slot.B])
	if err != nil {
		return "", err
	}
	args, err := args(s.Host)
	if err != nil {
		return "", err
	}
	return Script{A: ScriptSlot{l.names.A, a}, B: ScriptSlot{l.names.B, b}, Args: args, Block: filepath.Base(l.env)}.Text()
}

// partUUID is the PARTUUID of a partition, by the links that udev makes.
func partUUID(h host.Host, path string) (string, error) {
	const links = "/dev/disk/by-partuuid"
	want, _ := h.BlockDevice(path)
	entries, err := os.ReadDir(h.Path(links))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	for _, e := range entries {
		if number, ok := h.BlockDevice(filepath.Join(links, e.Name())); ok && number == want {
			return strings.ToLower(e.Name()), nil
		}
	}
	return "", &setupError{path + " has no PARTUUID: nothing in " + links + " leads to it",
		"name a partition of a disk with a GPT or an MBR, and see to it that udev runs"}
}

// ourArgs are the parameters that the script sets by itself, and those that tell of one boot only.
var ourArgs = []string{"BOOT_IMAGE", "root", "initrd", "panic", "rd.emergency", "rd.shell", "rd.timeout", host.TrialParam, host.SlotParam, host.EnvParam, raucParam}

// args are the parameters that the running kernel was given, without those that differ from slot to slot.
func args(h host.Host) (string, error) {
	params, err := h.Params()
	if err != nil {
		return "", err
	}
	var kept []string
	for _, word := range params {
		if key, _, _ := strings.Cut(word, "="); !slices.Contains(ourArgs, key) {
			kept = append(kept, word)
		}
	}
	all := strings.Join(kept, " ")
	if !argsSyntax.MatchString(all) {
		return "", &setupError{fmt.Sprintf("the kernel was given parameters that cannot stand in a script of GRUB's: %.200q", all),
			"have /boot/sallyport-slot.cfg of each slot's root file system give them, and boot without them for this command"}
	}
	return all, nil
}
