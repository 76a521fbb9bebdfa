package delta

import (
	"errors"
	"io"

	"github.com/sallyport-dev/sallyport/delta/program"
)

// step is a part of a program's operation: a copy of old bytes, projected, or literal bytes.
type step struct {
	kind     stepKind
	size     int64
	old, new int64 // where it begins in the files
}

type stepKind byte

// The kinds of steps. A number in the ops stream is a size times stepKindSpan plus the kind.
const (
	stepLiteral  stepKind = iota
	stepCopy              // projected
	stepAdd               // projected, and some bytes changed
	stepKindSpan = 4
)

// program makes n bytes out of an old file that begins at an address, references projected.
func (r *restorer) program(n int64) error {
	d := &programReader{ops: r.s.readers[streamOps]}
	size := d.number(maxProgram)
	address := r.next + unzigzag(d.from(r.s.readers[streamSources], 2*maxSize))
	if d.err != nil {
		return d.err
	}
	if address < 0 || address > r.src.size-size || n > maxProgram || size/maxInflation > n {
		return malformed("program of %d bytes at %d, of %d", size, address, r.src.size)
	}
	p := d.description()
	p.Old, p.Size = &sourceReader{r.src, address}, size
	steps := d.steps(r.s.readers[streamSources], n, size)
	if d.err != nil {
		return d.err
	}
	for _, s := range steps {
		if s.kind != stepLiteral {
			p.Spans = append(p.Spans, program.Span{Old: s.old, New: s.new, Size: s.size})
		}
	}
	if err := p.Prepare(); errors.Is(err, program.ErrInvalid) {
		return malformed("%v", err)
	} else if err != nil {
		return err
	}
	for _, s := range steps {
		if err := r.step(p, s, address); err != nil {
			return err
		}
	}
	r.next = address + size
	return nil
}

// step makes a step's bytes out of the old file at an address.
func (r *restorer) step(p *program.Program, s step, address int64) error {
	if s.kind == stepLiteral {
		return r.literal(streamBinary, s.size, address+s.old)
	}
	f, err := r.newFixer(s)
	if err != nil {
		return err
	}
	address += s.old
	return p.Copy(s.old, s.new, s.size, func(b []byte) error {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		if err := f.fix(b); err != nil {
			return err
		}
		if err := r.unchanged(b, address); err != nil {
			return err
		}
		address += int64(len(b))
		_, err := r.w.Write(b)
		return err
	})
}

func (r *restorer) newFixer(s step) (*fixer, error) {
	if s.kind == stepCopy {
		return &fixer{s: r.s, left: s.size, gap: s.size}, nil
	}
	return newFixer(r.s, s.size, nil)
}

// maxProgram bounds a program's bytes, old and new.
const maxProgram = 1 << 31

// programReader takes a program's numbers from the ops stream until the first fault.
type programReader struct {
	ops io.ByteReader
	err error
}

func (d *programReader) from(r io.ByteReader, limit uint64) int64 {
	if d.err != nil {
		return 0
	}
	v, err := readUvarint(r, limit)
	d.err = err
	return v
}

func (d *programReader) number(limit uint64) int64 { return d.from(d.ops, limit) }

const maxAddress = 1 << 62

func (d *programReader) description() *program.Program {
	p := &program.Program{}
	p.OldLoads, p.NewLoads = d.loads(), d.loads()
	for range d.number(program.MaxBases) {
		old := d.number(maxAddress)
		p.Bases = append(p.Bases, program.Base{Old: old, New: old + unzigzag(d.number(maxAddress))})
	}
	end := int64(0)
	for range d.number(program.MaxRegions) {
		r := program.Region{Kind: program.Kind(d.number(255)), Offset: end + d.number(maxProgram), Size: d.number(maxProgram), Base: int(d.number(program.MaxBases))}
		end = r.Offset + r.Size
		p.Regions = append(p.Regions, r)
	}
	end = 0
	for range d.number(program.MaxTables) {
		t := program.Table{Offset: end + d.number(maxProgram), Count: d.number(program.MaxTableEntries)}
		end = t.Offset + 4*t.Count
		if p.Tables = append(p.Tables, t); d.err != nil || end > maxProgram {
			break
		}
	}
	last := int64(0)
	for range d.number(program.MaxAnchors) {
		last += d.number(maxAddress)
		p.Anchors = append(p.Anchors, program.Anchor{Old: last, New: last + unzigzag(d.number(maxAddress))})
		if last > maxAddress || d.err != nil {
			break
		}
	}
	d.moves(p)
	return p
}

func (d *programReader) moves(p *program.Program) {
	last := int64(0)
	for range d.number(program.MaxMoves) {
		last += d.number(maxAddress)
		p.Moves = append(p.Moves, program.Move{Old: last})
		if last > maxAddress || d.err != nil {
			return
		}
	}
	for i := range p.Moves {
		p.Moves[i].By = unzigzag(d.number(maxAddress))
	}
}

func (d *programReader) loads() []program.Load {
	var list []program.Load
	for range d.number(program.MaxLoads) {
		l := program.Load{Offset: d.number(maxProgram), Address: d.number(maxAddress), Size: d.number(maxProgram)}
		l.Memory = l.Size + d.number(maxAddress)
		list = append(list, l)
	}
	return list
}

// steps reads the steps that make n bytes out of size old ones.
func (d *programReader) steps(sources io.ByteReader, n, size int64) []step {
	var list []step
	next := int64(0)
	for at := int64(0); at < n && d.err == nil; {
		v := d.number(maxProgram * stepKindSpan)
		s := step{kind: stepKind(v % stepKindSpan), size: v / stepKindSpan, old: next, new: at}
		if s.kind != stepLiteral {
			s.old = next + unzigzag(d.from(sources, 2*maxProgram))
		}
		next = s.old + s.size // literal bytes replace as many, as a rule
		if d.err != nil {
			break
		}
		if s.size == 0 || s.size > n-at || s.kind > stepAdd || s.old < 0 || s.old > size-s.size && s.kind != stepLiteral || len(list) >= program.MaxSpans {
			d.err = malformed("program's step of %d bytes at %d", s.size, s.old)
		}
		at += s.size
		list = append(list, s)
	}
	return list
}

// sourceReader reads a file of the source.
type sourceReader struct {
	src   *source
	start int64
}

func (s *sourceReader) ReadAt(p []byte, at int64) (int, error) {
	if err := s.src.read(p, s.start+at); err != nil {
		return 0, err
	}
	return len(p), nil
}
