package delta

import (
	"bytes"
	"fmt"
	"io"
	"math/bits"
	"os"

	"github.com/klauspost/compress/zstd"
	"github.com/sallyport-dev/sallyport/delta/mix"
)

// streamBuilder takes one stream's bytes. A short stream stays in memory and is coded at the end by
// the codec that suits it; a long one is coded as it comes, into a file.
type streamBuilder struct {
	id    streamID
	dir   string
	level zstd.EncoderLevel
	quick bool // package mix takes too long
	buf   bytes.Buffer
	plain int64
	z     *zstd.Encoder
	file  *os.File
	err   error // of the first write that failed; finish returns it
}

// shortStream is how long a stream may be to stay in memory.
const shortStream = 4 << 20

// maxMixed bounds the streams that are coded by package mix: it is slow on the site.
const maxMixed = 2 << 20

// Write takes the next bytes. Its error need not be looked at: finish tells it.
func (s *streamBuilder) Write(p []byte) (int, error) {
	n, err := s.write(p)
	if s.err == nil {
		s.err = err
	}
	return n, err
}

func (s *streamBuilder) write(p []byte) (int, error) {
	s.plain += int64(len(p))
	if s.z != nil {
		return s.z.Write(p)
	}
	if s.buf.Len()+len(p) <= shortStream {
		return s.buf.Write(p)
	}
	if err := s.spill(); err != nil {
		return 0, err
	}
	return s.z.Write(p)
}

// spill turns a short stream into a long one.
func (s *streamBuilder) spill() (err error) {
	if s.file, err = os.CreateTemp(s.dir, "sallyport-stream-"); err != nil {
		return fmt.Errorf("keep stream: %w", err)
	}
	if s.z, err = s.encoder(s.file, maxWindow); err != nil {
		return err
	}
	_, err = s.z.Write(s.buf.Bytes())
	s.buf = bytes.Buffer{}
	return err
}

func (s *streamBuilder) encoder(w io.Writer, window int) (*zstd.Encoder, error) {
	return zstd.NewWriter(w, zstd.WithEncoderLevel(s.level), zstd.WithWindowSize(window), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
}

// finish ends the stream and returns what the header says of it and its body.
func (s *streamBuilder) finish() (streamInfo, io.ReadSeeker, error) {
	info := streamInfo{id: s.id, plain: s.plain}
	if s.err != nil {
		return info, nil, s.err
	}
	if s.z != nil {
		return s.finishLong(info)
	}
	var packed bytes.Buffer
	z, err := s.encoder(&packed, 1<<max(10, bits.Len64(uint64(s.plain))))
	if err != nil {
		return info, nil, err
	}
	z.ResetContentSize(&packed, s.plain)
	if _, err := z.Write(s.buf.Bytes()); err != nil {
		return info, nil, err
	}
	if err := z.Close(); err != nil {
		return info, nil, err
	}
	body := s.buf.Bytes()
	if packed.Len() < len(body) {
		info.codec, body = codecZstd, packed.Bytes()
	}
	if s.plain <= maxMixed && !s.quick && !s.noise(packed.Len()) {
		mixed, err := mix.Encode(s.buf.Bytes())
		if err != nil {
			return info, nil, err
		}
		if len(mixed) < len(body) {
			info.codec, body = codecMix, mixed
		}
	}
	info.coded = int64(len(body))
	return info, bytes.NewReader(body), nil
}

// noise tells whether a stream of literals, which Zstandard packs into size bytes, is not worth mixing:
// what is compressed or random costs a site as much time as text, and gains nothing.
func (s *streamBuilder) noise(size int) bool {
	return (s.id == streamText || s.id == streamBinary) && int64(size) > s.plain-s.plain/16
}

func (s *streamBuilder) finishLong(info streamInfo) (streamInfo, io.ReadSeeker, error) {
	if err := s.z.Close(); err != nil {
		return info, nil, err
	}
	size, err := s.file.Seek(0, io.SeekEnd)
	if err != nil {
		return info, nil, err
	}
	info.codec, info.coded = codecZstd, size
	return info, io.NewSectionReader(s.file, 0, size), nil
}

func (s *streamBuilder) close() {
	if s.file != nil {
		s.file.Close()
		os.Remove(s.file.Name())
	}
}
