package systemdboot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Limits of what is read of an ESP.
const (
	maxEntries = 512
	maxEntry   = 64 << 10
)

// entriesDir and imagesDir are where entries of type #1 and #2 lie in a file system.
const (
	entriesDir = "loader/entries"
	imagesDir  = "EFI/Linux"
)

// tree is what systemd-boot finds: entries, the one that it boots first.
type tree []*entry

// readTree reads the entries of file systems, in the loader's order. What the loader passes over without a word is passed over
// here, too: a file that it cannot read or that starts a program that is not there.
func readTree(roots []string) (tree, error) {
	var all tree
	for _, root := range roots {
		for _, kind := range []struct {
			dir, ext string
			read     func(root, file string) (*entry, error)
		}{{entriesDir, extension, readEntry}, {imagesDir, ".efi", readImage}} {
			files, err := list(filepath.Join(root, kind.dir))
			if err != nil {
				return nil, err
			}
			for _, file := range files {
				n, ok := parseName(file, kind.ext)
				if !ok || file[0] == '.' || strings.HasPrefix(file, "auto-") {
					continue
				}
				e, err := kind.read(root, file)
				if err != nil {
					return nil, err
				}
				if e == nil {
					continue
				}
				e.name, e.root, e.file, e.id = n, root, file, strings.ToLower(file)
				all = append(all, e)
			}
		}
	}
	slices.SortStableFunc(all, compare)
	return all, nil
}

// list is the names of the files in a folder, which need not be there.
func list(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := f.ReadDir(maxEntries + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if len(all) > maxEntries {
		return nil, fmt.Errorf("%s holds more than %d files", dir, maxEntries)
	}
	var files []string
	for _, e := range all {
		if e.Type().IsRegular() {
			files = append(files, e.Name())
		}
	}
	slices.Sort(files)
	return files, nil
}

func readEntry(root, file string) (*entry, error) {
	content, err := readFile(filepath.Join(root, entriesDir, file))
	if err != nil {
		return nil, err
	}
	k, program := parseEntry(content)
	if program == "" {
		return nil, nil
	}
	if _, err := os.Stat(filepath.Join(root, onDisk(program))); err != nil {
		return nil, nil
	}
	return &entry{keys: k, content: content}, nil
}

// onDisk is a path as entries have it, as Linux has it.
func onDisk(path string) string { return filepath.Clean("/" + strings.ReplaceAll(path, `\`, "/")) }

// readFile reads a file of an entry.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxEntry+1))
	if err == nil && len(b) > maxEntry {
		err = fmt.Errorf("%s is longer than %d bytes", path, maxEntry)
	}
	return b, err
}

func readImage(root, file string) (*entry, error) {
	f, err := os.Open(filepath.Join(root, imagesDir, file))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	release, err := readRelease(f)
	if errors.Is(err, errImage) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	k, ok := releaseKeys(release)
	if !ok {
		return nil, nil
	}
	return &entry{keys: k}, nil
}

// slotFile is a file of a slot. The loader may have no use for it.
type slotFile struct {
	name
	root, file string
}

func (f slotFile) path() string { return filepath.Join(f.root, entriesDir, f.file) }

// slotFiles are the files of the slot that the loader calls boot: one, but two where a power cut came between. FAT knows no case.
func slotFiles(roots []string, boot string) ([]slotFile, error) {
	var found []slotFile
	for _, root := range roots {
		files, err := list(filepath.Join(root, entriesDir))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if n, ok := parseName(file, extension); ok && strings.EqualFold(n.stem, boot) {
				found = append(found, slotFile{n, root, file})
			}
		}
	}
	return found, nil
}
