package sbom

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/internal/gunzip"
)

// unpacker writes an image's layers as plain tars of what may be looked into. A layer that is damaged, or not what its
// media type says, loses no more than it has to: it is the bytes as they are that travel.
type unpacker struct {
	img     Image
	dir     string
	limits  limits
	skipped *skipped
	bytes   int64
	held    int64 // of the layers below, as limits.held counts
	below   int64 // files and folders in them
	full    bool
}

// perFile is what a file or folder of a layer costs, where one in a tree of all layers up to some layer costs 1.
const perFile = 16

// layer unpacks a layer to a file. An error means that the layer cannot be had, or the file not be written.
func (u *unpacker) layer(ctx context.Context, l v1.Descriptor, file string) (err error) {
	in, err := u.img.Open(ctx, ocispec.Descriptor{MediaType: string(l.MediaType), Digest: digest.Digest(l.Digest.String()), Size: l.Size})
	if err != nil {
		return err
	}
	defer in.Close()
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	src, dst := &faultReader{ctx: ctx, r: in}, &faultWriter{w: f}
	out := bufio.NewWriterSize(dst, 256<<10)
	tw := tar.NewWriter(out)
	what := "layer " + l.Digest.String()
	fault := u.copyLayer(what, tw, src)
	if err := errors.Join(src.err, dst.err); err != nil {
		return err
	}
	var disk *os.PathError
	if errors.As(fault, &disk) {
		return fault
	}
	if fault != nil {
		u.skipped.add(what, "%v; what comes before that is listed", fault)
	}
	return errors.Join(tw.Close(), out.Flush())
}

// copyLayer copies what may be looked into. Its error tells why it ended early.
func (u *unpacker) copyLayer(what string, tw *tar.Writer, src io.Reader) error {
	plain, closePlain, err := expand(src)
	if err != nil {
		return err
	}
	defer closePlain()
	seen := make(map[string]bool)
	defer func() {
		u.below += int64(len(seen))
		u.held += perFile*int64(len(seen)) + u.below
	}()
	tr := tar.NewReader(plain)
	for !u.full {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return rest(plain)
		}
		if err != nil {
			return err
		}
		if !u.roomFor(what, h.Name, seen) {
			continue
		}
		if err := u.entry(tw, h, tr); err != nil {
			return err
		}
	}
	u.skipped.add(what, "the image unpacks to too much; the rest of it is not listed")
	return nil
}

// rest reads what follows the end of a tar: zeros, or the end of a compressed file that is not whole.
func rest(plain io.Reader) error {
	if _, err := io.Copy(io.Discard, io.LimitReader(plain, 1<<20)); err != nil && !errors.Is(err, gunzip.ErrGarbage) {
		return err
	}
	return nil
}

// expand finds out by its first bytes how a layer is compressed.
func expand(src io.Reader) (io.Reader, func(), error) {
	in := bufio.NewReaderSize(src, 64<<10)
	head, err := in.Peek(6)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		r, err := gunzip.NewReader(in)
		return r, func() {}, err
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")), len(head) > 3 && head[0]&0xf0 == 0x50 && bytes.Equal(head[1:4], []byte("\x2a\x4d\x18")):
		d, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, nil, err
		}
		return d, d.Close, nil
	case bytes.HasPrefix(head, []byte("\xfd7zXZ")), bytes.HasPrefix(head, []byte("BZh")):
		return nil, nil, errors.New("it is compressed in a way that runtimes do not know either")
	}
	return in, func() {}, nil
}

// roomFor counts the files and folders that an entry adds to what is held in memory.
func (u *unpacker) roomFor(what, name string, seen map[string]bool) bool {
	if strings.Count(name, "/") > u.limits.depth {
		u.skipped.add(what, "%.80q lies more than %d folders deep", name, u.limits.depth)
		return false
	}
	for p := path.Clean("/" + name); !seen[p]; p = path.Dir(p) {
		seen[p] = true
	}
	// The file system as of this layer is a tree of its own, which holds all that lies below.
	u.full = u.held+(perFile+1)*int64(len(seen))+u.below > u.limits.held
	return !u.full
}

// entry copies one entry: its name always, its content if it may be looked into.
func (u *unpacker) entry(tw *tar.Writer, h *tar.Header, content io.Reader) error {
	out := &tar.Header{Typeflag: h.Typeflag, Name: h.Name, Linkname: h.Linkname, Mode: h.Mode, ModTime: h.ModTime, Format: tar.FormatPAX}
	if h.Typeflag == tar.TypeGNUSparse {
		out.Typeflag = tar.TypeReg
	}
	if out.Typeflag != tar.TypeReg {
		return u.header(tw, out)
	}
	size := h.Size
	switch {
	case size > u.limits.file:
		u.skipped.add(h.Name, "it has %d bytes, more than %d", size, u.limits.file)
		return u.header(tw, out)
	case u.bytes+size > u.limits.unpacked:
		u.full = true
		return nil
	case isArchive(h.Name):
		return u.archive(tw, out, content)
	}
	out.Size = size
	return u.content(tw, out, content)
}

// header writes an entry. Names that no tar can hold are said to be skipped.
func (u *unpacker) header(tw *tar.Writer, h *tar.Header) error {
	err := tw.WriteHeader(h)
	if errors.Is(err, tar.ErrHeader) || err != nil && strings.HasPrefix(err.Error(), "archive/tar: cannot encode header") {
		u.skipped.add(h.Name, "its name or its kind is not one of a file")
		return nil
	}
	return err
}

// content copies a file. One that breaks off is filled up with zeros: the header has told its size.
func (u *unpacker) content(tw *tar.Writer, h *tar.Header, content io.Reader) error {
	if err := tw.WriteHeader(h); err != nil {
		return u.header(tw, h)
	}
	u.bytes += h.Size
	n, err := io.CopyN(tw, content, h.Size)
	if err == nil {
		return nil
	}
	if _, werr := io.CopyN(tw, zeros{}, h.Size-n); werr != nil {
		return werr
	}
	return fmt.Errorf("%q is not whole: %w", h.Name, err)
}

// archive copies an archive, if it does not unpack to too much.
func (u *unpacker) archive(tw *tar.Writer, h *tar.Header, content io.Reader) error {
	f, err := os.CreateTemp(u.dir, "archive-")
	if err != nil {
		return err
	}
	defer func() {
		f.Close()
		os.Remove(f.Name())
	}()
	n, fault := io.Copy(f, content)
	s := &survey{limits: u.limits.archive, dir: u.dir}
	err = s.archive(f, n, 1)
	var much *errTooMuch
	if errors.As(err, &much) {
		u.skipped.add(h.Name, "%v", much)
		return errors.Join(u.header(tw, h), fault)
	}
	if err != nil {
		return err
	}
	h.Size = n
	return errors.Join(u.content(tw, h, io.NewSectionReader(f, 0, n)), fault)
}

// faultReader keeps the error of a source apart from those of what decodes it.
type faultReader struct {
	ctx context.Context // of one copy
	r   io.Reader
	err error
}

func (f *faultReader) Read(p []byte) (int, error) {
	if f.err = f.ctx.Err(); f.err != nil {
		return 0, f.err
	}
	n, err := f.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

type faultWriter struct {
	w   io.Writer
	err error
}

func (f *faultWriter) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
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
