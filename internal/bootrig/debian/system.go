package debian

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// suite is the Debian that machines run, and mirror is where its packages come from.
const (
	suite  = "bookworm"
	mirror = "http://deb.debian.org/debian"
)

// base are the packages of every system: systemd as pid 1, a kernel for virtual machines, and an initramfs that mounts the root.
var base = []string{"dbus", "e2fsprogs", "initramfs-tools", "kmod", "linux-image-cloud-amd64", "systemd-sysv", "udev"}

// System is the file system of Debian packages, as a tar.
type System struct{ tar string }

// NewSystem makes a system of packages and what they need. It takes minutes; the next call with the same packages takes none.
func NewSystem(ctx context.Context, packages ...string) (*System, error) {
	all := slices.Concat(base, packages)
	slices.Sort(all)
	all = slices.Compact(all)
	key := sha256.Sum256([]byte(suite + " " + strings.Join(all, " ")))
	dir, err := testtools.CacheDir("debian", hex.EncodeToString(key[:6]))
	if err != nil {
		return nil, err
	}
	s := &System{tar: filepath.Join(dir, "root.tar")}
	if _, err := os.Stat(s.tar); !errors.Is(err, fs.ErrNotExist) {
		return s, err
	}
	tmp, err := os.MkdirTemp(dir, ".make-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	made := filepath.Join(tmp, "root.tar")
	args := []string{"--variant=minbase", "--include=" + strings.Join(all, ","), `--aptopt=Acquire::Languages "none"`}
	for _, folder := range []string{"doc", "man", "locale"} {
		args = append(args, "--dpkgopt=path-exclude=/usr/share/"+folder+"/*")
	}
	if err := run(ctx, tmp, "mmdebstrap", append(args, suite, made, mirror)...); err != nil {
		return nil, err
	}
	return s, os.Rename(made, s.tar)
}

// script runs a script in a folder that holds the tree of the system as root, and takes the tree away at its end.
func (s *System) script(ctx context.Context, dir, script string) error {
	// Device nodes are the kernel's to make, and nobody else's without root.
	unpack := fmt.Sprintf("set -euo pipefail\nmkdir root\ntar -C root --numeric-owner --exclude='./dev/*' -xpf %s\n", s.tar)
	command := []string{"bash", "-c", unpack + script + "\nrm -rf root\n"}
	if os.Getuid() != 0 {
		command = append([]string{"unshare", "--map-root-user", "--map-auto", "--"}, command...)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return run(ctx, dir, command[0], command[1:]...)
}

// Change makes another image of one, in which files have another content, by their path. They belong to root and have mode 0644.
func Change(ctx context.Context, from, to string, files map[string]string) error {
	if err := run(ctx, "", "cp", "--sparse=always", from, to); err != nil {
		return err
	}
	for path, text := range files {
		tmp := to + ".file"
		if err := os.WriteFile(tmp, []byte(text), 0o644); err != nil {
			return err
		}
		defer os.Remove(tmp)
		for _, request := range []string{"rm " + path, "write " + tmp + " " + path} {
			if err := run(ctx, "", "/usr/sbin/debugfs", "-w", "-R", request, to); err != nil {
				return err
			}
		}
	}
	return nil
}

// run runs a program of the host's; what it printed stands in the error.
func run(ctx context.Context, dir, name string, args ...string) error {
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	if err := cmd.Run(); err != nil {
		text := said.String()
		return fmt.Errorf("%s: %w: %s", name, err, text[max(0, len(text)-4000):])
	}
	return nil
}
