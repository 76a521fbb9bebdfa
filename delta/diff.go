package delta

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"

	"github.com/klauspost/compress/zstd"
	"github.com/sallyport-dev/sallyport/delta/recompress"
)

// Diff writes to w a patch that makes blob, of size bytes, out of olds. blob is the original,
// compressed form. Without olds the patch is the blob's recompressed form. Diff applies the patch
// that it made and compares before it writes, so that what it returns without error works.
//
// The error is ErrNoRecipe if the compressed form cannot be reproduced. A blob that does not expand
// is an error of reason "format" or "truncated": it has to travel as it is, too.
func Diff(ctx context.Context, w io.Writer, blob io.ReaderAt, size int64, olds []Old, o Options) (Result, error) {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if len(olds) > maxOlds {
		return Result{}, fmt.Errorf("delta: %d olds, at most %d", len(olds), maxOlds)
	}
	m := &meter{tell: o.Advanced, size: size}
	plain, err := expandBlob(ctx, blob, m.readerAt(expanding, blob, size), size, o.TempDir)
	if err != nil {
		return Result{}, err
	}
	defer plain.close()
	recipe, proven, err := plain.layout.Likely(ctx, blob, plain)
	if err != nil {
		return Result{}, err
	}
	b := &builder{ctx: ctx, blob: blob, size: size, plain: plain, recipe: recipe, certain: proven, olds: olds, o: o, meter: m}
	return b.build(w)
}

// plainFile holds a blob's plain bytes.
type plainFile struct {
	io.ReaderAt
	file   *os.File // temporary; nil: they are the blob's own
	size   int64
	sum    [sha256.Size]byte
	layout *recompress.Layout // of the blob
}

// expandBlob expands a blob into a file, unless it is plain already, as the image of a disk is: that may be large, and mostly
// holes. Metered is the same bytes as blob.
func expandBlob(ctx context.Context, blob, metered io.ReaderAt, size int64, dir string) (*plainFile, error) {
	magic := make([]byte, 4)
	n, err := blob.ReadAt(magic, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read blob: %w", err)
	}
	p, h := &plainFile{ReaderAt: blob}, sha256.New()
	out := bufio.NewWriterSize(h, 1<<20)
	if !recompress.IsPlain(magic[:n]) {
		if p.file, err = os.CreateTemp(dir, "sallyport-plain-"); err != nil {
			return nil, fmt.Errorf("expand blob: %w", err)
		}
		p.ReaderAt = p.file
		out = bufio.NewWriterSize(io.MultiWriter(p.file, h), 1<<20)
	}
	p.layout, err = recompress.ExpandLayout(ctx, out, io.NewSectionReader(metered, 0, size), maxSize)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		p.close()
		return nil, err
	}
	p.size = p.layout.PlainSize()
	h.Sum(p.sum[:0])
	return p, nil
}

func (p *plainFile) close() {
	if p.file != nil {
		p.file.Close()
		os.Remove(p.file.Name())
	}
}

// builder makes one patch.
type builder struct {
	ctx      context.Context
	blob     io.ReaderAt
	size     int64
	plain    *plainFile
	recipe   *recompress.Recipe
	certain  bool // the recipe is proven
	olds     []Old
	o        Options
	streams  []*streamBuilder
	used     []int
	mixed    *literalBuilder
	programs *correctionBuilder
	scratch  int64 // bytes of files that applying needs
	members  []member
	costs    *costs
	meter    *meter
	failed   error // of the patch that was to be; nil: none, or not yet
}

func (b *builder) build(w io.Writer) (Result, error) {
	defer b.close()
	h, bodies, err := b.proven()
	if err != nil {
		return Result{}, err
	}
	out := &counted{w: w}
	if _, err := out.Write(h.marshal()); err != nil {
		return Result{}, err
	}
	for _, body := range bodies {
		if _, err := io.Copy(out, body); err != nil {
			return Result{}, err
		}
	}
	return Result{Size: out.n, PlainSize: b.plain.size, Blob: h.blobDigest[:], Used: b.used, Recipe: b.recipe.String(),
		Failed: b.failed, Members: b.costs.list(h.streams)}, nil
}

// patch makes a patch that is still to be proven.
func (b *builder) patch() (*header, []io.ReadSeeker, error) {
	b.streams, b.used, b.scratch = nil, nil, 0
	may := b.o.budget(b.plain.size)
	for id := range streamCount {
		b.streams = append(b.streams, &streamBuilder{id: id, dir: b.o.TempDir, level: b.o.level(), quick: b.quick(id), budget: &may})
	}
	if _, err := b.streams[streamRecipe].Write(b.recipe.Marshal()); err != nil {
		return nil, nil, err
	}
	pieces, all, err := b.plan()
	if err != nil {
		return nil, nil, err
	}
	if err := b.encode(pieces, all); err != nil {
		return nil, nil, err
	}
	return b.finish()
}

