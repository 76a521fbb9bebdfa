package czstd

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Layout is how libzstd is fed, which shows where its window and its jobs end.
type Layout int

// The layouts.
const (
	Stream Layout = iota // by one thread through its buffer: ZSTD_compressStream2 without workers
	Jobs                 // by workers, in jobs: what the command line does
	Whole                // all at once: ZSTD_compress2
)

// Options say how a frame was made.
type Options struct {
	Version  Version
	Level    int // 1 to 3, and 4 of sizes for which it searches like 3
	Layout   Layout
	Stated   bool // the size was known beforehand, and the frame states it
	Checksum bool
	Late     bool // the end was told after the last bytes: an empty block may follow them
}

const (
	jobChunk   = 4 * blockSize // what a job gives the compressor at a time
	minJobs    = 512 << 10     // no more is compressed without workers: ZSTDMT_JOBSIZE_MIN
	minJobLog  = 20
	overlapLog = 3 // a job begins with the last eighth of the window before
)

// Writer compresses one frame.
type Writer struct {
	w       io.Writer
	o       Options
	f       *frame
	size    int64 // of all
	done    int64 // bytes that have been compressed
	at      int   // where these end in the history
	chunk   int64 // where the bytes end that the compressor has been told of
	job     int64 // where the job ends
	jobSize int64 // 0: there are no jobs
	place   int   // where the next bytes stand in the buffer of the C library's stream
	round   int   // that buffer's size
	savings int64 // bytes that blocks before saved
	header  int   // bytes of the frame's header that have not been counted
	sum     *xxhash
}

// Header returns what a frame of size bytes begins with. It says false if there are no such frames here.
func (o Options) Header(size int64) ([]byte, bool) {
	stated := o.stated(size)
	p := parameters(o.Level, stated)
	return appendHeader(nil, p.windowLog, stated, o.Checksum), p.strategy != 0
}

// stated returns the size that the library knew beforehand, or -1.
func (o Options) stated(size int64) int64 {
	if o.Stated {
		return size
	}
	return -1
}

// NewWriter returns a writer that compresses to w plain bytes of which there are size. It takes at most about
// 5 MiB.
func NewWriter(w io.Writer, o Options, size int64) (*Writer, error) {
	stated := o.stated(size)
	p := parameters(o.Level, stated)
	if p.strategy == 0 || o.Version < V145 || o.Version > V157 || o.Layout < Stream || o.Layout > Whole || size < 0 {
		return nil, fmt.Errorf("czstd: no level %d for %d bytes, version %d, layout %d", o.Level, size, o.Version, o.Layout)
	}
	if o.Layout == Jobs && o.Stated && (size <= minJobs || o.Version < V152 && size <= 2*minJobs) {
		o.Layout = Stream
	}
	z := &Writer{w: w, o: o, f: newFrame(p, o.Version), size: size, at: startIndex, job: size}
	windowSize := 1 << p.windowLog
	switch o.Layout {
	case Jobs:
		z.jobSize = 1 << max(minJobLog, p.windowLog+2)
		z.job = min(z.jobSize, size)
	case Stream:
		z.round = windowSize
		if o.Stated {
			z.round = int(min(int64(windowSize), size))
		}
		z.round += min(z.round, blockSize)
	}
	room := int(min(int64(windowSize+max(windowSize, 1<<20)+blockSize), size)) + startIndex
	z.f.matcher.buf = make([]byte, startIndex, room)
	z.f.matcher.window.clear(startIndex)
	z.f.out = appendHeader(nil, p.windowLog, stated, o.Checksum)
	z.header = len(z.f.out)
	if o.Checksum {
		z.sum = newXXHash()
	}
	return z, nil
}

// Write compresses p.
func (z *Writer) Write(p []byte) (int, error) {
	m := z.f.matcher
	written := 0
	if int64(len(p)) > z.size-z.done-int64(len(m.buf)-z.at) {
		return 0, fmt.Errorf("czstd: more than the %d bytes that there are", z.size)
	}
	if z.sum != nil {
		z.sum.write(p)
	}
	for len(p) > 0 {
		if len(m.buf) == cap(m.buf) {
			z.slide()
		}
		n := min(len(p), cap(m.buf)-len(m.buf))
		m.buf = append(m.buf, p[:n]...)
		p = p[n:]
		written += n
		if err := z.blocks(); err != nil {
			return written, err
		}
	}
	return written, nil
}

