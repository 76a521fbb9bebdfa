package recompress

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
)

// kind is what a stretch of a blob is.
type kind byte

// The kinds. Their numbers stand in recipes.
const (
	kindVerbatim kind = iota // bytes of the container that hold no plain bytes: headers, padding
	kindStored               // plain bytes as they are
	kindDeflate              // a DEFLATE stream and gzip's trailer
	kindZstd                 // one Zstandard frame
	kindRaw                  // a DEFLATE stream by itself
	kindZlib                 // a DEFLATE stream and zlib's trailer
)

// segment is a stretch of a blob, and of the plain bytes that it holds.
type segment struct {
	kind      kind
	offset    int64 // in the blob
	size      int64 // bytes of the blob
	plainSize int64
	verbatim  []byte // of kindVerbatim
	stated    bool   // of kindZstd: the frame states its content's size
	checked   bool   // of kindZstd: a checksum ends the frame
}

// Limits of a blob's container.
const (
	maxVerbatim = 8 << 20 // bytes of headers and padding in one blob
	maxSegments = 1 << 19
	maxWindow   = 32 << 20 // bytes of a zstd window: a site decodes with it
)

// Expand writes to w the plain bytes of blob: gzip of any number of members, Zstandard of any number
// of frames, or anything else as it is. It returns how many they are; more than limit are an error
// of reason "format", written up to the limit.
func Expand(ctx context.Context, w io.Writer, blob io.Reader, limit int64) (int64, error) {
	out := &limited{ctx: ctx, w: w, left: limit}
	err := scan(blob, out, func(segment) error { return nil })
	return limit - out.left, err
}

// scanner walks over a blob.
type scanner struct {
	in       *bufio.Reader
	counted  counter
	out      io.Writer
	visit    func(segment) error
	verbatim int64
	segments int
	inflate  inflater
	tokens   *tokenInflater // nil: tokens are not kept
	unzstd   zstdDecoder
}

// scan writes blob's plain bytes to out and tells visit each segment in order.
func scan(blob io.Reader, out io.Writer, visit func(segment) error) error {
	return scanTokens(blob, out, nil, visit)
}

// scanTokens is scan, and keeps tokens in t if that is not nil.
func scanTokens(blob io.Reader, out io.Writer, t *Tokens, visit func(segment) error) error {
	s := &scanner{counted: counter{r: blob}, out: out, visit: visit}
	if t != nil {
		s.tokens = &tokenInflater{log: t}
	}
	s.in = bufio.NewReaderSize(&s.counted, 64<<10)
	defer s.unzstd.close()
	magic, err := s.in.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return readError("blob", err)
	}
	switch {
	case isGzip(magic):
		return s.members()
	case isZstd(magic):
		return s.frames()
	}
	n, err := io.Copy(out, s.in)
	if err != nil || n == 0 {
		return err
	}
	return s.add(segment{kind: kindStored, size: n, plainSize: n})
}

// IsPlain tells by the first four bytes of a blob whether it expands to itself.
func IsPlain(magic []byte) bool { return !isGzip(magic) && !isZstd(magic) }

func isGzip(magic []byte) bool {
	return len(magic) >= 3 && magic[0] == 0x1f && magic[1] == 0x8b && magic[2] == 8
}

func isZstd(magic []byte) bool {
	if len(magic) < 4 {
		return false
	}
	m := binary.LittleEndian.Uint32(magic)
	return m == zstdMagic || isSkippable(m)
}

func (s *scanner) offset() int64 { return s.counted.n - int64(s.in.Buffered()) }

func (s *scanner) add(g segment) error {
	s.verbatim += int64(len(g.verbatim))
	s.segments++
	if s.verbatim > maxVerbatim || s.segments > maxSegments {
		return malformed("blob has more than %d bytes of headers or %d parts", maxVerbatim, maxSegments)
	}
	return s.visit(g)
}

func (s *scanner) addVerbatim(offset int64, b []byte) error {
	return s.add(segment{kind: kindVerbatim, offset: offset, size: int64(len(b)), verbatim: b})
}

// padding takes what follows the last member: zeros up to the end of the blob.
func (s *scanner) padding() error {
	start := s.offset()
	b, err := io.ReadAll(io.LimitReader(s.in, maxVerbatim+1))
	if err != nil {
		return readError("blob", err)
	}
	for _, c := range b {
		if c != 0 {
			return malformed("blob has bytes after its last member that are neither zeros nor a member")
		}
	}
	if len(b) == 0 {
		return nil
	}
	return s.addVerbatim(start, b)
}

// counter counts the bytes read through it.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// limited passes at most left bytes on, and looks at its context as it goes.
type limited struct {
	ctx  context.Context
	w    io.Writer
	left int64
}

func (l *limited) Write(p []byte) (int, error) {
	if err := l.ctx.Err(); err != nil {
		return 0, err
	}
	if int64(len(p)) <= l.left {
		n, err := l.w.Write(p)
		l.left -= int64(n)
		return n, err
	}
	n, err := l.w.Write(p[:l.left])
	l.left -= int64(n)
	if err != nil {
		return n, err
	}
	return n, malformed("blob expands to more bytes than allowed")
}
