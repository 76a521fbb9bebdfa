package delta

import (
	"context"
	"encoding/binary"
	"io"

	"github.com/sallyport-dev/sallyport/delta/mix"
)

// opKind is what an operation makes the next plain bytes from.
type opKind byte

// The operations. A number in the ops stream is a length times opKindSpan plus the kind. Those from
// opKindSpan on, which are rare, stand with a length of 0 there, and the real one follows.
const (
	opCopy     opKind = iota // bytes of the source
	opAdd                    // bytes of the source, some changed
	opHeaders                // literal tar headers
	opText                   // literal text
	opBinary                 // literal bytes
	opRestamp                // whole tar entries of the source, with other times
	opProgram                // a program, out of another version of it
	opNested                 // a file that holds compressed streams, out of its expanded form
	opListing                // a listing of files' digests, out of an old one
	opKindSpan = 8
)

// restorer makes plain bytes out of a patch's streams.
type restorer struct {
	ctx    context.Context
	w      io.Writer
	s      *streams
	src    *source
	next   int64 // address after the last copy
	buf    []byte
	header [tarBlock]byte

	to       *pipeline // where everything goes in the end
	packer   sink      // that w is; nil: w is something else
	literals *literalsAhead
	scratch  scratch
	inside   bool // of a nested operation
	// basedLeft is how many operations with a base of their own may still come.
	basedLeft int64
	digests   digests
}

// scratch is where operations may keep what they need for a while.
type scratch struct {
	dir   string // "": os.TempDir()
	limit int64  // bytes of one operation in files
}

// restore writes the plain bytes, size of them, to w, as soon as right, which may be nil, has found that they may be.
func restore(ctx context.Context, w io.Writer, right func() error, s *streams, src *source, size int64, on scratch) error {
	d, err := newDigester(w, s.readers[streamDigests])
	if err != nil {
		return err
	}
	_, packs := w.(sink)
	r := &restorer{ctx: ctx, s: s, src: src, scratch: on, literals: newLiteralsAhead(s), basedLeft: fewBased + size/plainPerBased}
	if d != nil {
		w, r.digests = d, d.known
	}
	r.to = newPipeline(w, right)
	if packs {
		r.packer = r.to
	}
	s.literals.first = src.size
	if err := r.within(r.to, src).all(size); err != nil {
		r.to.fail(err)
	}
	return r.to.close()
}

// all makes size bytes, which are everything.
func (r *restorer) all(size int64) error {
	if err := r.run(size); err != nil {
		return err
	}
	if err := r.to.drain(); err != nil {
		return err
	}
	if err := r.literals.end(); err != nil {
		return err
	}
	return r.s.finished()
}

// within returns a restorer of operations inside of another, which write to w and read src.
func (r *restorer) within(w io.Writer, src *source) *restorer {
	inner := *r
	inner.w, inner.src, inner.buf = w, src, make([]byte, 128<<10)
	if w != io.Writer(r.to) {
		inner.packer = nil
	}
	return &inner
}

// run makes size bytes.
func (r *restorer) run(size int64) error {
	for size > 0 {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		v, err := readUvarint(r.s.readers[streamOps], maxSize*opKindSpan)
		if err != nil {
			return err
		}
		kind, n := opKind(v%opKindSpan), v/opKindSpan
		if n == 0 {
			kind += opKindSpan
			if n, err = readUvarint(r.s.readers[streamOps], maxSize); err != nil {
				return err
			}
		}
		if n == 0 || n > size {
			return malformed("operation makes %d bytes where %d are wanted", n, size)
		}
		size -= n
		if err := r.op(kind, n); err != nil {
			return err
		}
	}
	return nil
}

func (r *restorer) op(kind opKind, n int64) error {
	switch kind {
	case opCopy:
		return r.fromSource(n, r.copy)
	case opAdd:
		return r.fromSource(n, r.add)
	case opRestamp:
		return r.fromSource(n, r.restamp)
	case opProgram:
		return r.program(n)
	case opNested:
		return r.nested(n)
	case opListing:
		return r.listing(n)
	case opHeaders:
		return r.literal(streamHeaders, n, r.next)
	case opText:
		return r.literal(streamText, n, r.next)
	case opBinary:
		return r.literal(streamBinary, n, r.next)
	}
	return newer("operation %d, which this program does not have", kind)
}

