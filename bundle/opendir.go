package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// openDir opens the one bundle in a directory, such as a stick.
func openDir(dir string) (*File, error) {
	found, err := FindBundles(dir)
	if err != nil {
		return nil, err
	}
	switch len(found) {
	case 1:
		return OpenFile(found[0], nil)
	case 0:
		return nil, errorf(reasonUsage, "%s holds no bundle", dir)
	}
	names := make([]string, len(found))
	for i, p := range found {
		names[i] = filepath.Base(p)
	}
	e := errorf(reasonUsage, "%s holds %d bundles: %s", dir, len(found), strings.Join(names, ", "))
	e.hint = "name one of them"
	return nil, e
}

// FindBundles lists the bundles in a directory, by what they hold and not by their names: whole files and first parts,
// sorted. If nothing looks like a bundle, the only file with the name of one (.tar, .tar.001) is taken for it, so that a
// damaged bundle is reported as such.
func FindBundles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look for a bundle: %w", err)
	}
	var found, named []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		st, err := os.Stat(path)
		if err != nil || !st.Mode().IsRegular() || strings.HasPrefix(e.Name(), ".") {
			continue // a dangling link, a folder, a leftover
		}
		if whole, n, ok := splitPartName(path); ok && n > 1 && exists(partName(whole, 1)) {
			continue // a part is no bundle, even if it is a copy of the first one
		}
		ok, err := looksLikeBundle(path)
		if err != nil {
			return nil, fmt.Errorf("look for a bundle: %w", err)
		}
		if ok {
			found = append(found, path)
		}
		if strings.HasSuffix(e.Name(), ".tar") || strings.HasSuffix(e.Name(), ".tar.001") {
			named = append(named, path)
		}
	}
	if len(found) == 0 && len(named) == 1 {
		return named, nil
	}
	return found, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// looksLikeBundle tells whether a file begins like a bundle: with oci-layout and an index that names a release early on.
func looksLikeBundle(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	b := make([]byte, 4096)
	n, err := io.ReadFull(f, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return false, err
	}
	start := makeHeader(nameLayout, int64(len(ociLayout)))
	return bytes.HasPrefix(b[:n], start[:]) && bytes.Contains(b[:n], []byte("application/vnd.sallyport.release.v")), nil
}

// Files lists the files that hold the bundle whose name is path: that file or, of the first part of a split one, all parts that
// are there up to the first gap. list is that of the parts, empty if there is none. ok is false of a later part.
func Files(path string) (files []string, list string, ok bool) {
	whole, n, isPart := splitPartName(path)
	if !isPart || !exists(partName(whole, 1)) {
		return []string{path}, "", true
	}
	if n > 1 {
		return nil, "", false
	}
	for i := 1; i <= MaxParts && exists(partName(whole, i)); i++ {
		files = append(files, partName(whole, i))
	}
	if exists(partListName(whole)) {
		list = partListName(whole)
	}
	return files, list, true
}
