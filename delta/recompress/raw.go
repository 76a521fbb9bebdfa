package recompress

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash"
	"hash/adler32"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"
)

// Check is what follows a DEFLATE stream inside of a file.
type Check byte

// The checks.
const (
	CheckNone    Check = iota // nothing that belongs to the stream, as in zip (APPNOTE 4.4.5, method 8)
	CheckGzip                 // CRC-32 and length, as in gzip (RFC 1952)
	CheckAdler32              // Adler-32, as in zlib (RFC 1950)
)

// kind returns the kind of part that makes a stream with c.
func (c Check) kind() kind {
	return [...]kind{kindRaw, kindDeflate, kindZlib}[c]
}

// Size returns how many bytes c takes.
func (c Check) Size() int { return [...]int{0, 8, 4}[c] }

// Inflate writes to w the plain bytes of the DEFLATE stream (RFC 1951) at the beginning of r, at most
// limit of them, and returns how many they are. Of a *bytes.Reader or a *bufio.Reader it takes no byte
// behind the stream's end.
//
// Errors of reason "format": the stream is damaged, or longer than limit; "truncated": r ends early.
func Inflate(w io.Writer, r io.Reader, limit int64) (int64, error) {
	n, err := io.Copy(w, io.LimitReader(&inflateErrors{flate.NewReader(r)}, limit+1))
	if err == nil && n > limit {
		err = malformed("stream expands to more than %d bytes", limit)
	}
	return n, err
}

// Streams finds recipes for files that hold DEFLATE streams among other bytes: archives, programs
// with compressed sections. It remembers what made the streams before, as they are alike as a rule.
type Streams struct {
	last   encoder
	failed int // streams one after another that nothing made
}

// maxFailed is after how many failures only what has worked before is tried: a search of all encoders
// for each of thousands of members would take too long.
const maxFailed = 3

// Find tells whether an encoder is known that makes packed, a stream with its check, out of plain.
// It proves every byte.
func (s *Streams) Find(ctx context.Context, packed, plain []byte, check Check) (Encoder, bool, error) {
	h := hint{os: osUnknown}
	h.probe(bytes.NewReader(packed), int64(len(plain)))
	candidates := deflateEncoders(h)
	if s.failed >= maxFailed {
		candidates = nil
	}
	if s.last.family != 0 {
		candidates = append([]encoder{s.last}, candidates...)
	}
	f := &finder{ctx: ctx, blob: bytes.NewReader(packed), plain: bytes.NewReader(plain)}
	g := segment{kind: check.kind(), size: int64(len(packed)), plainSize: int64(len(plain))}
	for _, e := range candidates {
		err := f.try(g, e, 0)
		if err == nil {
			s.last, s.failed = e, 0
			return Encoder{e}, true, nil
		}
		if !errors.Is(err, errMismatch) {
			return Encoder{}, false, err
		}
	}
	s.failed++
	return Encoder{}, false, nil
}

// Encoder is a frozen encoder and its parameters.
type Encoder struct{ e encoder }

// Deflated adds to the recipe that the next plain bytes become a stream with its check.
func (r *Recipe) Deflated(plain int64, e Encoder, check Check) {
	r.encoded(check.kind(), plain, e.e)
}

// newSum returns what sums up the plain bytes of a kind of part, or nil.
func newSum(k kind) hash.Hash32 {
	switch k {
	case kindDeflate:
		return crc32.NewIEEE()
	case kindZlib:
		return adler32.New()
	}
	return nil
}

// trailer returns what follows the stream of a kind of part.
func trailer(k kind, sum hash.Hash32, size int64) []byte {
	switch k {
	case kindDeflate:
		t := gzipTrailer(sum.Sum32(), size)
		return t[:]
	case kindZlib:
		return binary.BigEndian.AppendUint32(nil, sum.Sum32())
	}
	return nil
}
