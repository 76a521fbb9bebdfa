package delta

import (
	"bytes"
	"unicode/utf8"
)

// changed plans the content of a member that no old has.
func (w *worker) changed(m member, match int) (list []piece, err error) {
	if l := w.listings[m.content]; l != nil {
		return w.listed(l), nil
	}
	limit := int64(loadLimit)
	if m.size() > limit {
		limit = windowSize
	}
	for at := m.content; at < m.end; at += limit {
		part, err := w.window(m, at, min(limit, m.end-at), match)
		if err != nil {
			return nil, err
		}
		list = append(list, part...)
	}
	return list, nil
}

// window plans size bytes of content that begin at offset at.
func (w *worker) window(m member, at, size int64, match int) ([]piece, error) {
	now := make([]byte, size)
	if err := readAt(w.plain, now, at); err != nil {
		return nil, err
	}
	then, err := w.neighbours(now, at-m.content, match, size == m.size())
	if err != nil {
		return nil, err
	}
	if size == m.size() && !w.bytes {
		if p, ok, err := w.nested(now, then); ok || err != nil {
			return []piece{p}, err
		}
	}
	kind := opBinary
	if isText(now) {
		kind = opText
	}
	return w.pieces(now, then, kind, size == m.size())
}

// pieces plans a content, or a window of one, out of its neighbours.
func (w *worker) pieces(now []byte, then *neighbours, kind opKind, whole bool) ([]piece, error) {
	if len(then.bytes) == 0 {
		return []piece{{length: int64(len(now)), from: literal, literal: kind}}, nil
	}
	if kind == opBinary && whole && !w.bytes {
		if p, ok, err := w.program(now, then, func() {}); ok || err != nil {
			return []piece{p}, err
		}
	}
	return then.pieces(diffContent(now, then.bytes, kind, &w.index), kind), nil
}

// program plans a program. exact is called once the files' headers need no longer be what a reader of
// programs expects, and leaves both as they really are.
func (w *worker) program(now []byte, then *neighbours, exact func()) (piece, bool, error) {
	if len(then.parts) != 1 || !then.parts[0].whole || len(then.bytes)/maxInflation > len(now) {
		return piece{}, false, nil
	}
	p, ok, err := programOf(now, then.bytes, programPasses(w.effort), &w.index)
	if exact(); !ok || err != nil {
		return piece{}, false, err
	}
	p.from = then.parts[0].address
	return p, true, p.program.correct(now)
}

func diffContent(now, then []byte, kind opKind, x *index) []segment {
	if kind == opText {
		return diffText(now, then, x)
	}
	m := matching{key: 12, depth: 24, least: 16}
	if len(then) < 1<<20 {
		m.key, m.least = 8, 12
	}
	x.build(then, m.key)
	return diffInexact(then, now, m, x)
}

// diffText takes the cheaper of two ways: most text changes in whole words or lines, but numbers in
// generated text change everywhere. A copy costs three to six bytes with what leads to it, for which
// the text's codec makes thirty that occur elsewhere, too.
func diffText(now, then []byte, x *index) []segment {
	m := matching{key: 8, depth: 32, least: 32}
	x.build(then, m.key)
	exact, inexact := diffExact(then, now, m, x), diffInexact(then, now, m, x)
	if guessCost(now, then, inexact) < guessCost(now, then, exact) {
		return inexact
	}
	return exact
}

// guessCost guesses a patch's bits.
func guessCost(now, then []byte, segments []segment) int {
	cost, at := 0, 0
	for _, s := range segments {
		if s.from < 0 {
			cost += 2 * s.length
		} else {
			cost += 32
			for i, c := range now[at : at+s.length] {
				if then[s.from+i] != c {
					cost += 9
				}
			}
		}
		at += s.length
	}
	return cost
}

// isText tells text from other contents by its beginning.
func isText(b []byte) bool {
	b = b[:min(len(b), 4096)]
	if bytes.IndexByte(b, 0) >= 0 {
		return false
	}
	for tail := 0; tail < utf8.UTFMax && tail < len(b); tail++ {
		if utf8.Valid(b[:len(b)-tail]) {
			return true
		}
	}
	return false
}
