package rootfs

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/sallyport-dev/sallyport/internal/oneline"
)

// maxUnread bounds how many files are named that could not be read.
const maxUnread = 20

// WriteTar writes the file system's folders, files and symbolic links as a tar: of files with more than largest bytes the
// name alone. It gives a line for each that could not be read, or too much to tell; the error is of w or ctx.
func (f *FS) WriteTar(ctx context.Context, w io.Writer, largest int64) (unread []string, err error) {
	t := &tarrer{fs: f, tw: tar.NewWriter(w), largest: largest}
	if err := t.folder(ctx, place{path: "."}, 0); err != nil {
		return nil, err
	}
	if t.more > 0 {
		t.unread = append(t.unread, fmt.Sprintf("and %d more", t.more))
	}
	return t.unread, t.tw.Close()
}

type tarrer struct {
	fs      *FS
	tw      *tar.Writer
	largest int64
	unread  []string
	more    int
}

func (t *tarrer) skip(name string, format string, args ...any) {
	if len(t.unread) >= maxUnread {
		t.more++
		return
	}
	t.unread = append(t.unread, oneline.Clean(name, 200)+": "+oneline.Clean(fmt.Sprintf(format, args...), 200))
}

// maxDepth bounds how deep folders lie in one another.
const maxDepth = 128

// folder writes what is in a folder, and in those below it.
func (t *tarrer) folder(ctx context.Context, dir place, depth int) error {
	var list []fs.DirEntry
	err := guard(func() (err error) {
		if depth > maxDepth {
			return fmt.Errorf("it lies more than %d folders deep", maxDepth)
		}
		list, err = t.fs.tree.list(dir.path, dir.e)
		return err
	})
	if err != nil {
		t.skip(dir.path, "its files cannot be read: %v", err)
		return ctx.Err()
	}
	for _, e := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := path.Join(dir.path, e.Name())
		if err := t.entry(name, e); err != nil {
			return err
		}
		if e.IsDir() {
			if err := t.folder(ctx, place{name, e}, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// entry writes one entry. Devices and the like are passed over.
func (t *tarrer) entry(name string, e fs.DirEntry) error {
	h := &tar.Header{Name: name, Format: tar.FormatPAX, Mode: 0o644}
	switch mode := e.Type(); {
	case mode.IsDir():
		h.Typeflag, h.Name, h.Mode = tar.TypeDir, name+"/", 0o755
	case mode&fs.ModeSymlink != 0:
		h.Typeflag = tar.TypeSymlink
		err := guard(func() (err error) {
			h.Linkname, err = t.fs.tree.link(name, e)
			return err
		})
		if err != nil {
			t.skip(name, "%v", err)
			return nil
		}
	case mode.IsRegular():
		return t.file(h, e)
	default:
		return nil
	}
	return t.header(h)
}

// header writes a header. Names that no tar can hold are said to be skipped.
func (t *tarrer) header(h *tar.Header) error {
	if strings.ContainsRune(h.Name+h.Linkname, 0) || len(h.Name)+len(h.Linkname) > 2*maxLink {
		t.skip(h.Name, "its name is not one of a file")
		return nil
	}
	return t.tw.WriteHeader(h)
}

// file writes a file. One that breaks off is filled up with zeros: the header has told its size.
func (t *tarrer) file(h *tar.Header, e fs.DirEntry) error {
	var r io.ReadCloser
	err := guard(func() (err error) {
		r, h.Size, err = t.fs.tree.open(h.Name, e)
		return err
	})
	if err != nil {
		t.skip(h.Name, "%v", err)
		return nil
	}
	defer r.Close()
	h.Typeflag = tar.TypeReg
	if h.Size < 0 || h.Size > t.largest {
		t.skip(h.Name, "it has %d bytes", h.Size)
		h.Size = 0
	}
	if err := t.header(h); err != nil {
		return err
	}
	return t.content(h, r)
}

func (t *tarrer) content(h *tar.Header, r io.Reader) error {
	src := &faults{r: r}
	n, err := io.CopyN(t.tw, src, h.Size)
	if err == nil {
		return nil
	}
	if src.err == nil {
		return err // of the writer
	}
	t.skip(h.Name, "%v", src.err)
	_, err = io.CopyN(t.tw, zeros{}, h.Size-n)
	return err
}

// faults keeps the reader's error, a panic too, apart from the writer's.
type faults struct {
	r   io.Reader
	err error
}

func (f *faults) Read(p []byte) (n int, err error) {
	err = guard(func() (err error) {
		n, err = f.r.Read(p)
		return err
	})
	if err != nil {
		f.err = err
	}
	return n, err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
