package recompress

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/klauspost/compress/zstd"
)

// RFC 8878's numbers.
const (
	zstdMagic       = 0xfd2fb528
	skippableMagic  = 0x184d2a50
	maxBlockSize    = 128 << 10
	blockHeaderSize = 3
	checksumSize    = 4
)

func isSkippable(magic uint32) bool { return magic&^0xf == skippableMagic }

// zstdDecoder keeps one decoder for all frames of a blob.
type zstdDecoder struct{ d *zstd.Decoder }

func (z *zstdDecoder) reset(in io.Reader) (io.Reader, error) {
	if z.d != nil {
		return z.d, z.d.Reset(in)
	}
	var err error
	z.d, err = zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	return z.d, err
}

func (z *zstdDecoder) close() {
	if z.d != nil {
		z.d.Close()
	}
}

// frames walks over a Zstandard blob. Skippable frames hold no plain bytes and stay verbatim.
func (s *scanner) frames() error {
	for {
		magic, err := s.in.Peek(4)
		if err != nil && !errors.Is(err, io.EOF) {
			return readError("blob", err)
		}
		if !isZstd(magic) {
			return s.padding()
		}
		if isSkippable(binary.LittleEndian.Uint32(magic)) {
			err = s.skippable()
		} else {
			err = s.frame()
		}
		if err != nil {
			return err
		}
	}
}

func (s *scanner) skippable() error {
	start := s.offset()
	b, err := s.take(nil, 8)
	if err != nil {
		return err
	}
	size := binary.LittleEndian.Uint32(b[4:])
	if size > maxVerbatim {
		return malformed("zstd skippable frame of %d bytes: at most %d", size, maxVerbatim)
	}
	if b, err = s.take(b, int(size)); err != nil {
		return err
	}
	return s.addVerbatim(start, b)
}

func (s *scanner) frame() error {
	start := s.offset()
	f := &frameReader{in: s.in}
	r, err := s.unzstd.reset(f)
	if err != nil {
		return zstdError(err)
	}
	n, err := io.Copy(s.out, &zstdErrors{r})
	if err != nil {
		return err
	}
	if !f.done {
		return malformed("zstd frame holds more than its decoder reads")
	}
	return s.add(segment{kind: kindZstd, offset: start, size: s.offset() - start, plainSize: n, stated: f.stated, checked: f.check})
}

// frameReader gives the bytes of one frame, so that its end is known exactly.
type frameReader struct {
	in     io.Reader
	buf    []byte // of the header or block that is being given
	begun  bool
	last   bool // the last block has been read
	check  bool // a checksum follows the last block
	done   bool
	stated bool // the header states the content's size
}

func (f *frameReader) Read(p []byte) (int, error) {
	for len(f.buf) == 0 {
		if f.done {
			return 0, io.EOF
		}
		if err := f.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, f.buf)
	f.buf = f.buf[n:]
	return n, nil
}

// fill reads the next part of the frame.
func (f *frameReader) fill() error {
	switch {
	case !f.begun:
		f.begun = true
		return f.header()
	case !f.last:
		return f.block()
	default:
		f.done = true
		if !f.check {
			return nil
		}
		return f.read(checksumSize)
	}
}

func (f *frameReader) read(n int) error {
	f.buf = append(f.buf, make([]byte, n)...)
	if _, err := io.ReadFull(f.in, f.buf[len(f.buf)-n:]); err != nil {
		return readError("zstd frame", err)
	}
	return nil
}

func (f *frameReader) header() error {
	f.buf = nil
	if err := f.read(5); err != nil {
		return err
	}
	descriptor := f.buf[4]
	single := descriptor&(1<<5) != 0
	f.check = descriptor&(1<<2) != 0
	size := [4]int{0, 1, 2, 4}[descriptor&3] // the dictionary's id
	content := [4]int{0, 2, 4, 8}[descriptor>>6]
	if single && content == 0 {
		content = 1
	}
	f.stated = content > 0
	if !single {
		size++ // the window
	}
	return f.read(size + content)
}

func (f *frameReader) block() error {
	f.buf = f.buf[:0]
	if err := f.read(blockHeaderSize); err != nil {
		return err
	}
	h := uint32(f.buf[0]) | uint32(f.buf[1])<<8 | uint32(f.buf[2])<<16
	f.last = h&1 != 0
	size := int(h >> 3)
	switch h >> 1 & 3 {
	case 1: // one byte, repeated
		size = 1
	case 3:
		return malformed("zstd block of the reserved type")
	}
	if size > maxBlockSize {
		return malformed("zstd block of %d bytes: at most %d", size, maxBlockSize)
	}
	return f.read(size)
}

// zstdErrors gives the decoder's errors their reason.
type zstdErrors struct{ r io.Reader }

func (e *zstdErrors) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	return n, zstdError(err)
}

func zstdError(err error) error {
	var ours *Error
	if errors.As(err, &ours) {
		return err
	}
	return &Error{reason: "format", message: "zstd frame", err: err}
}