// slide makes room: the window before what is to be compressed stays.
func (z *Writer) slide() {
	m := z.f.matcher
	n := z.at - m.maxDist - startIndex
	copy(m.buf[startIndex:], m.buf[startIndex+n:])
	m.buf = m.buf[:len(m.buf)-n]
	m.moveDown(n)
	z.at -= n
}

// blocks compresses what is there, as far as it fills blocks.
func (z *Writer) blocks() error {
	m := z.f.matcher
	for z.done < z.size {
		if z.done == z.chunk {
			z.beginChunk()
		}
		n := int(min(z.chunk-z.done, blockSize))
		if len(m.buf)-z.at < n {
			break
		}
		before := len(z.f.out)
		n = z.split(n)
		z.f.appendBlock(z.at, z.at+n, z.done+int64(n) == z.size && !z.emptyEnd())
		z.at += n
		z.done += int64(n)
		z.savings += int64(n - (len(z.f.out) - before))
		if z.done == z.chunk {
			z.savings -= int64(z.header)
			z.header = 0
		}
		if err := z.flush(); err != nil {
			return err
		}
	}
	return nil
}

func (z *Writer) flush() error {
	_, err := z.w.Write(z.f.out)
	z.f.out = z.f.out[:0]
	return err
}

// split returns how many of the next n bytes make a block: ZSTD_optimalBlockSize.
func (z *Writer) split(n int) int {
	m := z.f.matcher
	switch {
	case z.o.Version < V157 || n < blockSize || z.savings < 3:
		return n
	case m.strategy == fast:
		return splitBorders(m.buf[z.at : z.at+n])
	}
	return splitChunks(m.buf[z.at : z.at+n])
}

// beginChunk tells the compressor of the next bytes: the beginning of ZSTD_compressContinue_internal.
func (z *Writer) beginChunk() {
	if z.done == z.job {
		z.beginJob()
	}
	window := &z.f.matcher.window
	n := z.job - z.done
	switch z.o.Layout {
	case Stream:
		n = min(n, blockSize)
		if z.done > 0 && z.place+blockSize > z.round {
			z.place = 0
		}
		window.extend(z.place, int(n))
		z.place += int(n)
	case Jobs:
		n = min(n, jobChunk)
		fallthrough
	default:
		window.extend(window.base+window.next, int(n))
	}
	z.chunk = z.done + n
}

// beginJob begins the next job: ZSTDMT_compressionJob. It knows the end of the one before.
func (z *Writer) beginJob() {
	m := z.f.matcher
	z.job = min(z.done+z.jobSize, z.size)
	overlap := int(min(int64(m.maxDist)>>overlapLog, z.jobSize))
	m.reset()
	m.window.clear(z.at - overlap)
	m.window.extend(m.window.base+m.window.next, overlap)
	m.load(z.at-overlap, z.at)
	z.f.begin([repcodes]uint32{})
	z.savings = 0
}

// emptyEnd tells whether an empty block ends the frame, because the last one was full before the end was told.
func (z *Writer) emptyEnd() bool {
	switch {
	case !z.o.Late:
		return false
	case z.o.Layout == Jobs:
		return z.size%z.jobSize == 0
	case z.o.Layout == Stream:
		return z.size%blockSize == 0 && (!z.o.Stated || z.size > blockSize)
	}
	return false
}

// Close ends the frame. It does not close the writer below.
func (z *Writer) Close() error {
	if z.done < z.size {
		return fmt.Errorf("czstd: %d bytes of %d", z.done, z.size)
	}
	if z.size == 0 || z.emptyEnd() {
		z.f.out = append(z.f.out, 1, 0, 0)
	}
	if z.sum != nil {
		z.f.out = binary.LittleEndian.AppendUint32(z.f.out, uint32(z.sum.sum()))
	}
	return z.flush()
}