// quick tells whether to code a stream well takes longer than it is worth: literals of a blob without
// olds are many.
func (b *builder) quick(id streamID) bool {
	return b.failed != nil || b.o.Effort == EffortFast || len(b.olds) == 0 && (id == streamText || id == streamBinary)
}

func (b *builder) close() {
	for _, s := range b.streams {
		s.close()
	}
}

func (o Options) level() zstd.EncoderLevel {
	if o.Effort == EffortFast {
		return zstd.SpeedDefault
	}
	return zstd.SpeedBestCompression
}

// plan finds what of the olds the plain bytes are made from.
func (b *builder) plan() ([]piece, *source, error) {
	members, err := tarMembers(b.ctx, b.plain, b.plain.size)
	if err != nil {
		return nil, nil, err
	}
	b.members = members
	c, err := newCatalogue(b.ctx, b.olds, b.o.Workers)
	if err != nil {
		return nil, nil, err
	}
	ids, err := contentIDs(b.ctx, b.meter.readerAt(comparing, b.plain, b.plain.size), members, c.seed)
	if err != nil {
		return nil, nil, err
	}
	p := &planner{ctx: b.ctx, c: c, plain: b.meter.readerAt(planning, b.plain, b.plain.size), members: members, ids: ids, effort: b.o.Effort, workers: b.o.Workers, plainly: b.failed != nil}
	err = p.run()
	for _, n := range p.digested {
		b.streams[streamDigests].Write(binary.AppendUvarint(nil, uint64(n)))
	}
	return p.pieces, c.src, err
}

// encode turns pieces into operations, which address the olds that are used.
func (b *builder) encode(pieces []piece, all *source) error {
	e := &encoder{ctx: b.ctx, plain: b.meter.readerAt(coding, b.plain, b.plain.size), all: all, streams: b.streams, dir: b.o.TempDir, used: make([]int64, len(b.olds))}
	reads := make([]bool, len(b.olds))
	e.reads(pieces, reads)
	var used []Old
	size := int64(0)
	for i, o := range b.olds {
		e.used[i] = size
		if reads[i] {
			b.used = append(b.used, i)
			used = append(used, o)
			size += o.Size
		}
	}
	e.src = newSource(used)
	mixed, limits := int64(0), literalLimits{}
	if size > 0 && b.failed == nil { // nothing foretells the literals of a blob without olds, and there are many
		mixed, limits = b.o.budget(b.plain.size).mixed(pieces)
	}
	e.mixed = newLiteralBuilder(e.src, limits, mixed)
	b.mixed = e.mixed
	b.o.budget(b.plain.size).programs(pieces)
	e.programs = newCorrectionBuilder(stepsOf(pieces))
	b.programs = e.programs
	b.costs = newCosts(b.plain, b.members, len(b.olds) == 0, b.streams)
	e.costs = b.costs
	err := e.pieces(pieces)
	b.scratch = e.scratch
	return err
}

// finish ends the streams and makes the header. The largest stream comes last: it alone need not be
// kept by who applies the patch.
func (b *builder) finish() (*header, []io.ReadSeeker, error) {
	h := &header{blobSize: b.size, plainSize: b.plain.size, scratch: b.scratch}
	for _, i := range b.used {
		sum, err := digestOld(b.ctx, b.olds[i])
		if err != nil {
			return nil, nil, err
		}
		h.olds = append(h.olds, oldID{size: b.olds[i].Size, digest: sum, tokens: b.replays(b.olds[i])})
	}
	sum, err := digestOld(b.ctx, Old{ReaderAt: b.blob, Size: b.size})
	if err != nil {
		return nil, nil, err
	}
	h.blobDigest = sum
	bodies := map[streamID]io.ReadSeeker{}
	if info, body, err := b.mixed.finish(b.streams); err != nil {
		return nil, nil, err
	} else if body != nil {
		h.streams = append(h.streams, info)
		bodies[info.id] = body
	}
	if info, body := b.programs.finish(); body != nil {
		h.streams = append(h.streams, info)
		bodies[info.id] = body
	}
	for _, s := range b.streams {
		if s.plain == 0 || s.id == streamLiterals || s.id == streamPrograms {
			continue
		}
		info, body, err := s.finish()
		if err != nil {
			return nil, nil, err
		}
		h.streams = append(h.streams, info)
		bodies[info.id] = body
	}
	slices.SortStableFunc(h.streams, func(x, y streamInfo) int { return int(min(max(x.coded-y.coded, -1), 1)) })
	ordered := make([]io.ReadSeeker, len(h.streams))
	for i, info := range h.streams {
		ordered[i] = bodies[info.id]
	}
	return h, ordered, nil
}

type counted struct {
	w io.Writer
	n int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
