package delta

import (
	"encoding/binary"
	"io"

	"github.com/sallyport-dev/sallyport/delta/program"
)

// Steps of programs and what they change are plain numbers in other streams where they are so many that
// decoding them with the old program at hand takes a site too long.

// The kinds of plain steps. A number in the ops stream is a size times plainKinds plus the kind.
const (
	plainLiteral = iota
	plainCopy    // projected
	plainAdd     // projected, and some bytes changed
	plainKinds   = 4
)

// plainSteps writes a program's steps and changes. p has the old file.
func (e *encoder) plainSteps(pp *programPiece, p *program.Program, now []byte) error {
	p.Spans = spansOf(pp.steps)
	if err := p.Prepare(); err != nil {
		return err
	}
	copies := p.Copies(p.Spans)
	defer copies.Close()
	next := int64(0)
	for _, s := range pp.steps {
		kind := plainLiteral
		if s.literal {
			s.old = next
		} else {
			f := e.newFixes()
			for left := s.size; left > 0; {
				t, err := copies.Next()
				if err != nil {
					return err
				}
				f.compare(t.Bytes, now[t.New:][:len(t.Bytes)])
				left -= int64(len(t.Bytes))
			}
			if kind = plainCopy; f.end() {
				kind = plainAdd
			}
			e.streams[streamSources].Write(appendZigzag(nil, s.old-next))
		}
		e.streams[streamOps].Write(binary.AppendUvarint(nil, uint64(s.size)*plainKinds+uint64(kind)))
		next = s.old + s.size
	}
	return nil
}

func spansOf(steps []step) (spans []program.Span) {
	for _, s := range steps {
		if !s.literal {
			spans = append(spans, program.Span{Old: s.old, New: s.new, Size: s.size})
		}
	}
	return spans
}

// plainSteps reads the count steps of a program of n bytes and gives it their spans. Each is found once it is known.
func (d *programReader) plainSteps(sources io.ByteReader, p *program.Program, count, n int64, found func(*step)) ([]step, error) {
	var list []step
	at, next := int64(0), int64(0)
	for range count {
		v := d.number(maxProgram * plainKinds)
		kind := v % plainKinds
		s := step{literal: kind == plainLiteral, changes: kind == plainAdd, size: v / plainKinds, old: next, new: at}
		if !s.literal {
			s.old += unzigzag(d.from(sources, 2*maxProgram))
		}
		if d.err != nil {
			return nil, d.err
		}
		if s.size == 0 || s.size > n-at || kind > plainAdd || s.old < 0 || !s.literal && s.old > p.Size-s.size {
			return nil, malformed("program's step of %d bytes at %d", s.size, s.old)
		}
		found(&s)
		list = append(list, s)
		at, next = at+s.size, s.old+s.size
	}
	if at < n {
		return nil, malformed("program's steps make %d bytes of %d", at, n)
	}
	p.Spans = spansOf(list)
	return list, nil
}

// plainFix returns what corrects a plain step's bytes.
func (r *restorer) plainFix(s step) (func(*program.Part) error, error) {
	f := &fixer{s: r.s, left: s.size, gap: s.size}
	var err error
	if s.changes {
		f, err = newFixer(r.s, s.size, nil)
	}
	return func(t *program.Part) error { return f.fix(t.Bytes) }, err
}
