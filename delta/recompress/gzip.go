package recompress

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/klauspost/compress/flate"
)

// RFC 1952's header flags.
const (
	gzipHeaderCRC = 1 << 1
	gzipExtra     = 1 << 2
	gzipName      = 1 << 3
	gzipComment   = 1 << 4
	gzipReserved  = 0xe0
)

// Bytes of one member's header.
const (
	minGzipHeader = 10
	maxGzipHeader = 256 << 10
)

// inflater keeps one decoder for all members of a blob.
type inflater struct{ r io.ReadCloser }

func (f *inflater) reset(in io.Reader) (io.Reader, error) {
	if f.r == nil {
		f.r = flate.NewReader(in)
		return f.r, nil
	}
	return f.r, f.r.(flate.Resetter).Reset(in, nil)
}

// members walks over a gzip blob.
func (s *scanner) members() error {
	for {
		if err := s.member(); err != nil {
			return err
		}
		magic, err := s.in.Peek(3)
		if err != nil && err != io.EOF {
			return readError("blob", err)
		}
		if !isGzip(magic) {
			return s.padding()
		}
	}
}

func (s *scanner) member() error {
	start := s.offset()
	header, err := s.gzipHeader()
	if err != nil {
		return err
	}
	if err := s.addVerbatim(start, header); err != nil {
		return err
	}
	start = s.offset()
	n, sum, err := s.checkedMember()
	if err != nil {
		return err
	}
	var trailer [8]byte
	if _, err := io.ReadFull(s.in, trailer[:]); err != nil {
		return readError("gzip trailer", err)
	}
	if trailer != gzipTrailer(sum, n) {
		return malformed("gzip member's checksum or length is wrong")
	}
	return s.add(segment{kind: kindDeflate, offset: start, size: s.offset() - start, plainSize: n})
}

func gzipTrailer(crc uint32, size int64) (t [8]byte) {
	binary.LittleEndian.PutUint32(t[:4], crc)
	binary.LittleEndian.PutUint32(t[4:], uint32(size))
	return t
}

// gzipHeader reads one member's header and returns its bytes.
func (s *scanner) gzipHeader() ([]byte, error) {
	h, err := s.take(nil, 10)
	if err != nil {
		return nil, err
	}
	flags := h[3]
	if flags&gzipReserved != 0 {
		return nil, malformed("gzip header has unknown flags")
	}
	if flags&gzipExtra != 0 {
		if h, err = s.take(h, 2); err != nil {
			return nil, err
		}
		if h, err = s.take(h, int(binary.LittleEndian.Uint16(h[10:]))); err != nil {
			return nil, err
		}
	}
	for _, text := range []byte{gzipName, gzipComment} {
		if flags&text == 0 {
			continue
		}
		if h, err = s.takeString(h); err != nil {
			return nil, err
		}
	}
	if flags&gzipHeaderCRC != 0 {
		return s.take(h, 2)
	}
	return h, nil
}

func (s *scanner) take(b []byte, n int) ([]byte, error) {
	start := len(b)
	b = append(b, make([]byte, n)...)
	if _, err := io.ReadFull(s.in, b[start:]); err != nil {
		return nil, readError("header", err)
	}
	return b, nil
}

// takeString reads up to and with a zero byte.
func (s *scanner) takeString(b []byte) ([]byte, error) {
	for {
		c, err := s.in.ReadByte()
		if err != nil {
			return nil, readError("gzip header", err)
		}
		if b = append(b, c); c == 0 {
			return b, nil
		}
		if len(b) > maxGzipHeader {
			return nil, malformed("gzip header is longer than %d bytes", maxGzipHeader)
		}
	}
}

// inflateErrors gives the decoder's errors their reason.
type inflateErrors struct{ r io.Reader }

func (e *inflateErrors) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	var corrupt flate.CorruptInputError
	var internal flate.InternalError
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return n, err
	case errors.As(err, &corrupt), errors.As(err, &internal):
		return n, &Error{reason: "format", message: "gzip member", err: err}
	default:
		return n, readError("gzip member", err)
	}
}
