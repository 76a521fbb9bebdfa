package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

const (
	// maxTarEntries bounds what an archive's index may hold in memory.
	maxTarEntries = 1 << 17
	maxTarName    = 4096
	// maxTarLinks is how many links in a row are followed inside an archive.
	maxTarLinks = 8
)

// tarFiles is an uncompressed tar whose files are read where they lie.
type tarFiles struct {
	r       io.ReaderAt
	close   func() error
	entries map[string]tarEntry
}

type tarEntry struct {
	offset, size int64
	link         string // the name of the entry that this one stands for
}

// openTar reads the headers of a tar file.
func openTar(name string) (*tarFiles, error) {
	f, err := os.Open(name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &Error{Problem: "its source is not there", Err: err}
		}
		return nil, err
	}
	t, err := newTar(f, name)
	if err != nil {
		return nil, closing(f, err)
	}
	return t, nil
}

func newTar(f *os.File, name string) (*tarFiles, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errorf("%s is not a regular file", name)
	}
	t, err := indexTar(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	t.close = f.Close
	return t, nil
}

// indexTar finds where each file of a tar lies. Of two entries with one name the last counts, as when unpacking.
func indexTar(r io.ReaderAt, size int64) (*tarFiles, error) {
	if err := checkUncompressed(r); err != nil {
		return nil, err
	}
	if err := checkEnd(r, size); err != nil {
		return nil, err
	}
	t := &tarFiles{r: r, close: func() error { return nil }, entries: make(map[string]tarEntry)}
	// A reader that can seek is not read ahead: after each header it stands at the entry's first byte.
	section := io.NewSectionReader(r, 0, size)
	tr := tar.NewReader(section)
	for n := 0; ; n++ {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, &Error{Problem: "it is no tar archive, or not a whole one", Err: err}
		}
		if n == maxTarEntries {
			return nil, errorf("it has more than %d entries", maxTarEntries)
		}
		offset, err := section.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		if err := t.add(h, offset, size); err != nil {
			return nil, err
		}
	}
}

// checkUncompressed refuses the usual compressed archives by a message that helps.
func checkUncompressed(r io.ReaderAt) error {
	var magic [4]byte
	n, err := r.ReadAt(magic[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for form, prefix := range map[string]string{"gzip": "\x1f\x8b", "zstd": "\x28\xb5\x2f\xfd", "xz": "\xfd7zX"} {
		if bytes.HasPrefix(magic[:n], []byte(prefix)) {
			return &Error{Problem: "the archive is compressed with " + form,
				Advice: "decompress the archive: its files are read in place"}
		}
	}
	return nil
}

// checkEnd looks for the zero blocks that end a tar, whose absence Go's reader forgives.
func checkEnd(r io.ReaderAt, size int64) error {
	end := make([]byte, 1024)
	if size < int64(len(end)) {
		return errorf("it is too short for a tar archive")
	}
	if _, err := r.ReadAt(end, size-int64(len(end))); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if !bytes.Equal(end, make([]byte, len(end))) {
		return errorf("it is no tar archive, or not a whole one: its end is missing")
	}
	return nil
}

// add notes one entry. Names that lead out of the archive cannot be asked for, so they are passed over.
func (t *tarFiles) add(h *tar.Header, offset, size int64) error {
	name := path.Clean(h.Name)
	if len(h.Name) > maxTarName || !fs.ValidPath(name) {
		return nil
	}
	switch h.Typeflag {
	case tar.TypeReg:
		if sparse(h) {
			return errorf("%q is a sparse file, which cannot be read in place", h.Name)
		}
		if h.Size < 0 || h.Size > size-offset {
			return errorf("%q is cut short", h.Name)
		}
		t.entries[name] = tarEntry{offset: offset, size: h.Size}
	case tar.TypeLink:
		t.entries[name] = tarEntry{link: path.Clean(h.Linkname)}
	case tar.TypeSymlink:
		t.entries[name] = tarEntry{link: path.Join(path.Dir(name), h.Linkname)}
	}
	return nil
}

func sparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return h.Typeflag == tar.TypeGNUSparse
}

// section finds a regular file, through links if need be.
func (t *tarFiles) section(name string) (*io.SectionReader, error) {
	for range maxTarLinks {
		e, ok := t.entries[path.Clean(name)]
		if !ok {
			return nil, &Error{Problem: fmt.Sprintf("%q", name), Err: errNotFound}
		}
		if e.link == "" {
			return io.NewSectionReader(t.r, e.offset, e.size), nil
		}
		name = e.link
	}
	return nil, errorf("%q is a link to a link to a link", name)
}

func (t *tarFiles) open(name string) (io.ReadCloser, error) {
	s, err := t.section(name)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(s), nil
}

// has reports whether there is an entry of that name.
func (t *tarFiles) has(name string) bool {
	_, ok := t.entries[name]
	return ok
}

func (t *tarFiles) Close() error { return t.close() }
