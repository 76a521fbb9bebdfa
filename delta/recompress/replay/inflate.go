package replay

import (
	"bufio"
	"errors"
	"io"
)

// ErrCorrupt says that a stream is not DEFLATE.
var ErrCorrupt = errors.New("corrupt DEFLATE stream")

// Inflater expands DEFLATE streams (RFC 1951), one after another, and keeps their tokens.
type Inflater struct {
	in    *bufio.Reader
	buf   []byte // of in, from its first unread byte on
	pos   int    // in buf
	bits  uint64
	nbits int

	out     []byte // the window, then what is not written yet
	end     int    // of the bytes in out
	written int    // of them, how many w has
	total   int64  // bytes that w has
	w       io.Writer

	litLen, dist, codeLen table
	lengths               [maxLitLen + maxDist + 4]uint8
	log                   *Log
	marked                int // up to where in out the log knows
}

// How many bits the tables look up at once.
const (
	litLenRoot  = 10
	distRoot    = 8
	codeLenRoot = 7
)

// outSize is the window and as much again as is written at a time.
const outSize = windowSize + 96<<10

// Inflate expands one stream, writes its plain bytes to w and its tokens to log, and returns how many
// plain bytes there were. It reads nothing of in beyond the stream. The error is ErrCorrupt,
// io.ErrUnexpectedEOF, or in's or w's.
func (f *Inflater) Inflate(w io.Writer, in *bufio.Reader, log *Log) (int64, error) {
	if f.out == nil {
		f.out = make([]byte, outSize)
		f.litLen.root, f.dist.root, f.codeLen.root = litLenRoot, distRoot, codeLenRoot
	}
	f.in, f.w, f.log = in, w, log
	f.buf, f.pos, f.bits, f.nbits = nil, 0, 0, 0
	f.end, f.written, f.marked = 0, 0, 0
	log.begin()
	f.total = 0
	err := f.blocks()
	f.giveBack()
	if _, e := in.Discard(f.pos); err == nil {
		err = e
	}
	f.mark()
	if e := f.flush(); err == nil {
		err = e
	}
	log.finish()
	return f.total, err
}

func (f *Inflater) blocks() error {
	for {
		head, err := f.take(3)
		if err != nil {
			return err
		}
		switch head >> 1 {
		case 0:
			err = f.stored()
		case 1:
			err = f.fixed()
		case 2:
			err = f.dynamic()
		default:
			err = ErrCorrupt
		}
		if err != nil || head&1 != 0 {
			return err
		}
	}
}

func (f *Inflater) stored() error {
	if _, err := f.take(f.nbits & 7); err != nil {
		return err
	}
	size, err := f.take(16)
	if err != nil {
		return err
	}
	complement, err := f.take(16)
	if err != nil {
		return err
	}
	if size^complement != 0xffff {
		return ErrCorrupt
	}
	f.giveBack()
	if _, err := f.in.Discard(f.pos); err != nil {
		return err
	}
	f.buf, f.pos = nil, 0
	f.mark()
	f.log.opaque(size)
	for size > 0 {
		if err := f.room(); err != nil {
			return err
		}
		n, err := io.ReadFull(f.in, f.out[f.end:min(f.end+size, len(f.out))])
		f.end += n
		f.marked = f.end
		size -= n
		if err != nil {
			return unexpected(err)
		}
	}
	return nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// codes expands the codes of a block up to its end.
func (f *Inflater) codes() error {
	for {
		if err := f.room(); err != nil {
			return err
		}
		done, err := f.some()
		if done || err != nil {
			return err
		}
	}
}

// some expands codes until the block or the room in out ends. The bits and the end of out are in local
// variables: it is here that expanding spends its time.
func (f *Inflater) some() (done bool, err error) {
	out, end, bits, nbits := f.out, f.end, f.bits, f.nbits
	litLen, dist := f.litLen.entries, f.dist.entries
	for end <= len(out)-maxMatch {
		if nbits < 48 {
			f.bits, f.nbits = bits, nbits
			if err = f.refill(); err != nil {
				break
			}
			bits, nbits = f.bits, f.nbits
		}
		e := litLen[bits&(1<<litLenRoot-1)]
		if e&sub != 0 {
			bits >>= litLenRoot
			nbits -= litLenRoot
			e = litLen[uint64(e.value())+bits&(1<<e.extra()-1)]
		}
		bits >>= e.bits()
		nbits -= int(e.bits())
		if e&literal != 0 && nbits >= 0 {
			out[end] = byte(e >> 16)
			end++
			continue
		}
		if e&endBlock != 0 || e == 0 || nbits < 0 {
			done = true
			f.bits, f.nbits = bits, nbits
			err = f.check(e)
			break
		}
		length := int(e.value()) + int(bits&(1<<e.extra()-1))
		bits >>= e.extra()
		nbits -= int(e.extra())
		d := dist[bits&(1<<distRoot-1)]
		if d&sub != 0 {
			bits >>= distRoot
			nbits -= distRoot
			d = dist[uint64(d.value())+bits&(1<<d.extra()-1)]
		}
		bits >>= d.bits()
		distance := int(d.value()) + int(bits&(1<<d.extra()-1))
		bits >>= d.extra()
		nbits -= int(d.bits() + d.extra())
		if d == 0 || nbits < 0 || distance > end {
			f.bits, f.nbits = bits, nbits
			if err = f.check(d); err == nil {
				err = ErrCorrupt
			}
			break
		}
		f.log.match(end-f.marked, length, distance)
		repeat(out, end, length, distance)
		end += length
		f.marked = end
	}
	f.end, f.bits, f.nbits = end, bits, nbits
	return done, err
}

// check tells why e ends a block if it does not say so itself.
func (f *Inflater) check(e entry) error {
	switch {
	case f.nbits < 0, e == 0 && f.nbits < maxBits && f.pos == len(f.buf):
		return io.ErrUnexpectedEOF
	case e == 0:
		return ErrCorrupt
	}
	return nil
}

// repeat copies length bytes from distance before end to end, where the two may overlap.
func repeat(out []byte, end, length, distance int) {
	from := end - distance
	if distance >= length {
		copy(out[end:end+length], out[from:from+length])
		return
	}
	for length > 0 {
		n := copy(out[end:end+length], out[from:end])
		end += n
		length -= n
	}
}

// room makes place for the longest match, which writes what is there.
func (f *Inflater) room() error {
	if f.end <= len(f.out)-maxMatch {
		return nil
	}
	f.mark()
	if err := f.flush(); err != nil {
		return err
	}
	n := copy(f.out, f.out[f.end-windowSize:f.end])
	f.end, f.written, f.marked = n, n, n
	return nil
}

// mark tells the log of the literals since the last match.
func (f *Inflater) mark() {
	f.log.literals(f.end - f.marked)
	f.marked = f.end
}

func (f *Inflater) flush() error {
	n, err := f.w.Write(f.out[f.written:f.end])
	f.total += int64(n)
	f.written = f.end
	return err
}