// literal makes n bytes of a stream, which replace those of the source at an address.
func (r *restorer) literal(id streamID, n, address int64) error {
	if r.literals.add(id, n, r.src, address) {
		return r.mixed(n)
	}
	return r.pieces(n, func(b []byte) error {
		if _, err := io.ReadFull(r.s.readers[id], b); err != nil {
			return readError(err)
		}
		return nil
	})
}

// mixed makes the next n bytes of mixed literals that have been added. Whoever they go to may wait for them.
func (r *restorer) mixed(n int64) error {
	if r.w == io.Writer(r.to) {
		return r.to.Later(n, r.literals.next)
	}
	if r.to.later { // those come first
		if err := r.to.drain(); err != nil {
			return err
		}
	}
	return r.pieces(n, r.literals.next)
}

// pieces makes n bytes that come piece by piece.
func (r *restorer) pieces(n int64, next func(b []byte) error) error {
	for n > 0 {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		b := r.buf[:min(n, mix.Chunk)]
		if err := next(b); err != nil {
			return err
		}
		if _, err := r.w.Write(b); err != nil {
			return err
		}
		n -= int64(len(b))
	}
	return nil
}

// fromSource reads where a copy begins and makes it. Copies tend to go on where the last one ended.
func (r *restorer) fromSource(n int64, make func(address, n int64) error) error {
	v, err := readUvarint(r.s.readers[streamSources], 2*maxSize)
	if err != nil {
		return err
	}
	address := r.next + unzigzag(v)
	if address < 0 || address > r.src.size-n {
		return malformed("copy of %d bytes at %d, of %d", n, address, r.src.size)
	}
	r.next = address + n
	return make(address, n)
}

func (r *restorer) copy(address, n int64) error {
	if err := r.same(0, address, n); err != nil {
		return err
	}
	for n > 0 {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		b := r.buf[:min(n, int64(len(r.buf)))]
		if err := r.src.read(b, address); err != nil {
			return err
		}
		if _, err := r.w.Write(b); err != nil {
			return err
		}
		n -= int64(len(b))
		address += int64(len(b))
	}
	return nil
}

// same tells the packer that after the next skip bytes n old ones follow, whose tokens it may know.
func (r *restorer) same(skip, address, n int64) error {
	if r.packer == nil || n == 0 {
		return nil
	}
	old, offset, err := r.src.locate(address, n)
	if err != nil || r.src.olds[old].Tokens == nil {
		return err
	}
	return r.packer.Same(skip, r.src.olds[old].Tokens, offset, n)
}

// add copies bytes and changes some of them.
func (r *restorer) add(start, n int64) error {
	address := start
	left := n
	f, err := newFixer(r.s, n, func(at, size int64) error { return r.same(at-(n-left), start+at, size) })
	if err != nil {
		return err
	}
	for left > 0 {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		b := r.buf[:min(left, int64(len(r.buf)))]
		if err := r.src.read(b, address); err != nil {
			return err
		}
		if err := f.fix(b); err != nil {
			return err
		}
		if _, err := r.w.Write(b); err != nil {
			return err
		}
		left -= int64(len(b))
		address += int64(len(b))
	}
	return nil
}

// restamp copies whole tar entries and sets their times by one rule.
func (r *restorer) restamp(address, n int64) error {
	rule, err := readRule(r.s.readers[streamOps])
	if err != nil {
		return err
	}
	for n >= tarBlock {
		h := r.header[:]
		if err := r.src.read(h, address); err != nil {
			return err
		}
		content := rule.apply(h)
		if _, err := r.w.Write(h); err != nil {
			return err
		}
		n -= tarBlock
		address += tarBlock
		content = min(content, n)
		if err := r.copy(address, content); err != nil {
			return err
		}
		n -= content
		address += content
	}
	return r.copy(address, n)
}

func zigzag(v int64) uint64 { return uint64(v)<<1 ^ uint64(v>>63) }

func unzigzag(v int64) int64 { return int64(uint64(v)>>1) ^ -(v & 1) }

func appendZigzag(b []byte, v int64) []byte { return binary.AppendUvarint(b, zigzag(v)) }
