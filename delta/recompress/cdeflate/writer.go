package cdeflate

import (
	"fmt"
	"io"
)

// chunk is how much input is gathered before it is coded, so that the window is always filled as a
// program fills it that reads files.
const chunk = 2 * windowSize

// Writer compresses one stream.
type Writer struct {
	d   *deflater
	buf []byte
}

// NewWriter returns a writer that compresses to w at a level from 1 to 9.
func NewWriter(w io.Writer, flavor Flavor, level int) (*Writer, error) {
	d, err := newDeflater(w, flavor, level)
	return &Writer{d: d}, err
}

// Write compresses p.
func (w *Writer) Write(p []byte) (int, error) {
	w.buf = append(w.buf, p...)
	w.d.input = w.buf
	err := w.d.run(false)
	w.buf = append(w.buf[:0], w.d.input...)
	return len(p), err
}

// Close ends the stream. It does not close the writer below.
func (w *Writer) Close() error {
	w.d.input = w.buf
	return w.d.drain(true)
}

// Bytes that pigz gives each of its threads: at least a window, as its option -b has it.
const (
	MinPigzBlock = windowSize
	pigzBlock    = 128 << 10
)

// PigzWriter compresses as pigz does with more than one thread: blocks by themselves, each with the
// window before it as its dictionary, joined at byte boundaries.
type PigzWriter struct {
	d    *deflater
	size int
	dict []byte
	buf  []byte
	done int64 // bytes of the blocks before
}

// NewPigzWriter returns a writer that compresses to w at a level from 1 to 9, in blocks of size bytes;
// 0 is pigz's default, 128 KiB.
func NewPigzWriter(w io.Writer, level, size int) (*PigzWriter, error) {
	if size == 0 {
		size = pigzBlock
	}
	if size < MinPigzBlock {
		return nil, fmt.Errorf("cdeflate: blocks of %d bytes", size)
	}
	d, err := newDeflater(w, Zlib, level)
	return &PigzWriter{d: d, size: size}, err
}

// Write compresses p. A block waits until it is known not to be the last one.
func (w *PigzWriter) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		if len(w.buf) == w.size {
			if err := w.block(false); err != nil {
				return 0, err
			}
		}
		n := min(len(p), w.size-len(w.buf))
		w.buf = append(w.buf, p[:n]...)
		p = p[n:]
	}
	return written, nil
}

// Close ends the stream. It does not close the writer below.
func (w *PigzWriter) Close() error { return w.block(true) }

func (w *PigzWriter) block(last bool) error {
	w.d.reset()
	w.d.dictionary(w.dict)
	w.d.replay.base = w.done - int64(w.d.start)
	w.done += int64(len(w.buf))
	w.d.input = w.buf
	if err := w.d.drain(last); err != nil {
		return err
	}
	if !last {
		w.join()
	}
	w.dict = append(w.dict[:0], w.buf[max(0, len(w.buf)-windowSize):]...)
	w.buf = w.buf[:0]
	return w.d.bits.flush(w.d.w)
}

// join gets to a byte boundary: by empty fixed blocks of ten bits each if these lead there, else by
// an empty stored one.
func (w *PigzWriter) join() {
	b := &w.d.bits
	if b.valid&1 != 0 {
		w.d.stored(nil, 0)
		return
	}
	for b.valid != 0 {
		b.put(2, 10)
	}
}

// dictionary puts what came before the stream into the window.
func (d *deflater) dictionary(dict []byte) {
	d.start = copy(d.window[:], dict)
	d.blockStart = d.start
}
