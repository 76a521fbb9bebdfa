package delta

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"

	"github.com/sallyport-dev/sallyport/delta/mix"
)

// Literal text and bytes are mixed, not compressed, where they are few: what is new in a file is foretold
// well by what it replaces. That is slow, so that the others go into streams of their own (see budget).

// literalLimits say how many bytes a literal has at most that is mixed.
type literalLimits struct{ text, binary int64 }

// allMixed sets no limit but that of all.
var allMixed = literalLimits{maxSize, maxSize}

// fit tells whether n literal bytes of a stream are mixed where left may be.
func (l literalLimits) fit(id streamID, n, left int64) bool {
	switch id {
	case streamText:
		return n <= min(l.text, left)
	case streamBinary:
		return n <= min(l.binary, left)
	}
	return false
}

// literalStreams are the streams of literals.
var literalStreams = map[opKind]streamID{opHeaders: streamHeaders, opText: streamText, opBinary: streamBinary}

// around reads what the olds hold around a literal.
type around struct {
	m     *mix.Literals
	src   *source
	first int64 // bytes of the source that stays; behind it are those of nested operations
}

// begin begins a literal that replaces bytes at an address of src.
func (a *around) begin(id streamID, src *source, address int64) {
	if a.src != src {
		a.m.Source(wholeSource{src}, src.size, a.first)
		a.src = src
	}
	kind := mix.Binary
	if id == streamText {
		kind = mix.Text
	}
	a.m.Begin(kind, address)
}

// wholeSource reads the olds as one.
type wholeSource struct{ s *source }

func (w wholeSource) ReadAt(p []byte, at int64) (n int, err error) {
	for i, o := range w.s.olds {
		offset := at + int64(n) - w.s.starts[i]
		if offset < 0 || offset >= o.Size || n == len(p) {
			continue
		}
		b := p[n:][:min(int64(len(p)-n), o.Size-offset)]
		if err := readFull(o, b, offset); err != nil {
			return n, err
		}
		n += len(b)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// maxChosen bounds the literals that are coded in both ways, to take the shorter one.
const maxChosen = 64 << 10

// literalBuilder codes literals.
type literalBuilder struct {
	around
	literalLimits
	coder  *mix.Coder
	size   int64 // bytes that are mixed in all
	used   int64
	chosen [streamCount]bytes.Buffer // the same literals, while they are few
}

func newLiteralBuilder(src *source, limits literalLimits, size int64) *literalBuilder {
	b := &literalBuilder{literalLimits: limits, coder: mix.NewEncoder(), size: size}
	b.around = around{m: mix.NewLiterals(b.coder, size), first: src.size}
	return b
}

// mixable returns how many literal bytes of pieces are mixed where left may be.
func (l literalLimits) mixable(pieces []piece, left int64) (n int64) {
	add := func(id streamID, size int64) {
		if l.fit(id, size, left-n) {
			n += size
		}
	}
	for _, p := range pieces {
		switch {
		case p.program != nil:
			for _, s := range p.program.steps {
				if s.literal {
					add(streamBinary, s.size)
				}
			}
		case p.nested != nil:
			n += l.mixable(p.nested.pieces, left-n)
		case p.from < 0:
			add(literalStreams[p.literal], p.length)
		}
	}
	return n
}

// literals codes n plain bytes at an offset, which replace bytes at an address.
func (e *encoder) literals(id streamID, at, n, address int64) error {
	l := e.mixed
	if !l.fit(id, n, l.size-l.used) {
		_, err := io.Copy(e.streams[id], io.NewSectionReader(e.plain, at, n))
		return err
	}
	l.begin(id, e.src, address)
	l.used += n
	for n > 0 {
		b := make([]byte, min(n, mix.Chunk))
		if err := readAt(e.plain, b, at); err != nil {
			return err
		}
		if l.used <= maxChosen {
			l.chosen[id].Write(b)
		}
		l.m.Code(b)
		at, n = at+int64(len(b)), n-int64(len(b))
	}
	e.streams[streamLiterals].plain = int64(l.coder.Len()) // for costs
	return l.m.Err()
}

// finish ends the stream of mixed literals. Few literals go to the streams that they would be in
// otherwise where those are shorter; then there is nothing to return.
func (l *literalBuilder) finish(streams []*streamBuilder) (streamInfo, io.ReadSeeker, error) {
	coded := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(l.text)), uint64(l.binary))
	coded = append(coded, l.coder.Bytes()...)
	info := streamInfo{id: streamLiterals, codec: codecMix, plain: l.used, coded: int64(len(coded))}
	if l.used <= maxChosen {
		others := int64(0)
		for id := range l.chosen {
			s := *streams[id]
			s.buf, s.plain, s.budget = bytes.Buffer{}, 0, nil
			if _, err := s.Write(l.chosen[id].Bytes()); err != nil {
				return info, nil, err
			}
			other, _, err := s.finish()
			if err != nil {
				return info, nil, err
			}
			others += other.coded
		}
		if others <= info.coded {
			for id := range l.chosen {
				streams[id].Write(l.chosen[id].Bytes())
			}
			return streamInfo{}, nil, nil
		}
	}
	return info, bytes.NewReader(coded), nil
}

// mixedLiterals gives literals that are mixed.
type mixedLiterals struct {
	around
	literalLimits
	coder *mix.Coder
	left  int64
}

func newMixedLiterals(body io.Reader, plain int64) (*mixedLiterals, error) {
	if plain > mix.MaxLiterals {
		return nil, malformed("%d bytes of mixed literals, at most %d", plain, mix.MaxLiterals)
	}
	l := &mixedLiterals{left: plain}
	if plain > 0 {
		b := bufio.NewReader(body)
		for _, limit := range []*int64{&l.text, &l.binary} {
			v, err := readUvarint(b, maxSize)
			if err != nil {
				return nil, err
			}
			*limit = v
		}
		l.coder = mix.NewDecoder(b)
		l.m = mix.NewLiterals(l.coder, plain)
	}
	return l, nil
}

// read fills b with the next bytes.
func (l *mixedLiterals) read(b []byte) error {
	l.m.Code(b)
	if err := l.m.Err(); err != nil {
		return err
	}
	if err := l.coder.Err(); err != nil {
		return readError(err)
	}
	return nil
}

// end tells whether everything was used.
func (l *mixedLiterals) end() error {
	if l.left > 0 {
		return malformed("%d bytes of mixed literals that nothing uses", l.left)
	}
	if l.coder != nil && l.coder.End() != nil {
		return malformed("mixed literals: %v", l.coder.End())
	}
	return nil
}
