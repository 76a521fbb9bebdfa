package delta

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/sallyport-dev/sallyport/delta/program"
)

// sample returns an old, a blob and the patch between them.
func sample(t testing.TB) (before, blob, patch []byte) {
	t.Helper()
	r := rand.New(rand.NewPCG(9, 9))
	files := randomFiles(r, 30)
	before = makeTar(t, files)
	blob = gzipped(t, makeTar(t, editFiles(r, editFiles(r, files))))
	return before, blob, roundTrip(t, blob, old(before))
}

func reason(err error) string {
	var r interface{ Reason() string }
	if errors.As(err, &r) {
		return r.Reason()
	}
	return ""
}

func TestApplyRefusesOlds(t *testing.T) {
	before, blob, patch := sample(t)
	flipped := bytes.Clone(before)
	flipped[len(flipped)/2] ^= 1
	for name, olds := range map[string][]Old{
		"none":           nil,
		"one too many":   {old(before), old(before)},
		"a shorter one":  {old(before[:len(before)-512])},
		"one bit off":    {old(flipped)},
		"the zero value": {{}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			err := Apply(t.Context(), &out, bytes.NewReader(patch), olds, Limits{Size: int64(len(blob))})
			if reason(err) != "base" {
				t.Errorf("got %v, want reason base", err)
			}
			if out.Len() > 0 {
				t.Errorf("%d bytes were written", out.Len())
			}
		})
	}
}

