package delta

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sallyport-dev/sallyport/delta/recompress"
)

// A file that holds DEFLATE streams is made out of its expanded form, and that out of the expanded
// forms of old files, because streams of nearly equal bytes share next to nothing.

// stretch is a part of a file that is expanded: bytes that stay, then a DEFLATE stream.
type stretch struct {
	skip  int64 // bytes that stay
	size  int64 // of the stream, and what belongs to it
	plain int64 // bytes that the stream expands to
}

// expansion is a file with streams expanded.
type expansion struct {
	address   int64 // in the source
	size      int64
	stretches []stretch
}

// Operations that bring a base of their own may make very little, and each takes a while to begin with: a patch has so many
// of them at most, and one more for each so many plain bytes. A tar has one for two blocks at most: a header's and content's.
const (
	fewBased      = 4 << 10
	plainPerBased = 2 * tarBlock
)

// Limits of one nested operation.
const (
	maxExpandedOlds = 8
	maxStretches    = 1 << 16 // of all its olds
	maxExpanded     = 1 << 31 // bytes that an old expands to
	maxNestedRecipe = 256 << 10
	maxInflation    = 64      // bytes, old and new, that an operation looks at for each one that it makes
	stretchCost     = 512     // bytes that could be looked at while a stretch is begun
	partCost        = 64      // the same for a part of the recipe
	inMemory        = 1 << 20 // expanded bytes of olds that need no file
)

// expandedSize returns how many bytes x has when it is expanded.
func (x *expansion) expandedSize() int64 {
	n := x.size
	for _, s := range x.stretches {
		n += s.plain - s.size
	}
	return n
}

// cost returns how many bytes expanding x looks at: those that it reads and those that it makes. Streams may be long and
// make nothing.
func (x *expansion) cost() int64 {
	return x.size + x.expandedSize() + stretchCost*int64(len(x.stretches))
}

func costOf(list []expansion) (n int64) {
	for i := range list {
		n += list[i].cost()
	}
	return n
}

// expand writes x's expanded form to w.
func (x *expansion) expand(w io.Writer, src *source) error {
	at := x.address
	for _, s := range x.stretches {
		if err := x.keep(w, src, at, s.skip); err != nil {
			return err
		}
		at += s.skip
		in := bufio.NewReaderSize(src.section(at, s.size), int(min(s.size, 64<<10)))
		n, err := recompress.Inflate(w, in, s.plain)
		var broken *recompress.Error
		if errors.As(err, &broken) || err == nil && n != s.plain {
			return malformed("stream of %d bytes at %d does not expand to %d", s.size, at, s.plain)
		}
		if err != nil {
			return err
		}
		at += s.size
	}
	return x.keep(w, src, at, x.address+x.size-at)
}

func (x *expansion) keep(w io.Writer, src *source, at, n int64) error {
	_, err := io.Copy(w, src.section(at, n))
	return err
}

// section returns a reader of n bytes from address.
func (s *source) section(address, n int64) io.Reader {
	return io.NewSectionReader(&sourceReader{s, address}, 0, n)
}

// stoppable passes bytes on until ctx is done: few bytes of a stream may expand to very many.
type stoppable struct {
	ctx context.Context
	w   io.Writer
}

func (s stoppable) Write(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.w.Write(p)
}

// expandFiles returns the expanded forms of list, one after another, and what frees them. What does not
// fit into memory goes to a file in dir.
func expandFiles(ctx context.Context, src *source, list []expansion, dir string) (Old, func(), error) {
	total := int64(0)
	for i := range list {
		total += list[i].expandedSize()
	}
	if total > inMemory {
		f, err := expandToDisk(ctx, src, list, dir)
		if err != nil {
			return Old{}, nil, err
		}
		return Old{ReaderAt: f, Size: total}, func() {
			f.Close()
			os.Remove(f.Name()) // fails harmlessly where the name is gone already
		}, nil
	}
	var b bytes.Buffer
	for i := range list {
		if err := list[i].expand(stoppable{ctx, &b}, src); err != nil {
			return Old{}, nil, err
		}
	}
	return Old{ReaderAt: bytes.NewReader(b.Bytes()), Size: total}, func() {}, nil
}

// with returns a source that has o behind everything else.
func (s *source) with(o Old) *source { return newSource(append(s.olds[:len(s.olds):len(s.olds)], o)) }

func expandToDisk(ctx context.Context, src *source, list []expansion, dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "sallyport-nested-")
	if err != nil {
		return nil, fmt.Errorf("expand base file: %w", err)
	}
	_ = os.Remove(f.Name()) // the open file goes on; where it cannot be removed, free does it
	out := bufio.NewWriterSize(f, 128<<10)
	for i := range list {
		if err = list[i].expand(stoppable{ctx, out}, src); err != nil {
			break
		}
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		f.Close()
		os.Remove(f.Name())
		return nil, fmt.Errorf("expand base file: %w", err)
	}
	return f, nil
}

