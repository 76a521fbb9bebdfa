package delta

import (
	"bytes"
	"testing"
)

// TestPlainSteps makes and applies a patch whose program is beyond the budget.
func TestPlainSteps(t *testing.T) {
	before := builtProgram(t, "")
	after := builtProgram(t, "\tfor _, a := range os.Args[1:] {\n\t\tprintln(len(a), a)\n\t}\n")
	p, ok, err := programOf(after, before, quickPasses, &index{})
	if !ok || err != nil {
		t.Fatalf("no program: %v", err)
	}
	if err := p.program.correct(after); err != nil {
		t.Fatal(err)
	}
	budget{steps: p.program.decisions()}.programs([]piece{p})
	if p.program.plain {
		t.Error("a program within the budget has plain steps")
	}
	budget{steps: p.program.decisions() - 1}.programs([]piece{p})
	src := newSource([]Old{old(before)})
	e := &encoder{ctx: t.Context(), plain: bytes.NewReader(after), all: src, src: src, used: []int64{0}, mixed: newLiteralBuilder(src, allMixed, 0), programs: newCorrectionBuilder(0)}
	for id := range streamCount {
		e.streams = append(e.streams, &streamBuilder{id: id})
	}
	if err := e.pieces([]piece{p}); err != nil {
		t.Fatal(err)
	}
	got := restored(t, e.streams, src, int64(len(after)))
	if !bytes.Equal(got, after) {
		t.Error("the program came out wrong")
	}
}

// restored makes plain bytes out of streams.
func restored(t *testing.T, builders []*streamBuilder, src *source, size int64) []byte {
	t.Helper()
	var infos []streamInfo
	var bodies bytes.Buffer
	for _, s := range builders {
		info, body, err := s.finish()
		if err != nil {
			t.Fatal(err)
		}
		if s.plain == 0 {
			continue
		}
		infos = append(infos, info)
		if _, err := bodies.ReadFrom(body); err != nil {
			t.Fatal(err)
		}
	}
	s, err := openStreams(&bodies, infos, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	var out bytes.Buffer
	if err := restore(t.Context(), &out, nil, s, src, size, scratch{}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
