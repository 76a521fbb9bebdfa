package delta

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"

	"github.com/sallyport-dev/sallyport/delta/correct"
	"github.com/sallyport-dev/sallyport/delta/program"
)

// programPiece makes a whole file out of another version of it. Neither version stays in memory.
type programPiece struct {
	p       *program.Program
	steps   []step
	changed []uint32 // offsets in the new file of bytes and instructions that projection gets wrong
	plain   bool     // steps and changes are
}

// programOf plans a file that is a program, as far as both versions are; it is not ok where they are
// not. A first search, with references in code blanked out, tells where things moved. With the
// references of tables as they will be then, the next finds what differs in nothing else, and so on.
// The last one sees references in code as where they lead, so that it finds what differs in them least.
// What the piece has to correct is still to be found. Two passes are a quick search: it learns only in
// the end where single addresses went, and makes a third pass where there are relocations, of which one
// tells where others apply.
func programOf(now, then []byte, passes int, x *index) (piece, bool, error) {
	if len(now) < leastProgram {
		return piece{}, false, nil
	}
	p := program.Describe(then, now)
	if p == nil {
		return piece{}, false, nil
	}
	quick := passes == quickPasses
	if quick && slices.ContainsFunc(p.Regions, func(r program.Region) bool { return r.Kind == program.Relocations }) {
		passes++
	}
	pp := &programPiece{p: p}
	want, have := program.Masked(now, false), program.Masked(then, false)
	for pass := 1; ; pass++ {
		var found []segment
		if pass == passes && !quick {
			x.build(have, cheapestKey)
			within, err := p.Within()
			if err != nil {
				return piece{}, false, err
			}
			found = diffCheapest(have, want, x, p.Hints, within)
		} else {
			found = diffContent(want, have, opBinary, x)
		}
		found, ok := fewer(derived(found, p.Derived), program.MaxSpans)
		pp.take(found)
		if !ok || len(p.Spans) == 0 {
			return piece{}, false, nil
		}
		if err := p.Prepare(); err != nil {
			return piece{}, false, err
		}
		if pass == passes || !quick {
			if err := p.Learn(now); err != nil {
				return piece{}, false, err
			}
		}
		if pass == passes {
			p.Hints = nil
			if found, ok = fewer(derived(found, indexSpans(p, now, x)), program.MaxSpans); !ok {
				return piece{}, false, nil
			}
			pp.take(found)
			if err := p.Prepare(); err != nil {
				return piece{}, false, err
			}
			return piece{length: int64(len(now)), program: pp}, true, nil
		}
		exact := pass == passes-1
		var err error
		x.data = nil // have is garbage from here on
		if have, err = p.Moved(exact); err != nil {
			return piece{}, false, err
		}
		if exact {
			want = program.Masked(now, true)
		}
	}
}

// indexSpans finds .eh_frame_hdr, which projection makes anew and which every other span may change,
// in what it is made to last. The first span is of a literal in the whole table's place.
func indexSpans(p *program.Program, now []byte, x *index) []program.Span {
	table, at := p.Index()
	if len(table) == 0 {
		return nil
	}
	x.build(table, cheapestKey)
	spans := []program.Span{{Old: literal, New: at.New, Size: at.Size}}
	new := at.New
	for _, s := range diffCheapest(table, now[at.New:at.New+at.Size], x, nil, nil) {
		if s.from >= 0 {
			spans = append(spans, program.Span{Old: at.Old + int64(s.from), New: new, Size: int64(s.length)})
		}
		new += int64(s.length)
	}
	return spans
}

// quickPasses are those of a quick search.
const quickPasses = 2

// programPasses is how often an effort searches a program. What a table refers to may be a table
// itself.
func programPasses(e Effort) int {
	switch e {
	case EffortFast:
		return quickPasses
	case EffortBest:
		return 4
	}
	return 3
}

// derived puts spans in the place of segments.
func derived(list []segment, spans []program.Span) []segment {
	for _, s := range spans {
		var out []segment
		at := 0
		for _, g := range list {
			end := at + g.length
			if before := min(end, int(s.New)) - at; before > 0 {
				out = append(out, g.part(0, before))
			}
			if at <= int(s.New) && end > int(s.New) {
				out = append(out, segment{length: int(s.Size), from: int(s.Old)})
			}
			if after := end - max(at, int(s.New+s.Size)); after > 0 {
				out = append(out, g.part(g.length-after, after))
			}
			at = end
		}
		list = out
	}
	return list
}

// part returns n bytes of a segment from an offset on.
func (s segment) part(at, n int) segment {
	if s.from >= 0 {
		s.from += at
	}
	s.length = n
	return s
}

// take makes segments the program's steps and spans.
func (pp *programPiece) take(segments []segment) {
	pp.steps, pp.p.Spans = nil, nil
	at := int64(0)
	for _, s := range segments {
		next := step{literal: true, size: int64(s.length), new: at}
		if s.from >= 0 {
			next.literal, next.old = false, int64(s.from)
			pp.p.Spans = append(pp.p.Spans, program.Span{Old: next.old, New: at, Size: next.size})
		}
		pp.steps = append(pp.steps, next)
		at += next.size
	}
}

