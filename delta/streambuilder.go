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
	id     streamID
	dir    string
	level  zstd.EncoderLevel
	quick  bool    // all codecs but Zstandard take too long
	budget *budget // of what may be mixed; nil: nothing
	buf    bytes.Buffer
	plain  int64
	z      *zstd.Encoder
	file   *os.File
	err    error // of the first write that failed; finish returns it
}

// How long a stream may be to stay in memory, where it is coded quickly and where not.
const (
	shortStream = 4 << 20
	maxBrotli   = 16 << 20
)

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
	limit := maxBrotli
	if s.quick {
		limit = shortStream
	}
	if s.buf.Len()+len(p) <= limit {
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
	pack := s.packWell
	if s.quick {
		pack = s.packQuickly
	}
	kind, body, err := pack()
	if err != nil {
		return info, nil, err
	}
	if len(body) >= s.buf.Len() {
		kind, body = codecRaw, s.buf.Bytes()
	}
	info.codec, info.coded = kind, int64(len(body))
	return info, bytes.NewReader(body), nil
}

func (s *streamBuilder) packQuickly() (codec, []byte, error) {
	var packed bytes.Buffer
	z, err := s.encoder(&packed, 1<<max(10, bits.Len64(uint64(s.plain))))
	if err != nil {
		return 0, nil, err
	}
	z.ResetContentSize(&packed, s.plain)
	if _, err := z.Write(s.buf.Bytes()); err != nil {
		return 0, nil, err
	}
	err = z.Close()
	return codecZstd, packed.Bytes(), err
}

// packWell takes Brotli, or mixes where that is worth a site's time.
func (s *streamBuilder) packWell() (codec, []byte, error) {
	packed, err := packBrotli(s.buf.Bytes())
	if err != nil || s.budget == nil || s.plain > s.budget.streams || s.noise(len(packed)) {
		return codecBrotli, packed, err
	}
	mixed, err := mix.Encode(s.buf.Bytes())
	if err == nil && s.budget.mixes(s.plain, int64(len(packed)), int64(len(mixed))) {
		return codecMix, mixed, nil
	}
	return codecBrotli, packed, err
}

// noise tells whether a stream of literals, which Brotli packs into size bytes, is not worth mixing:
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
