package delta

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/sallyport-dev/sallyport/delta/mix"
)

// streamID names what a stream holds. Like things stand together, because they compress together.
type streamID byte

// The streams.
const (
	streamRecipe   streamID = iota // a recipe of package recompress
	streamOps                      // what to do: kinds and lengths
	streamSources                  // where copies begin
	streamGaps                     // how many bytes lie between two that a copy changes
	streamValues                   // what is added to those bytes
	streamHeaders                  // literal tar headers
	streamText                     // literal text
	streamBinary                   // literal bytes of anything else
	streamLiterals                 // text and bytes, mixed
	streamDigests                  // which entries' digests listings need
	streamPrograms                 // steps of programs and what they change
	streamCount
)

// codec is how a stream is coded.
type codec byte

// The codecs.
const (
	codecRaw    codec = iota
	codecZstd         // one Zstandard frame
	codecMix          // as package mix codes it
	codecBrotli       // one Brotli stream
	codecCount
)

// streams holds a patch's streams while it is applied.
type streams struct {
	readers  [streamCount]*stream
	literals *mixedLiterals
	programs *corrections
	spool    *os.File // of streams that are too large for memory; nil: none
	closers  []func()
	stop     chan struct{} // closed: no stream is read ahead any longer
	running  sync.WaitGroup
}

// stream gives one stream's decoded bytes.
type stream struct {
	*bufio.Reader
	left *io.LimitedReader // decoded bytes that may still come
}

// openStreams prepares the streams that infos describe and whose bodies r gives, and begins to decode
// those that take long. All but the last have to be at hand at once: small ones stay in memory, others
// go to a file in dir.
func openStreams(r io.Reader, infos []streamInfo, dir string) (*streams, error) {
	s := &streams{stop: make(chan struct{})}
	for i, info := range infos {
		body := io.Reader(&exactReader{r: r, left: info.coded})
		kept := i < len(infos)-1 || info.coded <= keptInMemory
		if kept {
			var err error
			if body, err = s.keep(body, info, dir); err != nil {
				s.close()
				return nil, err
			}
		}
		if err := s.open(info, body, kept); err != nil {
			s.close()
			return nil, err
		}
	}
	for id := range s.readers {
		if s.readers[id] == nil && (streamID(id) != streamLiterals || s.literals == nil) && (streamID(id) != streamPrograms || s.programs == nil) {
			if err := s.open(streamInfo{id: streamID(id)}, bytes.NewReader(nil), true); err != nil {
				s.close()
				return nil, err
			}
		}
	}
	return s, nil
}

// keptInMemory bounds a stream's coded bytes that are kept in memory; more go to a file.
const keptInMemory = maxMemory / int64(streamCount)

// spooled returns how many bytes of streams go to a file.
func spooled(infos []streamInfo) (n int64) {
	for i, info := range infos {
		if i < len(infos)-1 && info.coded > keptInMemory {
			n += info.coded
		}
	}
	return n
}

// keep takes a stream's body out of the patch.
func (s *streams) keep(body io.Reader, info streamInfo, dir string) (io.Reader, error) {
	if info.coded <= keptInMemory {
		b, err := io.ReadAll(body)
		return bytes.NewReader(b), err
	}
	if s.spool == nil {
		f, err := os.CreateTemp(dir, "sallyport-patch-")
		if err != nil {
			return nil, fmt.Errorf("keep patch: %w", err)
		}
		s.spool = f
		_ = os.Remove(f.Name()) // the open file goes on; where it cannot be removed, close does it
	}
	start, err := s.spool.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("keep patch: %w", err)
	}
	if _, err := io.Copy(s.spool, body); err != nil {
		return nil, fmt.Errorf("keep patch: %w", err)
	}
	return io.NewSectionReader(s.spool, start, info.coded), nil
}

// open opens a stream whose body is at hand, or comes from the patch as it is read.
func (s *streams) open(info streamInfo, body io.Reader, kept bool) error {
	if info.id >= streamCount || info.codec >= codecCount {
		return newer("stream %d, codec %d, which this program does not have", info.id, info.codec)
	}
	if s.readers[info.id] != nil {
		return malformed("stream %d stands twice", info.id)
	}
	if info.codec == codecRaw && info.coded != info.plain {
		return malformed("stream %d has two sizes", info.id)
	}
	switch info.id {
	case streamLiterals:
		return s.openLiterals(info, body)
	case streamPrograms:
		return s.openPrograms(info, body)
	}
	if info.codec == codecZstd {
		z, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return err
		}
		s.closers = append(s.closers, z.Close)
		body = z
	}
	if info.codec == codecBrotli {
		body = newBrotliReader(body)
	}
	if info.codec == codecMix {
		if info.plain > mix.MaxSize {
			return malformed("stream %d of %d bytes in a codec that takes %d", info.id, info.plain, mix.MaxSize)
		}
		var err error
		if body, err = mix.NewReader(body, int(info.plain)); err != nil {
			return err
		}
		if kept {
			body = readAhead(body, info.plain, s.stop, &s.running)
		}
	}
	left := &io.LimitedReader{R: body, N: info.plain}
	s.readers[info.id] = &stream{Reader: bufio.NewReaderSize(left, 16<<10), left: left}
	return nil
}

// openLiterals opens the stream whose bytes come with what stands around them.
func (s *streams) openLiterals(info streamInfo, body io.Reader) (err error) {
	if info.plain > 0 && info.codec != codecMix {
		return newer("mixed literals in codec %d, which this program does not have", info.codec)
	}
	if s.literals != nil {
		return malformed("stream %d stands twice", info.id)
	}
	s.literals, err = newMixedLiterals(body, info.plain)
	return err
}

// openPrograms opens the stream whose decisions come with programs at hand.
func (s *streams) openPrograms(info streamInfo, body io.Reader) (err error) {
	if info.plain > 0 && info.codec != codecMix {
		return newer("steps of programs in codec %d, which this program does not have", info.codec)
	}
	if s.programs != nil {
		return malformed("stream %d stands twice", info.id)
	}
	s.programs, err = newCorrections(body, info.plain)
	return err
}

func (s *streams) close() {
	close(s.stop)
	s.running.Wait()
	for _, c := range s.closers {
		c()
	}
	if s.spool != nil {
		s.spool.Close()
		os.Remove(s.spool.Name()) // fails harmlessly where the name is gone already
	}
}

// finished reports the first stream that has bytes left: a patch has none that mean nothing.
func (s *streams) finished() error {
	for id, r := range s.readers {
		if r == nil {
			continue
		}
		if _, err := r.ReadByte(); err == nil || r.left.N > 0 {
			return malformed("stream %d has bytes that nothing uses", id)
		}
		if n, err := r.left.R.Read(make([]byte, 1)); n > 0 || err != io.EOF {
			return malformed("stream %d is longer than it says", id)
		}
	}
	if err := s.programs.end(); err != nil {
		return err
	}
	return s.literals.end()
}

// exactReader gives exactly left bytes of r.
type exactReader struct {
	r    io.Reader
	left int64
}

func (e *exactReader) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > e.left {
		p = p[:e.left]
	}
	n, err := e.r.Read(p)
	e.left -= int64(n)
	if err != nil && (e.left > 0 || err != io.EOF) {
		return n, readError(err)
	}
	return n, nil
}
