package bundle

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
)

// openParts opens the parts of whole as one. With the list of parts, it says at once which parts are missing or too short;
// without it, it takes the parts that are there, and the bundle itself tells whether they are all.
func openParts(whole string) (*File, error) {
	list, err := readPartList(whole)
	if err != nil {
		return nil, err
	}
	j := &joiner{whole: whole, listed: list != nil}
	if list == nil {
		j.parts, err = findParts(whole)
	} else {
		j.parts, err = list.Parts, list.present(whole)
	}
	if err != nil {
		return nil, err
	}
	var size int64
	for _, p := range j.parts {
		size += p.Size
	}
	return &File{name: partName(whole, 1), size: size, r: j, c: j}, nil
}

// readPartList reads FILE.parts.json; nil if there is none. The files may have been renamed together, so that the names
// in it count by their number only.
func readPartList(whole string) (*PartList, error) {
	f, err := os.Open(partListName(whole))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open the list of parts: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxPartListSize+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read the list of parts: %w", err)
	}
	l, err := ParsePartList(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", partListName(whole), err)
	}
	for i := range l.Parts {
		l.Parts[i].File = partName(filepath.Base(whole), i+1)
	}
	return l, nil
}

// present checks that every part is there with its size.
func (l *PartList) present(whole string) error {
	var missing []string
	for _, p := range l.Parts {
		path := filepath.Join(filepath.Dir(whole), p.File)
		st, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, p.File)
		case err != nil:
			return fmt.Errorf("look at the parts: %w", err)
		case st.Size() < p.Size:
			return partFault(path, errorf(reasonTruncated, "%s has %d of its %d bytes", path, st.Size(), p.Size))
		case st.Size() != p.Size:
			return partFault(path, formatf("%s has %d bytes, not %d", path, st.Size(), p.Size))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	e := errorf(reasonTruncated, "%s lacks %d of its %d parts: %s", whole, len(missing), len(l.Parts), strings.Join(missing, ", "))
	e.hint = "copy all parts into one folder"
	return e
}

// findParts lists the parts that are there, up to the first gap.
func findParts(whole string) ([]FilePart, error) {
	var parts []FilePart
	for i := 1; i <= MaxParts; i++ {
		st, err := os.Stat(partName(whole, i))
		if errors.Is(err, fs.ErrNotExist) && i > 1 {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("open the bundle: %w", err)
		}
		parts = append(parts, FilePart{File: partName(filepath.Base(whole), i), Size: st.Size()})
	}
	return parts, nil
}

// joiner reads parts one after the other.
type joiner struct {
	whole  string
	listed bool // the parts' digests are known
	parts  []FilePart
	next   int // the part that comes after the open one
	open   *os.File
	left   int64
	sum    digest.Digester
}

func (j *joiner) path(i int) string { return filepath.Join(filepath.Dir(j.whole), j.parts[i].File) }

func (j *joiner) Read(p []byte) (int, error) {
	for {
		if j.open == nil {
			if j.next == len(j.parts) {
				return 0, io.EOF
			}
			if err := j.start(); err != nil {
				return 0, err
			}
		}
		n, err := j.open.Read(p[:min(int64(len(p)), j.left)])
		j.left -= int64(n)
		j.sum.Hash().Write(p[:n])
		if err != nil && err != io.EOF {
			return n, err
		}
		if n == 0 && err == io.EOF && j.left > 0 {
			return 0, partFault(j.open.Name(), errorf(reasonTruncated, "%s lacks its last %d bytes", j.open.Name(), j.left))
		}
		if j.left == 0 {
			if err := j.finish(); err != nil {
				return 0, err
			}
		}
		if n > 0 || len(p) == 0 {
			return n, nil
		}
	}
}

func (j *joiner) start() error {
	f, err := os.Open(j.path(j.next))
	if err != nil {
		return fmt.Errorf("open the next part: %w", err)
	}
	j.open, j.left, j.sum = f, j.parts[j.next].Size, digest.SHA256.Digester()
	j.next++
	return nil
}

// finish compares a part with its digest, if that is known, and closes it.
func (j *joiner) finish() error {
	f := j.open
	j.open = nil
	if err := f.Close(); err != nil {
		return err
	}
	if got := j.sum.Digest(); j.listed && got != j.parts[j.next-1].Digest {
		return j.wrongPart(j.next-1, got)
	}
	return nil
}

// Close closes the part that is open.
func (j *joiner) Close() error {
	if j.open == nil {
		return nil
	}
	f := j.open
	j.open = nil
	return f.Close()
}
