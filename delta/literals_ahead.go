package delta

import (
	"io"

	"github.com/sallyport-dev/sallyport/delta/mix"
)

// literalsAhead decodes the mixed literals of a program's operation beside the copies between them: which
// there are is known from the steps, and what they need of the olds, too.
type literalsAhead struct {
	r       io.Reader // nil: there are none
	mixed   *mixedLiterals
	src     *source
	address int64  // of the program
	steps   []step // that are not decoded yet
	left    int64  // bytes of the literal in hand that are not
	buf     []byte
	decoded []byte // of buf, not given yet
}

// literalsAhead begins to decode the literals among the steps of a program at an address, and marks
// them. It has them to itself until the end.
func (r *restorer) literalsAhead(steps []step, address int64) *literalsAhead {
	l := &literalsAhead{mixed: r.s.literals, src: r.src, address: address, steps: steps}
	size, longest := int64(0), int64(0)
	for i := range steps {
		s := &steps[i]
		if s.literal && l.mixed.fit(streamBinary, s.size, l.mixed.left) {
			s.mixed = true
			l.mixed.left -= s.size
			size += s.size
			longest = max(longest, s.size)
		}
	}
	if size > 0 {
		l.buf = make([]byte, min(longest, mix.Chunk))
		l.r = readAhead(l, size, r.s.stop, &r.s.running)
	}
	return l
}

// Read decodes the next literal, or a chunk of it.
func (l *literalsAhead) Read(p []byte) (int, error) {
	if len(l.decoded) == 0 {
		for l.left == 0 {
			if len(l.steps) == 0 {
				return 0, io.EOF
			}
			s := l.steps[0]
			if l.steps = l.steps[1:]; s.mixed {
				l.left = s.size
				l.mixed.begin(streamBinary, l.src, l.address+s.old)
			}
		}
		l.decoded = l.buf[:min(l.left, mix.Chunk)]
		if err := l.mixed.read(l.decoded); err != nil {
			return 0, err
		}
		l.left -= int64(len(l.decoded))
	}
	n := copy(p, l.decoded)
	l.decoded = l.decoded[n:]
	return n, nil
}

// next fills b with the next bytes.
func (l *literalsAhead) next(b []byte) error {
	_, err := io.ReadFull(l.r, b)
	return err
}

// end waits until nothing is decoded any more.
func (l *literalsAhead) end() error {
	if l.r == nil {
		return nil
	}
	if _, err := l.r.Read(make([]byte, 1)); err != io.EOF {
		return err
	}
	return nil
}
