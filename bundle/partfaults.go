package bundle

import (
	"bytes"
	"errors"
	"io"
	"os"

	"github.com/opencontainers/go-digest"
)

// partFault is a fault that is known to be in one file.
func partFault(path string, e *Error) *Error {
	e.file = path
	if e.hint == "" {
		e.hint = "copy this part again; the others may stay"
	}
	return e
}

// Locate names the part that a fault of the bundle is in, where the bundle is in parts: a reader sees that a blob is damaged,
// people copy files. It may read the rest of the part. Errors that are no fault of the bundle's bytes come back as they are.
func (f *File) Locate(err error) error {
	var fault *Error
	j, parts := f.r.(*joiner)
	if !parts || !errors.As(err, &fault) || fault.file != "" {
		return err
	}
	switch fault.reason {
	case reasonFormat, reasonDigest, reasonTruncated:
		return j.locate(fault)
	}
	return err
}

// locate looks at the part from which the reader had its last bytes. With the list, all before it are known to be right.
func (j *joiner) locate(fault *Error) error {
	if j.listed && j.open != nil {
		if _, err := io.Copy(io.Discard, j); err != nil {
			var found *Error
			if errors.As(err, &found) {
				return found
			}
		}
		return fault
	}
	if j.listed {
		return fault
	}
	if copied := j.repeated(); copied != nil {
		return copied
	}
	return j.near(fault)
}

// wrongPart says what a part is that does not have its digest.
func (j *joiner) wrongPart(i int, got digest.Digest) *Error {
	for k, p := range j.parts {
		if p.Digest == got {
			return partFault(j.path(i), errorf(reasonDigest, "the part %s is a copy of %s", j.path(i), j.parts[k].File))
		}
	}
	return partFault(j.path(i), errorf(reasonDigest, "the part %s is damaged, or belongs to another bundle", j.path(i)))
}

// headSize is how many bytes at the beginning of a part tell it from another one.
const headSize = 4096

// repeated looks for a part that begins as another one does, which is all that tells a copy where there is no list.
func (j *joiner) repeated() *Error {
	heads := make([][]byte, len(j.parts))
	for i := range j.parts {
		heads[i] = head(j.path(i))
		for k := range i {
			if len(heads[i]) > 0 && bytes.Equal(heads[i], heads[k]) {
				return partFault(j.path(i), errorf(reasonDigest, "the part %s begins as %s does: one of them is a copy of the other",
					j.path(i), j.parts[k].File))
			}
		}
	}
	return nil
}

// head is the beginning of a file; nothing if it cannot be read.
func head(path string) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	b := make([]byte, headSize)
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return b[:n]
}

// near names the part at which a fault showed. It may have begun in one before, if a blob stands in both.
func (j *joiner) near(fault *Error) *Error {
	i := max(j.next-1, 0)
	path := j.path(i)
	e := *fault
	e.file = path
	if fault.reason == reasonTruncated && j.open == nil && j.next == len(j.parts) {
		e.text = path + " is the last part here, and not the bundle's last: " + fault.text
		e.hint = "copy all parts into one folder, " + partName(j.whole, i+2) + " too, and " + partListName(j.whole) + ", which tells them apart"
		return &e
	}
	e.text = path + ": " + fault.text
	e.hint = "copy this part and the one before it again, and " + partListName(j.whole) + ", which tells damaged ones from good ones"
	return &e
}