// program writes a program's operation. The steps come before what they change, because projecting
// needs all of them.
func (e *encoder) program(p piece) error {
	old := e.oldOf(p.from)
	address := e.used[old] + p.from - e.all.starts[old]
	e.op(opProgram, p.length)
	d := p.program.p.Description()
	d.Old = &sourceReader{e.src, address}
	ops := e.streams[streamOps]
	ops.Write(binary.AppendUvarint(nil, uint64(d.Size)))
	e.streams[streamSources].Write(appendZigzag(nil, address-e.next))
	e.next = address + d.Size
	ops.Write(appendDescription(nil, d))
	count, code := 2*uint64(len(p.program.steps)), e.programs.code
	if p.program.plain {
		count, code = count+1, e.plainSteps
	}
	ops.Write(binary.AppendUvarint(nil, count))
	now := make([]byte, p.length)
	if err := readAt(e.plain, now, e.at); err != nil {
		return err
	}
	if err := code(p.program, d, now); err != nil {
		return err
	}
	e.streams[streamPrograms].plain = int64(e.programs.coder.Len()) // for costs
	next := int64(0)
	for _, s := range p.program.steps {
		if !s.literal {
			next = s.old + s.size
			continue
		}
		if err := e.literals(streamBinary, e.at+s.new, s.size, address+next); err != nil {
			return err
		}
		next += s.size
	}
	return nil
}

// correct finds what of the projected bytes has to change to make now.
func (pp *programPiece) correct(now []byte) error {
	copies := pp.p.Copies(pp.p.Spans)
	defer copies.Close()
	f := &changeFinder{pp, now}
	for {
		t, err := copies.Next()
		if errors.Is(err, io.EOF) {
			pp.p = pp.p.Description()
			return nil
		}
		if err != nil {
			return err
		}
		f.part(t)
	}
}

// changeFinder finds what changes instead of correcting it.
type changeFinder struct {
	pp  *programPiece
	now []byte
}

// part looks at the blocks of a part in which something changes, or behind which an instruction of theirs does.
func (f *changeFinder) part(t *program.Part) {
	const block = 1 << correct.BlockBits
	now := f.now[t.New:][:len(t.Bytes)]
	for at := 0; at < len(now); at += block {
		if end := min(at+block+program.MaxInstruction, len(now)); !bytes.Equal(t.Bytes[at:end], now[at:end]) {
			f.pp.p.Correct(t, at, min(at+block, len(now)), f)
		}
	}
}

// Instruction notes an instruction that changes.
func (f *changeFinder) Instruction(u *program.Unit) {
	if !bytes.Equal(u.Bytes, f.now[u.New:][:len(u.Bytes)]) {
		f.pp.changed = append(f.pp.changed, uint32(u.New))
	}
}

// Data notes the bytes that change; of what stands among instructions, where it begins.
func (f *changeFinder) Data(b []byte, at program.Place) {
	for i := 0; i < len(b); i++ {
		if i += matchLength(b[i:], f.now[int(at.New)+i:], len(b)); i < len(b) {
			if at.Kind == program.CodeAMD64 || at.Kind == program.CodeFixed {
				f.pp.changed = append(f.pp.changed, uint32(at.New))
				return
			}
			f.pp.changed = append(f.pp.changed, uint32(int(at.New)+i))
		}
	}
}

func appendDescription(b []byte, p *program.Program) []byte {
	number := func(v int64) { b = binary.AppendUvarint(b, uint64(v)) }
	for _, loads := range [][]program.Load{p.OldLoads, p.NewLoads} {
		number(int64(len(loads)))
		for _, l := range loads {
			number(l.Offset)
			number(l.Address)
			number(l.Size)
			number(l.Memory - l.Size)
		}
	}
	number(int64(len(p.Bases)))
	for _, base := range p.Bases {
		number(base.Old)
		b = appendZigzag(b, base.New-base.Old)
	}
	number(int64(len(p.Regions)))
	end := int64(0)
	for _, r := range p.Regions {
		number(int64(r.Kind))
		number(r.Offset - end)
		number(r.Size)
		number(int64(r.Base))
		end = r.Offset + r.Size
	}
	number(int64(len(p.Tables)))
	end = 0
	for _, t := range p.Tables {
		number(t.Offset - end)
		number(t.Count)
		end = t.Offset + 4*t.Count
	}
	number(int64(len(p.Anchors)))
	last := int64(0)
	for _, a := range p.Anchors {
		number(a.Old - last)
		b = appendZigzag(b, a.New-a.Old)
		last = a.Old
	}
	number(int64(len(p.Moves)))
	last = 0
	for _, m := range p.Moves {
		number(m.Old - last)
		last = m.Old
	}
	for _, m := range p.Moves {
		b = appendZigzag(b, m.By)
	}
	return b
}
