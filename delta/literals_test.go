package delta

import (
	"bytes"
	"testing"

	"github.com/sallyport-dev/sallyport/delta/mix"
)

// TestLiteralLimits mixes text and bytes up to sizes of their own, and gives them back.
func TestLiteralLimits(t *testing.T) {
	before := bytes.Repeat([]byte("some lines of text that stay as they are\n"), 50)
	src := newSource([]Old{old(before)})
	e := &encoder{plain: bytes.NewReader(before), src: src, mixed: newLiteralBuilder(src, literalLimits{text: 30, binary: 500}, 1000)}
	for id := range streamCount {
		e.streams = append(e.streams, &streamBuilder{id: id})
	}
	list := []struct {
		id    streamID
		n     int64
		mixed bool
	}{{streamText, 30, true}, {streamText, 31, false}, {streamBinary, 500, true}, {streamBinary, 501, false}, {streamHeaders, 20, false}, {streamBinary, 471, false}, {streamBinary, 470, true}}
	others := map[streamID]int64{}
	for _, x := range list {
		if err := e.literals(x.id, 7, x.n, 7); err != nil {
			t.Fatal(err)
		}
		if !x.mixed {
			others[x.id] += x.n
		}
	}
	for id, s := range e.streams {
		if id := streamID(id); id != streamLiterals && s.plain != others[id] {
			t.Errorf("%d bytes in stream %d, want %d", s.plain, id, others[id])
		}
	}
	info, body, err := e.mixed.finish(e.streams)
	if err != nil || body == nil {
		t.Fatal(err)
	}
	l, err := newMixedLiterals(body, info.plain)
	if err != nil {
		t.Fatal(err)
	}
	l.first = src.size
	for _, x := range list {
		if fit := l.fit(x.id, x.n, l.left); fit != x.mixed {
			t.Errorf("%d bytes of stream %d: mixed: %v", x.n, x.id, fit)
		}
		if !x.mixed {
			continue
		}
		l.left -= x.n
		l.begin(x.id, src, 7)
		b := make([]byte, x.n)
		if err := l.read(b); err != nil || !bytes.Equal(b, before[7:][:x.n]) {
			t.Errorf("%d bytes of stream %d come back as %q (%v)", x.n, x.id, b, err)
		}
	}
	if err := l.end(); err != nil {
		t.Error(err)
	}
	if _, err := newMixedLiterals(bytes.NewReader([]byte{30}), mix.Chunk); reason(err) != "truncated" {
		t.Errorf("without limits: %v", err)
	}
}
