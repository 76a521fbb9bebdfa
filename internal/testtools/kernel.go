package testtools

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Kernel returns a folder that holds Debian's kernel for virtual machines: vmlinuz, and its modules below modules/. The first
// call on a machine fetches it by apt-get, and installs nothing.
func Kernel(ctx context.Context) (string, error) {
	return kernel(ctx, "linux-image-cloud-amd64", "debian-cloud-amd64", []string{"."})
}

// wholeModules are the folders of modules that WholeKernel keeps: disks and their file systems, flash, watchdogs, and management
// controllers.
var wholeModules = []string{"block", "crypto", "drivers/char/ipmi", "drivers/mtd", "drivers/nvme", "drivers/watchdog", "fs/ext4", "fs/efivarfs",
	"fs/fat", "fs/jbd2", "fs/mbcache.ko", "fs/nls", "lib"}

// WholeKernel is Kernel for any machine: it has the drivers of flash and of watchdogs, too, and what a machine in QEMU needs to see
// its disk. Of its other modules none is kept.
func WholeKernel(ctx context.Context) (string, error) {
	return kernel(ctx, "linux-image-amd64", "debian-amd64", wholeModules)
}

func kernel(ctx context.Context, pkg, kind string, keep []string) (string, error) {
	dir, err := CacheDir("linux", kind)
	if err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(dir, ".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	whole := filepath.Join(dir, "kernel")
	if _, err := os.Stat(whole); !errors.Is(err, fs.ErrNotExist) {
		return whole, err
	}
	return whole, fetchKernel(ctx, pkg, dir, whole, keep)
}

// fetchKernel makes the folder, whole or not at all, with the modules below some folders.
func fetchKernel(ctx context.Context, pkg, dir, whole string, keep []string) error {
	tmp, err := os.MkdirTemp(dir, ".fetch-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	name, err := newestKernel(ctx, pkg)
	if err != nil {
		return err
	}
	if _, err := output(ctx, tmp, "apt-get", "download", "-q", name); err != nil {
		return err
	}
	file, err := only(filepath.Join(tmp, "*.deb"))
	if err != nil {
		return err
	}
	if _, err := output(ctx, tmp, "dpkg", "-x", file, "deb"); err != nil {
		return err
	}
	out := filepath.Join(tmp, "kernel")
	if err := os.Mkdir(out, 0o755); err != nil {
		return err
	}
	moves := map[string]string{"deb/boot/vmlinuz-*": "vmlinuz"}
	for _, folder := range keep {
		moves[filepath.Join("deb/lib/modules/*/kernel", folder)] = filepath.Join("modules", folder)
	}
	for glob, name := range moves {
		if err := move(filepath.Join(tmp, glob), filepath.Join(out, name)); err != nil {
			return err
		}
	}
	return os.Rename(out, whole)
}

// move moves the one file or folder that a pattern names.
func move(glob, to string) error {
	from, err := only(glob)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.Rename(from, to)
}

// newestKernel is the package that Debian's name without a version stands for.
func newestKernel(ctx context.Context, pkg string) (string, error) {
	out, err := output(ctx, "", "apt-cache", "depends", pkg)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(out) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: linux-image-"); ok {
			return "linux-image-" + name, nil
		}
	}
	return "", fmt.Errorf("%s names no kernel: run apt-get update", pkg)
}

func only(glob string) (string, error) {
	files, err := filepath.Glob(glob)
	if err == nil && len(files) != 1 {
		err = fmt.Errorf("%d files are %s, not one", len(files), glob)
	}
	if err != nil {
		return "", err
	}
	return files[0], nil
}

func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return string(out), nil
}