// based begins an operation that reads a base of its own. None stands inside of another.
func (r *restorer) based() error {
	if r.inside {
		return malformed("operation with a base of its own inside of another")
	}
	if r.basedLeft == 0 {
		return malformed("too many operations with a base of their own for what they make")
	}
	r.basedLeft--
	return nil
}

// nested makes n bytes by recipe out of what the operations that follow make. Those may read the
// expanded olds behind the source.
func (r *restorer) nested(n int64) error {
	if err := r.based(); err != nil {
		return err
	}
	d := &programReader{ops: r.s.readers[streamOps]}
	olds, expanded := r.expandedOlds(d)
	recipe, packed, err := r.nestedRecipe(d)
	if err != nil {
		return err
	}
	if expanded > inMemory && expanded > r.scratch.limit {
		return malformed("operation expands %d bytes of base files where %d are declared", expanded, r.scratch.limit)
	}
	m := recipe.PlainSize()
	if cost := m + costOf(olds) + packed + partCost*int64(recipe.Parts()); m > maxExpanded || cost/maxInflation > n {
		return malformed("operation looks at %d bytes to make %d", cost, n)
	}
	base, free, err := expandFiles(r.ctx, r.src, olds, r.scratch.dir)
	if err != nil {
		return err
	}
	defer free()
	out := &exactWriter{w: r.w, left: n}
	packer := recipe.NewWriter(out)
	inner := r.within(packer, r.src.with(base))
	inner.inside, inner.buf = true, r.buf
	if len(olds) > 0 {
		inner.next = r.src.size
	}
	if err := inner.run(recipe.PlainSize()); err != nil {
		return err
	}
	if err := packer.Close(); err != nil {
		return err
	}
	return out.check()
}

// expandedOlds reads which parts of the source are expanded, and returns to how many bytes.
func (r *restorer) expandedOlds(d *programReader) (list []expansion, expanded int64) {
	left := int64(maxStretches)
	for range d.number(maxExpandedOlds) {
		o := expansion{size: d.number(maxExpanded)}
		o.address = r.next + unzigzag(d.from(r.s.readers[streamSources], 2*maxSize))
		count := d.number(uint64(left))
		left -= count
		end := int64(0)
		for range count {
			s := stretch{skip: d.number(maxExpanded), size: d.number(maxExpanded), plain: d.number(maxExpanded)}
			if end += s.skip + s.size; end > o.size {
				d.fail(malformed("expands %d bytes of a base file of %d", end, o.size))
			}
			if d.err != nil {
				return nil, 0
			}
			o.stretches = append(o.stretches, s)
		}
		if o.address < 0 || o.address > r.src.size-o.size {
			d.fail(malformed("expands %d bytes at %d, of %d", o.size, o.address, r.src.size))
		}
		r.next = o.address + o.size
		if expanded += o.expandedSize(); expanded > maxExpanded {
			d.fail(malformed("expands base files to more than %d bytes", int64(maxExpanded)))
		}
		list = append(list, o)
	}
	return list, expanded
}

func (d *programReader) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

// nestedRecipe reads a recipe, and returns how many bytes it takes.
func (r *restorer) nestedRecipe(d *programReader) (*recompress.Recipe, int64, error) {
	size := d.number(maxNestedRecipe)
	if d.err != nil {
		return nil, 0, d.err
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r.s.readers[streamOps], b); err != nil {
		return nil, 0, readError(err)
	}
	recipe, err := recompress.Parse(b)
	return recipe, size, err
}

// exactWriter passes exactly left bytes.
type exactWriter struct {
	w    io.Writer
	left int64
}

func (e *exactWriter) Write(p []byte) (int, error) {
	if int64(len(p)) > e.left {
		return 0, malformed("nested operation makes more bytes than it declares")
	}
	n, err := e.w.Write(p)
	e.left -= int64(n)
	return n, err
}

func (e *exactWriter) check() error {
	if e.left > 0 {
		return malformed("nested operation makes %d bytes fewer than it declares", e.left)
	}
	return nil
}

// appendNested writes a nested operation's description; the olds' addresses are not in it.
func appendNested(b []byte, olds []expansion, recipe *recompress.Recipe) []byte {
	number := func(v int64) { b = binary.AppendUvarint(b, uint64(v)) }
	number(int64(len(olds)))
	for _, o := range olds {
		number(o.size)
		number(int64(len(o.stretches)))
		for _, s := range o.stretches {
			number(s.skip)
			number(s.size)
			number(s.plain)
		}
	}
	packed := recipe.Marshal()
	number(int64(len(packed)))
	return append(b, packed...)
}
