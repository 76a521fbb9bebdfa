package testtools

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Initramfs is a root file system for a machine in QEMU, as the kernel unpacks it: a cpio archive ("newc") of files, folders and
// links, by their paths in it, each with the path here that it is copied from; an empty one makes an empty folder.
func Initramfs(files map[string]string) ([]byte, error) {
	var b bytes.Buffer
	made := map[string]bool{".": true}
	for _, folder := range []string{"proc", "sys", "dev", "run", "tmp"} {
		if err := addPath(&b, made, folder, ""); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := addPath(&b, made, name, files[name]); err != nil {
			return nil, err
		}
	}
	addEntry(&b, "TRAILER!!!", 0, nil)
	return b.Bytes(), nil
}

const (
	cpioFile   = 0o100000
	cpioFolder = 0o040755
	cpioLink   = 0o120777
)

// addPath adds a file, with the folders above it that are not there yet.
func addPath(b *bytes.Buffer, made map[string]bool, name, from string) error {
	if made[name] {
		return nil
	}
	if err := addPath(b, made, filepath.Dir(name), ""); err != nil {
		return err
	}
	made[name] = true
	if from == "" {
		addEntry(b, name, cpioFolder, nil)
		return nil
	}
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		addEntry(b, name, cpioFolder, nil)
	case info.Mode()&fs.ModeSymlink != 0:
		to, err := os.Readlink(from)
		if err != nil {
			return err
		}
		addEntry(b, name, cpioLink, []byte(to))
	case info.Mode().IsRegular():
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		addEntry(b, name, cpioFile|uint32(info.Mode().Perm()), data)
	default:
		return errors.New(from + " is no file, folder or link")
	}
	return nil
}

// addEntry writes one entry: its head of hexadecimal numbers, its name and its content, each filled up to four bytes.
func addEntry(b *bytes.Buffer, name string, mode uint32, data []byte) {
	fmt.Fprintf(b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0, name)
	pad(b)
	b.Write(data)
	pad(b)
}

func pad(b *bytes.Buffer) {
	for b.Len()%4 != 0 {
		b.WriteByte(0)
	}
}
