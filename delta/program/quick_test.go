package program

import (
	"math/rand/v2"
	"testing"
)

// TestQuick holds quick against decode.
func TestQuick(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	told := 0
	for range 1 << 20 {
		var b [maxCommon]byte
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		if r.IntN(2) > 0 {
			b[0] = 0x40 | b[0]&15
		}
		if r.IntN(4) > 0 {
			b[r.IntN(2)] = 0x0f
		}
		v := quick(&b)
		if v&quickSlow != 0 {
			continue
		}
		told++
		in, ok := decodeAny(b[:])
		refers := in.relative || in.immKind == branch8 || in.immKind == branch32
		fixed := in.disp > 0 || in.immKind == immWord || in.immKind == immFull
		if !ok || int(v&quickSize) != in.size || v&quickRefers != 0 != refers || v&quickFixed == 0 && fixed {
			t.Fatalf("% x: %x, want %+v, %t", b, v, in, ok)
		}
		if got := referring(&b, v&quickSize); refers && (got.disp > 0 && got.disp != in.disp || got.relative != in.relative ||
			got.immKind != in.immKind && got.immKind != noImmediate || !in.relative && got.immKind != in.immKind) {
			t.Fatalf("% x refers: %+v, want %+v", b, got, in)
		}
	}
	if told < 1<<18 {
		t.Errorf("only %d instructions told", told)
	}
}
