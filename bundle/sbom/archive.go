package sbom

import (
	"archive/zip"
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
)

// archiveSuffixes are those of the files that syft opens as zip archives.
var archiveSuffixes = []string{".jar", ".war", ".ear", ".par", ".sar", ".nar", ".jpi", ".hpi", ".kar", ".far", ".lpkg",
	".rar", ".zap", ".zip"}

func isArchive(name string) bool {
	return slices.Contains(archiveSuffixes, strings.ToLower(path.Ext(name)))
}

// isText tells the files of an archive that syft reads whole, all of them at once, and looks for versions and licences in.
func isText(name string) bool {
	base := strings.ToLower(path.Base(name))
	if base == "manifest.mf" || strings.HasPrefix(base, "pom.") || path.Ext(base) == ".properties" {
		return true
	}
	return slices.ContainsFunc([]string{"licen", "copying", "copyright", "notice", "legal", "patents", "readme"},
		func(word string) bool { return strings.Contains(base, word) })
}

// survey adds up what an archive unpacks to before anything unpacks it. What a file is said to unpack to is a bound: the
// readers stop there.
type survey struct {
	limits  archiveLimits
	dir     string // for archives inside
	entries int
	bytes   int64
	text    int64 // of these, of files that are read whole
}

// errTooMuch says that an archive is over a limit.
type errTooMuch struct{ text string }

func (e *errTooMuch) Error() string { return e.text }

func tooMuch(format string, args ...any) error { return &errTooMuch{fmt.Sprintf(format, args...)} }

// archive looks at one archive. One that is no zip archive, or damaged, is no danger: nobody can open it.
func (s *survey) archive(f *os.File, size int64, depth int) error {
	if depth > s.limits.depth {
		return tooMuch("archives lie more than %d deep in one another", s.limits.depth)
	}
	if err := s.count(f); err != nil {
		return err
	}
	zr, err := zip.NewReader(f, size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return nil
	}
	for _, e := range zr.File {
		size := int64(min(e.UncompressedSize64, 1<<60))
		s.bytes += size
		if isText(e.Name) {
			s.text += size
		}
		switch {
		case s.bytes > s.limits.unpacked:
			return tooMuch("it unpacks to more than %d bytes", s.limits.unpacked)
		case s.text > s.limits.text:
			return tooMuch("%q and its like in it have more than %d bytes", e.Name, s.limits.text)
		case isArchive(e.Name):
			if err := s.inside(e, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

// count bounds the entries before a list of them is made: each begins with a mark that can be counted.
func (s *survey) count(f *os.File) error {
	const mark = "PK\x01\x02"
	r := bufio.NewReaderSize(io.NewSectionReader(f, 0, 1<<62), 256<<10)
	for at := 0; ; {
		b, err := r.ReadByte()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch {
		case b == mark[at]:
			at++
		case b == mark[0]:
			at = 1
		default:
			at = 0
		}
		if at < len(mark) {
			continue
		}
		at = 0
		if s.entries++; s.entries > s.limits.entries {
			return tooMuch("it has more than %d files", s.limits.entries)
		}
	}
}

// inside looks at an archive in an archive.
func (s *survey) inside(e *zip.File, depth int) error {
	f, err := os.CreateTemp(s.dir, "inside-")
	if err != nil {
		return err
	}
	defer func() {
		f.Close()
		os.Remove(f.Name())
	}()
	r, err := e.Open()
	if err != nil {
		return nil // packed in a way that nobody knows
	}
	defer r.Close()
	n, err := io.Copy(f, r)
	var disk *os.PathError
	if errors.As(err, &disk) {
		return err
	}
	if err != nil {
		return nil // damaged
	}
	return s.archive(f, n, depth+1)
}
