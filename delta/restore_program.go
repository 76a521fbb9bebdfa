package delta

import (
	"errors"
	"io"

	"github.com/sallyport-dev/sallyport/delta/correct"
	"github.com/sallyport-dev/sallyport/delta/program"
)

// step is a part of a program's operation: a copy of old bytes, projected and corrected, or literal bytes.
type step struct {
	literal  bool
	mixed    bool // and read ahead
	changes  bool // of a plain step: some bytes are corrected
	size     int64
	old, new int64 // where it begins in the files
}

// program makes n bytes out of an old file that begins at an address, references projected.
func (r *restorer) program(n int64) error {
	d := &programReader{ops: r.s.readers[streamOps]}
	size := d.number(maxProgram)
	address := r.next + unzigzag(d.from(r.s.readers[streamSources], 2*maxSize))
	if d.err != nil {
		return d.err
	}
	if address < 0 || address > r.src.size-size || n < leastProgram || n > maxProgram || size/maxInflation > n {
		return malformed("program of %d bytes at %d, of %d", size, address, r.src.size)
	}
	p := d.description()
	p.Old, p.Size = &sourceReader{r.src, address}, size
	count := d.number(2*program.MaxSteps + 1)
	if d.err != nil {
		return d.err
	}
	count, plain := count/2, count%2 == 1
	found := func(s *step) {
		s.mixed = s.literal && r.literals.add(streamBinary, s.size, r.src, address+s.old)
	}
	var steps []step
	var err error
	if plain {
		steps, err = d.plainSteps(r.s.readers[streamSources], p, count, n, found)
	} else {
		steps, err = r.s.programs.steps(p, count, n, found)
	}
	if err != nil {
		return err
	}
	if err := p.Prepare(); errors.Is(err, program.ErrInvalid) {
		return malformed("%v", err)
	} else if err != nil {
		return err
	}
	x := &projection{r: r, copies: p.Copies(p.Spans), address: address, correct: r.plainFix}
	defer x.copies.Close()
	if !plain {
		x.correct = r.corrected
	}
	for _, s := range steps {
		if err := x.step(s); err != nil {
			return err
		}
	}
	r.next = address + size
	return nil
}

// corrected tells what a step's copy is, and returns what corrects it.
func (r *restorer) corrected(s step) (func(*program.Part) error, error) {
	codec := r.s.programs.codec
	codec.Copy(program.Span{Old: s.old, New: s.new, Size: s.size})
	return func(t *program.Part) error {
		codec.Correct(t)
		return r.s.programs.err()
	}, nil
}

// projection makes the bytes of a program's steps.
type projection struct {
	r       *restorer
	copies  *program.Copies
	address int64                                         // of the old file
	correct func(step) (func(*program.Part) error, error) // returns what corrects a step's parts
}

func (x *projection) step(s step) error {
	if s.mixed {
		return x.r.mixed(s.size)
	}
	if s.literal {
		return x.r.literal(streamBinary, s.size, x.address+s.old)
	}
	fix, err := x.correct(s)
	if err != nil {
		return err
	}
	for left := s.size; left > 0; {
		t, err := x.copies.Next()
		if err != nil {
			return err
		}
		if err := x.r.ctx.Err(); err != nil {
			return err
		}
		if err := fix(t); err != nil {
			return err
		}
		if err := x.r.unchanged(t, x.address); err != nil {
			return err
		}
		if _, err := x.r.w.Write(t.Bytes); err != nil {
			return err
		}
		left -= int64(len(t.Bytes))
	}
	return nil
}

// Bounds of a program's bytes: maxProgram of the old one and the new one, leastProgram of the new one, as each takes
// a while to begin with.
const (
	maxProgram   = 1 << 31
	leastProgram = 4 << 10
)

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

// steps reads the steps of a program of n bytes and gives it their spans. Each is found once it is known.
func (c *corrections) steps(p *program.Program, count, n int64, found func(*step)) ([]step, error) {
	if count > c.left || count == 0 {
		return nil, malformed("program of %d steps", count)
	}
	c.left -= count
	if err := c.codec.Begin(p, int(count)); err != nil {
		return nil, err
	}
	var list []step
	at, next := int64(0), int64(0)
	for range count {
		var s correct.Step
		c.codec.Step(&s)
		if err := c.err(); err != nil {
			return nil, err
		}
		if s.Size > n-at || !s.Literal && s.Old > p.Size-s.Size {
			return nil, malformed("program's step of %d bytes at %d", s.Size, s.Old)
		}
		if s.Literal {
			s.Old = next // literal bytes replace as many, as a rule
		} else {
			p.Spans = append(p.Spans, program.Span{Old: s.Old, New: at, Size: s.Size})
		}
		list = append(list, step{literal: s.Literal, size: s.Size, old: s.Old, new: at})
		found(&list[len(list)-1])
		at, next = at+s.Size, s.Old+s.Size
	}
	if at < n {
		return nil, malformed("program's steps make %d bytes of %d", at, n)
	}
	c.codec.Changes(nil, nil)
	return list, nil
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
