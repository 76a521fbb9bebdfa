package delta

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/sallyport-dev/sallyport/delta/correct"
	"github.com/sallyport-dev/sallyport/delta/mix"
	"github.com/sallyport-dev/sallyport/delta/program"
)

// Steps of programs and what those change share a stream, which is coded with the old programs at hand.
// It counts steps where others count plain bytes.

// maxSteps bounds the steps of all programs of a patch.
const maxSteps = 1 << 23

// correctionBuilder codes them.
type correctionBuilder struct {
	coder *mix.Coder
	codec *correct.Codec
	steps int64
}

// stepsOf counts the steps of the programs among pieces.
func stepsOf(pieces []piece) (n int64) {
	for _, p := range pieces {
		switch {
		case p.program != nil && !p.program.plain:
			n += int64(len(p.program.steps))
		case p.nested != nil:
			n += stepsOf(p.nested.pieces)
		}
	}
	return n
}

func newCorrectionBuilder(steps int64) *correctionBuilder {
	b := &correctionBuilder{coder: mix.NewEncoder(), steps: steps}
	if steps > 0 {
		b.codec = correct.New(b.coder, steps, true)
	}
	return b
}

// finish ends the stream; there is nothing to return without programs.
func (b *correctionBuilder) finish() (streamInfo, io.ReadSeeker) {
	if b.steps == 0 {
		return streamInfo{}, nil
	}
	coded := b.coder.Bytes()
	return streamInfo{id: streamPrograms, codec: codecMix, plain: b.steps, coded: int64(len(coded))}, bytes.NewReader(coded)
}

// code codes a program's steps and changes. p has the old file.
func (b *correctionBuilder) code(pp *programPiece, p *program.Program, now []byte) error {
	if err := b.codec.Begin(p, len(pp.steps)); err != nil {
		return err
	}
	for i := range pp.steps {
		s := &pp.steps[i]
		b.codec.Step(&correct.Step{Literal: s.literal, Size: s.size, Old: s.old})
		if !s.literal {
			p.Spans = append(p.Spans, program.Span{Old: s.old, New: s.new, Size: s.size})
		}
	}
	if err := p.Prepare(); err != nil {
		return err
	}
	b.codec.Changes(now, pp.blocks(len(now)))
	copies := p.Copies(p.Spans)
	defer copies.Close()
	for _, s := range p.Spans {
		b.codec.Copy(s)
		for left := s.Size; left > 0; {
			t, err := copies.Next()
			if err != nil {
				return err
			}
			b.codec.Correct(t)
			left -= int64(len(t.Bytes))
		}
	}
	return b.codec.Err()
}

// blocks tells in which blocks of the new file something changes.
func (pp *programPiece) blocks(size int) []uint64 {
	bits := make([]uint64, (size>>correct.BlockBits)/64+1)
	for _, at := range pp.changed {
		n := at >> correct.BlockBits
		bits[n/64] |= 1 << (n % 64)
	}
	return bits
}

// corrections gives steps and changes.
type corrections struct {
	coder *mix.Coder
	codec *correct.Codec
	left  int64 // steps
}

func newCorrections(body io.Reader, steps int64) (*corrections, error) {
	if steps > maxSteps {
		return nil, malformed("%d steps of programs, at most %d", steps, maxSteps)
	}
	c := &corrections{left: steps}
	if steps > 0 {
		c.coder = mix.NewDecoder(bufio.NewReader(body))
		c.codec = correct.New(c.coder, steps, false)
	}
	return c, nil
}

// err returns the first error of the stream.
func (c *corrections) err() error {
	err := c.codec.Err()
	if errors.Is(err, correct.ErrInvalid) {
		return malformed("%v", err)
	}
	if err != nil {
		return readError(err)
	}
	return nil
}

// end tells whether everything was used.
func (c *corrections) end() error {
	if c.left > 0 {
		return malformed("%d steps of programs that nothing uses", c.left)
	}
	if c.coder != nil && c.coder.End() != nil {
		return malformed("steps of programs: %v", c.coder.End())
	}
	return nil
}
