package recompress

import (
	"io"

	zstd1203 "github.com/sallyport-dev/sallyport/delta/recompress/frozen/kp1203/zstd"
)

// newZstd returns an encoder of Zstandard frames.
func (e encoder) newZstd(w io.Writer) (io.WriteCloser, error) {
	level := zstd1203.EncoderLevel(e.level)
	if level < zstd1203.SpeedFastest || level > zstd1203.SpeedBestCompression {
		return nil, e.unknown()
	}
	z, err := zstd1203.NewWriter(w, zstd1203.WithEncoderConcurrency(1), zstd1203.WithLowerEncoderMem(true),
		zstd1203.WithEncoderLevel(level), zstd1203.WithOlderTables(e.family == familyKPZstd1202))
	if err != nil {
		return writerOrError(z, err)
	}
	return &midFlusher{z, int(e.block), e.flushed}, nil
}

// midFlusher flushes once after some bytes, and at the end.
type midFlusher struct {
	flushCloser
	left int  // bytes until then; 0: it is done, or is not to be
	end  bool // also flush before closing
}

func (f *midFlusher) Close() error {
	if f.end {
		return flusher{f.flushCloser}.Close()
	}
	return f.flushCloser.Close()
}

func (f *midFlusher) Write(p []byte) (int, error) {
	if f.left == 0 || f.left > len(p) {
		f.left = max(f.left-len(p), 0)
		return f.flushCloser.Write(p)
	}
	n, err := f.flushCloser.Write(p[:f.left])
	if f.left = 0; err != nil {
		return n, err
	}
	if err := f.Flush(); err != nil {
		return n, err
	}
	more, err := f.flushCloser.Write(p[n:])
	return n + more, err
}

// zstdEncoders are the candidates for a Zstandard frame, likeliest first. zstd:chunked is by default of the
// best level. Its last frame is flushed where the tar ends, before the padding: containers/storage reads
// that with another method.
func (f *finder) zstdEncoders(g segment, offset int64) []encoder {
	flushed := []encoder{{}}
	if !g.stated {
		flushed = append(flushed, encoder{flushed: true})
		if n := f.tarEnd(g, offset); n > 0 && n < min(g.plainSize, maxBlock) {
			flushed = append(flushed, encoder{flushed: true, block: int32(n)}, encoder{block: int32(n)})
		}
	}
	list := f.libzstdEncoders(g)
	for _, e := range flushed {
		for _, level := range []zstd1203.EncoderLevel{zstd1203.SpeedDefault, zstd1203.SpeedBestCompression, zstd1203.SpeedFastest, zstd1203.SpeedBetterCompression} {
			for _, e.family = range []byte{familyKPZstd1202, familyKPZstd1203} {
				e.level = int8(level)
				list = append(list, e)
			}
		}
	}
	return list
}

// tarEnd returns how many plain bytes of g, which begin at an offset of a tar, go up to the tar's end: two
// blocks of zeros. 0 is none, or more than one block of padding before.
func (f *finder) tarEnd(g segment, offset int64) int64 {
	const block = 512
	tail := make([]byte, min(g.plainSize, 64<<10))
	start := g.plainSize - int64(len(tail))
	if _, err := f.plain.ReadAt(tail, offset+start); err != nil {
		return 0
	}
	n := len(tail)
	for n > 0 && tail[n-1] == 0 {
		n--
	}
	end := (offset+start+int64(n)+block-1)/block*block + 2*block
	return end - offset
}
