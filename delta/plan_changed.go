package delta

import (
	"bytes"
	"unicode/utf8"
)

// changed plans the content of a member that no old has.
func (p *planner) changed(m member, match int) error {
	for at := m.content; at < m.end; at += loadLimit {
		if err := p.window(m, at, min(loadLimit, m.end-at), match); err != nil {
			return err
		}
	}
	return nil
}

// window plans size bytes of content that begin at offset at.
func (p *planner) window(m member, at, size int64, match int) error {
	now := make([]byte, size)
	if err := readAt(p.plain, now, at); err != nil {
		return err
	}
	kind := opBinary
	if isText(now) {
		kind = opText
	}
	if match < 0 || p.c.members[match].size() == 0 {
		p.add(piece{length: size, from: literal, literal: kind})
		return nil
	}
	old := p.c.members[match]
	start := old.content
	if old.size() > loadLimit { // the stretch at the same place
		start += min(at-m.content, old.size()-loadLimit)
	}
	then := make([]byte, min(loadLimit, old.end-start))
	if err := p.c.src.read(then, p.c.address(old, start)); err != nil {
		return err
	}
	if size == m.size() && old.size() == int64(len(then)) && kind == opBinary {
		if piece, ok, err := programOf(now, then, programPasses(p.effort), &p.index); ok || err != nil {
			piece.from = p.c.address(old, start)
			p.add(piece)
			return err
		}
	}
	segments := diffContent(now, then, kind, &p.index)
	for _, s := range segments {
		next := piece{length: int64(s.length), from: literal, literal: kind}
		if s.from >= 0 {
			next.from = p.c.address(old, start) + int64(s.from)
		}
		p.add(next)
	}
	return nil
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
// generated text change everywhere.
func diffText(now, then []byte, x *index) []segment {
	m := matching{key: 8, depth: 32, least: 16}
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
