package recompress

import (
	"bytes"
	"fmt"
	"io"

	"github.com/sallyport-dev/sallyport/delta/recompress/czstd"
)

// libzstdVersions are the generations of the C library by families, likeliest first.
var libzstdVersions = []struct {
	family  byte
	version czstd.Version
	name    string
}{
	{familyLibzstd154, czstd.V154, "1.5.4 to 1.5.6"},
	{familyLibzstd157, czstd.V157, "1.5.7"},
	{familyLibzstd152, czstd.V152, "1.5.2"},
	{familyLibzstd148, czstd.V148, "1.4.8 and 1.5.0"},
	{familyLibzstd145, czstd.V145, "1.4.5"},
}

// How the library was called, in the place of a block's size.
const (
	libzstdLayout   = 3 // czstd.Layout
	libzstdStated   = 1 << 2
	libzstdChecksum = 1 << 3
	libzstdLate     = 1 << 4
	libzstdAll      = 1<<5 - 1
)

// libzstd returns e's options. It says false if e is of another family, or of a newer program's.
func (e encoder) libzstd() (czstd.Options, bool) {
	for _, v := range libzstdVersions {
		if v.family == e.family {
			return czstd.Options{
				Version: v.version, Level: int(e.level), Layout: czstd.Layout(e.block & libzstdLayout),
				Stated: e.block&libzstdStated != 0, Checksum: e.block&libzstdChecksum != 0, Late: e.block&libzstdLate != 0,
			}, !e.flushed && e.block&^libzstdAll == 0
		}
	}
	return czstd.Options{}, false
}

// newLibzstd returns an encoder of Zstandard frames of the C library's.
func (e encoder) newLibzstd(w io.Writer, o czstd.Options, size int64) (io.WriteCloser, error) {
	z, err := czstd.NewWriter(w, o, size)
	if err != nil {
		return nil, e.unknown()
	}
	return z, nil
}

// libzstdName is for people.
func (e encoder) libzstdName() string {
	for _, v := range libzstdVersions {
		if v.family == e.family {
			return fmt.Sprintf("zstd -%d (libzstd %s)", e.level, v.name)
		}
	}
	return fmt.Sprintf("encoder %d", e.family)
}

// zstdHeader is how many bytes a frame's header has at most.
const zstdHeader = 18

// libzstdEncoders are the candidates among the C library for a frame: those that begin it with the same
// header. They are likelier than others, whose windows have other sizes.
func (f *finder) libzstdEncoders(g segment) []encoder {
	header := make([]byte, min(zstdHeader, g.size))
	tail := make([]byte, min(checksumSize+blockHeaderSize, g.size))
	if _, err := f.blob.ReadAt(header, g.offset); err != nil {
		return nil
	}
	if _, err := f.blob.ReadAt(tail, g.offset+g.size-int64(len(tail))); err != nil {
		return nil
	}
	flags := int32(0)
	if g.stated {
		flags |= libzstdStated
	}
	if g.checked {
		flags |= libzstdChecksum
	} else {
		tail = tail[checksumSize:]
	}
	if bytes.HasPrefix(tail, []byte{1, 0, 0}) { // an empty block that is the last one
		flags |= libzstdLate
	}
	layouts := []czstd.Layout{czstd.Stream, czstd.Whole, czstd.Jobs}
	if g.checked {
		layouts = []czstd.Layout{czstd.Jobs, czstd.Stream, czstd.Whole} // as the command line does
	}
	var list []encoder
	for _, level := range []int8{3, 1, 2, 4} {
		for _, v := range libzstdVersions {
			e := encoder{family: v.family, level: level, block: flags}
			o, _ := e.libzstd()
			if b, ok := o.Header(g.plainSize); !ok || !bytes.HasPrefix(header, b) {
				continue
			}
			for _, layout := range layouts {
				e.block = flags | int32(layout)
				list = append(list, e)
			}
		}
	}
	return list
}
