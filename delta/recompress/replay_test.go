package recompress

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// edited returns a new version of old bytes, and which parts of it are the same: new place, old offset, size.
func edited(r *rand.Rand, old []byte) (now []byte, same [][3]int) {
	for at := 0; at < len(old); {
		n := min(len(old)-at, 1+r.IntN(400_000))
		if r.IntN(4) == 0 {
			at += r.IntN(70_000)
			n = max(min(len(old)-at, n), 0)
		}
		if n > 0 {
			same = append(same, [3]int{len(now), at, n})
			now = append(now, old[at:at+n]...)
			at += n
		}
		if r.IntN(3) == 0 {
			now = append(now, text(r.IntN(50_000), r.Uint64())...)
		}
	}
	return now, same
}

func TestReplay(t *testing.T) {
	for _, family := range []byte{familyGo126, familyZlib, familyGNU, familyPigz} {
		for level := int8(4); level <= 9; level++ {
			e := encoder{family: family, level: level}
			t.Run(e.String(), func(t *testing.T) { testReplay(t, e, uint64(family)*16+uint64(level)) })
		}
	}
}

func testReplay(t *testing.T, e encoder, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	old := text(3<<20, seed)
	now, same := edited(r, old)
	blob := encode(t, e, old, nil, nil)
	store := &memory{}
	known := NewTokens(store, 1<<30)
	var plain bytes.Buffer
	if _, err := ExpandTokens(t.Context(), &plain, bytes.NewReader(blob), 1<<30, known); err != nil {
		t.Fatal(err)
	}
	if err := known.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(plain.Bytes(), old) {
		t.Fatal("expands to other bytes")
	}
	recipe := &Recipe{}
	recipe.encoded(kindDeflate, int64(len(now)), e)
	if !recipe.Replays(known, bytes.NewReader(old), int64(len(old))) {
		t.Error("the old blob is not known to come from the same encoder")
	}
	want := encode(t, e, now, nil, nil)
	if got := encode(t, e, now, known, same); !bytes.Equal(got, want) {
		t.Error("makes other bytes")
	}
}

// encode makes a blob of one part. It tells which parts of the plain bytes are in known.
func encode(t *testing.T, e encoder, plain []byte, known *Tokens, same [][3]int) []byte {
	t.Helper()
	var b bytes.Buffer
	b.Write([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff})
	recipe := &Recipe{}
	recipe.encoded(kindDeflate, int64(len(plain)), e)
	w := recipe.NewWriter(&b)
	at := 0
	write := func(n int) {
		for n > 0 {
			next := min(n, 40_000)
			if _, err := w.Write(plain[at : at+next]); err != nil {
				t.Fatal(err)
			}
			at += next
			n -= next
		}
	}
	taken := int64(0)
	for _, s := range same {
		write(s[0] - at)
		if err := w.Same(0, known, int64(s[1]), int64(s[2])); err != nil {
			t.Fatal(err)
		}
		write(s[2])
		taken = w.replay.Taken()
	}
	write(len(plain) - at)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if known != nil && taken < int64(len(plain)/3) {
		t.Errorf("takes over what is known of %d bytes of %d", taken, len(plain))
	}
	return b.Bytes()
}
