package delta

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
)

// encoder writes pieces as operations.
type encoder struct {
	ctx      context.Context
	plain    io.ReaderAt
	all      *source // what pieces' addresses mean
	used     []int64 // where each old begins for operations
	src      *source // what operations' addresses mean
	mixed    *literalBuilder
	programs *correctionBuilder
	scratch  int64  // bytes of files that one operation needs at most
	dir      string // for such files
	streams  []*streamBuilder
	at       int64 // in plain
	next     int64 // where operations expect the next copy
	run      run
	now, old []byte
	costs    *costs
}

// run is a copy in the making: pieces that go on where the one before ended.
type run struct {
	at, from, length int64
	restamp          bool
	rule             stampRule
}

func (e *encoder) pieces(list []piece) error {
	for _, p := range list {
		joined, err := e.join(p)
		if err != nil {
			return err
		}
		if !joined {
			if err := e.flush(); err != nil {
				return err
			}
			switch {
			case p.program != nil:
				err = e.program(p)
			case p.nested != nil:
				err = e.nested(p)
			case p.from < 0:
				err = e.literal(p)
			default:
				e.run = run{at: e.at, from: p.from, length: p.length, restamp: p.restamp, rule: p.rule}
			}
		}
		if err != nil {
			return err
		}
		e.costs.piece(e.at, p, e.streams)
		e.at += p.length
	}
	return e.flush()
}

// join makes p part of the run, if it goes on where the run ends.
func (e *encoder) join(p piece) (bool, error) {
	r := &e.run
	if r.length == 0 || p.program != nil || p.nested != nil || p.from != r.from+r.length || e.oldOf(p.from) != e.oldOf(r.from) {
		return false, nil
	}
	switch {
	case !r.restamp && p.restamp:
		return false, nil
	case r.restamp && p.restamp && p.rule != r.rule:
		return false, nil
	case r.restamp && !p.restamp:
		fits, err := e.survives(p)
		if !fits || err != nil {
			return false, err
		}
	}
	r.length += p.length
	return true, nil
}

func (e *encoder) oldOf(address int64) int {
	n := len(e.all.starts) - 1
	for e.all.starts[n] > address {
		n--
	}
	return n
}

// survives tells whether p comes out right as part of a run that is restamped.
func (e *encoder) survives(p piece) (bool, error) {
	if p.header {
		if err := e.load(p.from, e.at, p.length); err != nil {
			return false, err
		}
		return bytes.Equal(restamped(e.run.rule, e.old), e.now), nil
	}
	if p.whole {
		return true, nil
	}
	return false, nil
}

func (e *encoder) load(from, at, n int64) error {
	if int64(cap(e.now)) < n {
		e.now, e.old = make([]byte, n), make([]byte, n)
	}
	e.now, e.old = e.now[:n], e.old[:n]
	if err := readAt(e.plain, e.now, at); err != nil {
		return err
	}
	return e.all.read(e.old, from)
}

func (e *encoder) op(kind opKind, n int64) {
	if kind < opKindSpan {
		e.streams[streamOps].Write(binary.AppendUvarint(nil, uint64(n)*opKindSpan+uint64(kind)))
		return
	}
	b := binary.AppendUvarint(nil, uint64(kind-opKindSpan))
	e.streams[streamOps].Write(binary.AppendUvarint(b, uint64(n)))
}

func (e *encoder) literal(p piece) error {
	e.op(p.literal, p.length)
	return e.literals(literalStreams[p.literal], e.at, p.length, e.next)
}

// flush writes the run as an operation.
func (e *encoder) flush() error {
	r := e.run
	if r.length == 0 {
		return nil
	}
	e.run = run{}
	if r.restamp {
		e.op(opRestamp, r.length)
		e.streams[streamOps].Write(r.rule.append(nil))
	} else {
		changed, err := e.changes(r)
		if err != nil {
			return err
		}
		if changed {
			e.op(opAdd, r.length)
		} else {
			e.op(opCopy, r.length)
		}
	}
	old := e.oldOf(r.from)
	address := e.used[old] + r.from - e.all.starts[old]
	e.streams[streamSources].Write(appendZigzag(nil, address-e.next))
	e.next = address + r.length
	e.costs.charge(r.at, e.streams)
	return nil
}

// changes writes where a run's bytes differ from the old ones, and tells whether any do.
func (e *encoder) changes(r run) (bool, error) {
	f := e.newFixes()
	for done := int64(0); done < r.length; {
		n := min(r.length-done, 256<<10)
		if err := e.load(r.from+done, r.at+done, n); err != nil {
			return false, err
		}
		f.compare(e.old, e.now)
		done += n
	}
	return f.end(), nil
}

// fixes writes what a fixer reads. Buffers do not fail, and streams tell their errors at the end.
type fixes struct {
	gaps, values io.Writer
	gap          int64
	any          bool
}

func (e *encoder) newFixes() *fixes {
	return &fixes{gaps: e.streams[streamGaps], values: e.streams[streamValues]}
}

// compare takes the next bytes of a copy as they would be and as they are to be.
func (f *fixes) compare(old, now []byte) {
	for i := 0; i < len(now); i++ {
		same := matchLength(now[i:], old[i:], len(now))
		i += same
		f.gap += int64(same)
		if i == len(now) {
			break
		}
		_, _ = f.gaps.Write(binary.AppendUvarint(nil, uint64(f.gap)))
		_, _ = f.values.Write([]byte{now[i] - old[i]})
		f.any, f.gap = true, 0
	}
}

// end ends the copy and tells whether any byte changed.
func (f *fixes) end() bool {
	if f.any && f.gap > 0 {
		_, _ = f.gaps.Write(binary.AppendUvarint(nil, uint64(f.gap)))
	}
	return f.any
}
