package delta

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

// TestPipelineLater gives a pipeline bytes and promises of bytes, in pieces of all sizes.
func TestPipelineLater(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 1))
	want := make([]byte, 3<<20)
	for i := range want {
		want[i] = byte(r.Uint32())
	}
	var out, later bytes.Buffer
	released := make(chan struct{})
	p := newPipeline(&out, func() error { <-released; return nil })
	fill := func(b []byte) error {
		if n, _ := later.Read(b); n < len(b) {
			t.Errorf("%d bytes of %d", n, len(b))
		}
		return nil
	}
	var parts [][]byte
	for rest := want; len(rest) > 0; {
		n := min(len(rest), r.IntN(1<<uint(r.IntN(19)))+1)
		parts, rest = append(parts, rest[:n]), rest[n:]
	}
	for i, b := range parts {
		if i%2 > 0 {
			later.Write(b)
		}
	}
	close(released)
	for i, b := range parts {
		var err error
		if i%2 > 0 {
			err = p.Later(int64(len(b)), fill)
		} else {
			_, err = p.Write(b)
		}
		if err == nil && i == len(parts)/2 {
			err = p.drain()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := p.close(); err != nil || !bytes.Equal(out.Bytes(), want) {
		t.Errorf("%d bytes of %d come out, or others: %v", out.Len(), len(want), err)
	}
}

// TestPipelineHoles keeps few promises in a piece, however small they are.
func TestPipelineHoles(t *testing.T) {
	var out bytes.Buffer
	p := newPipeline(&out, nil)
	most := 0
	for range 10 * pieceHoles {
		if err := p.Later(1, func(b []byte) error { b[0] = 7; return nil }); err != nil {
			t.Fatal(err)
		}
		most = max(most, len(p.now.holes))
	}
	if err := p.close(); err != nil || out.Len() != 10*pieceHoles || bytes.Count(out.Bytes(), []byte{7}) != out.Len() || most >= pieceHoles {
		t.Errorf("%d bytes come out, of at most %d promises at a time: %v", out.Len(), most, err)
	}
}

// TestPipelineFails writes nothing before it is right, and nothing behind bytes that do not come.
func TestPipelineFails(t *testing.T) {
	wrong := errors.New("wrong")
	var out bytes.Buffer
	p := newPipeline(&out, func() error { return wrong })
	_, err := p.Write(make([]byte, 2*pipelinePieces*pipelinePiece))
	if !errors.Is(err, wrong) || !errors.Is(p.close(), wrong) || out.Len() > 0 {
		t.Errorf("%d bytes come out where none should: %v", out.Len(), err)
	}
	p = newPipeline(&out, nil)
	for range 3 {
		_, err = p.Write(make([]byte, pipelinePiece))
	}
	err = errors.Join(err, p.Later(10, func([]byte) error { return wrong }))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.drain(); !errors.Is(err, wrong) {
		t.Errorf("drain: %v", err)
	}
	if _, err := p.Write(make([]byte, pipelinePiece)); !errors.Is(err, wrong) {
		t.Errorf("write: %v", err)
	}
	if err := p.close(); !errors.Is(err, wrong) || out.Len() != 3*pipelinePiece {
		t.Errorf("%d bytes come out: %v", out.Len(), err)
	}
}