func TestApplyReadErrors(t *testing.T) {
	before, blob, patch := sample(t)
	broken := errors.New("input/output error")
	for at := 0; at < len(patch); at += 1 + len(patch)/50 {
		in := io.MultiReader(bytes.NewReader(patch[:at]), failing{broken})
		err := Apply(t.Context(), io.Discard, in, []Old{old(before)}, Limits{Size: int64(len(blob))})
		if !errors.Is(err, broken) || reason(err) != "" {
			t.Fatalf("at %d: got %v, want the reader's error, without a reason", at, err)
		}
		err = Apply(t.Context(), io.Discard, bytes.NewReader(patch[:at]), []Old{old(before)}, Limits{Size: int64(len(blob))})
		if reason(err) != "truncated" {
			t.Fatalf("cut at %d: got %v, want reason truncated", at, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestApplyRefusesPatches(t *testing.T) {
	before, blob, patch := sample(t)
	size := int64(len(blob))
	newerPatch := bytes.Clone(patch)
	newerPatch[len(magic)] = 2
	digest := bytes.Clone(patch)
	digest[len(magic)+4] ^= 1 // in the blob's digest, or its size
	for _, test := range []struct {
		name, reason string
		patch        []byte
		size         int64
	}{
		{"another size declared", "format", patch, size + 1},
		{"not a patch", "format", []byte("something else entirely"), size},
		{"a newer version", "newer", newerPatch, size},
		{"bytes after the end", "format", append(bytes.Clone(patch), 0), size},
		{"another digest", "digest", digest, size},
	} {
		t.Run(test.name, func(t *testing.T) {
			out := &limitedBuffer{limit: test.size}
			err := Apply(t.Context(), out, bytes.NewReader(test.patch), []Old{old(before)}, Limits{Size: test.size})
			if reason(err) != test.reason {
				t.Errorf("got %v (reason %q), want reason %q", err, reason(err), test.reason)
			}
			if out.over {
				t.Error("more bytes were written than declared")
			}
		})
	}
}

func TestApplyFlippedBytes(t *testing.T) {
	before, blob, patch := sample(t)
	for at := range patch {
		bad := bytes.Clone(patch)
		bad[at] ^= 0x10
		out := &limitedBuffer{limit: int64(len(blob))}
		err := Apply(t.Context(), out, bytes.NewReader(bad), []Old{old(before)}, Limits{Size: int64(len(blob))})
		if err == nil && !bytes.Equal(out.Bytes(), blob) {
			t.Fatalf("byte %d: another blob without an error", at)
		}
		if out.over {
			t.Fatalf("byte %d: more bytes were written than declared", at)
		}
	}
}

func TestApplyCancelled(t *testing.T) {
	before, blob, patch := sample(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := Apply(ctx, io.Discard, bytes.NewReader(patch), []Old{old(before)}, Limits{Size: int64(len(blob))})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

// limitedBuffer notices a write beyond its limit.
type limitedBuffer struct {
	bytes.Buffer
	limit int64
	over  bool
}

func (l *limitedBuffer) Write(p []byte) (int, error) {
	if int64(l.Len()+len(p)) > l.limit {
		l.over = true
	}
	return l.Buffer.Write(p)
}

func TestHeaderOneForm(t *testing.T) {
	_, _, patch := sample(t)
	h, err := readHeader(bufio.NewReader(bytes.NewReader(patch)))
	if err != nil {
		t.Fatal(err)
	}
	if m := h.marshal(); !bytes.HasPrefix(patch, m) {
		t.Errorf("header reads and marshals to other bytes: %x", m)
	}
}

// FuzzApply feeds patches of any bytes: no panic, no more bytes than declared.
func FuzzApply(f *testing.F) {
	before, blob, patch := sample(f)
	f.Add(patch)
	f.Add(roundTrip(f, blob))
	f.Add(roundTrip(f, before, old(before)))
	size := int64(len(blob))
	f.Fuzz(func(t *testing.T, patch []byte) {
		if h, err := readHeader(bufio.NewReader(bytes.NewReader(patch))); err == nil {
			size = h.blobSize
			if h.plainSize > 1<<24 {
				return // a patch may well declare a large blob, but not here
			}
		}
		out := &limitedBuffer{limit: size}
		err := Apply(t.Context(), out, bytes.NewReader(patch), []Old{old(before)}, Limits{Size: size, TempDir: t.TempDir()})
		if out.over {
			t.Errorf("more than %d bytes written", size)
		}
		if err == nil && int64(out.Len()) != size {
			t.Errorf("%d bytes of %d without an error", out.Len(), size)
		}
	})
}

// FuzzRestore feeds streams that are well formed as such, so that operations are reached at once.
func FuzzRestore(f *testing.F) {
	f.Add([]byte{64<<1 | 1}, []byte{0}, []byte{3, 9}, []byte{1}, []byte("text"), []byte{}, uint16(20))
	f.Add(stampRule{{stampShift, 5}}.append([]byte{0x85, 0x40}), []byte{0}, []byte{}, []byte{}, []byte{}, []byte{}, uint16(1024))
	f.Add([]byte{0x80, 0x40, 0, 16, 64, 0x80, 1}, []byte{0, 0, 0}, []byte{}, []byte{}, []byte{}, []byte{0, 1}, uint16(1040))
	steps := appendDescription(binary.AppendUvarint([]byte{0xc6, 0x3e}, 1000), &program.Program{})
	for _, v := range []uint64{2*2 + 1, 600*plainKinds + plainCopy, 400*plainKinds + plainAdd} {
		steps = binary.AppendUvarint(steps, v)
	}
	f.Add(steps, []byte{0, 0, 0}, []byte{5, 0x8a, 3}, []byte{1}, []byte{}, []byte{}, uint16(1000))
	before, _, _ := sample(f)
	f.Fuzz(func(t *testing.T, ops, sources, gaps, values, text, digests []byte, size uint16) {
		var infos []streamInfo
		var bodies []byte
		for id, b := range map[streamID][]byte{streamOps: ops, streamSources: sources, streamGaps: gaps, streamValues: values, streamText: text, streamDigests: digests} {
			infos = append(infos, streamInfo{id: id, plain: int64(len(b)), coded: int64(len(b))})
			bodies = append(bodies, b...)
		}
		s, err := openStreams(bytes.NewReader(bodies), infos, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		var out bytes.Buffer
		err = restore(t.Context(), &out, nil, s, newSource([]Old{old(before)}), int64(size), scratch{t.TempDir(), 1 << 20})
		if out.Len() > int(size) || err == nil && out.Len() != int(size) {
			t.Errorf("%d bytes of %d, error %v", out.Len(), size, err)
		}
	})
}

// FuzzTar feeds the tar model any bytes: its members cover them without gaps, and a patch restores them.
func FuzzTar(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 9))
	files := randomFiles(r, 20)
	before := makeTar(f, files)
	f.Add(before)
	f.Add(before[:len(before)-700])
	f.Add(makeTar(f, editFiles(r, files)))
	f.Add([]byte("no tar"))
	f.Fuzz(func(t *testing.T, blob []byte) {
		members, err := tarMembers(t.Context(), bytes.NewReader(blob), int64(len(blob)))
		if err != nil {
			t.Fatal(err)
		}
		at := int64(0)
		for _, m := range members {
			if m.start != at || m.content < m.start || m.end < m.content || m.next < m.end {
				t.Fatalf("member %+v after offset %d", m, at)
			}
			at = m.next
		}
		if at != int64(len(blob)) {
			t.Fatalf("members end at %d of %d", at, len(blob))
		}
		var patch, got bytes.Buffer
		olds := []Old{old(before)}
		result, err := Diff(t.Context(), &patch, bytes.NewReader(blob), int64(len(blob)), olds, Options{TempDir: t.TempDir()})
		if err != nil {
			if reason(err) == "" && !errors.Is(err, ErrNoRecipe) {
				t.Fatalf("Diff: %v", err)
			}
			return
		}
		if err := Apply(t.Context(), &got, &patch, olds[:len(result.Used)], Limits{Size: int64(len(blob))}); err != nil || !bytes.Equal(got.Bytes(), blob) {
			t.Fatalf("Apply: %v", err)
		}
	})
}
