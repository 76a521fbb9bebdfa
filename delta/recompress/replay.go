package recompress

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"io"

	"github.com/sallyport-dev/sallyport/delta/recompress/cdeflate"
	go126 "github.com/sallyport-dev/sallyport/delta/recompress/frozen/go126flate"
	"github.com/sallyport-dev/sallyport/delta/recompress/replay"
)

// Tokens is what the encoder of an old blob decided, kept while the blob was expanded. Where a new
// blob repeats old plain bytes, and its encoder is the same, a Writer takes the decisions over, which
// is several times faster than to make them again.
type Tokens = replay.Log

// NewTokens returns a Tokens that keeps its bytes in s, at most limit of them. What finds no room is
// not kept.
func NewTokens(s replay.Storage, limit int64) *Tokens { return replay.NewLog(s, limit) }

// ExpandTokens is Expand, and keeps the tokens of a gzip blob in t, which the caller closes.
func ExpandTokens(ctx context.Context, w io.Writer, blob io.Reader, limit int64, t *Tokens) (int64, error) {
	out := &limited{ctx: ctx, w: w, left: limit}
	err := scanTokens(blob, out, t, func(segment) error { return nil })
	return limit - out.left, err
}

// tokenInflater is an inflater that keeps tokens.
type tokenInflater struct {
	inflate replay.Inflater
	log     *Tokens
}

// member expands the stream at the beginning of in.
func (t *tokenInflater) member(w io.Writer, in *bufio.Reader) (int64, error) {
	n, err := t.inflate.Inflate(w, in, t.log)
	switch {
	case errors.Is(err, replay.ErrCorrupt):
		err = &Error{reason: "format", message: "gzip member", err: err}
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = readError("gzip member", err)
	}
	return n, err
}

// locality says when e decides alike.
func (e encoder) locality() (replay.Locality, bool) {
	if e.level < 4 || e.level > 9 || e.block != 0 {
		return replay.Locality{}, false
	}
	switch e.family {
	case familyGo126:
		return go126.ReplayLocality, true
	case familyZlib, familyGNU:
		return cdeflate.ReplayLocality, true
	case familyPigz:
		return cdeflate.PigzReplayLocality, true
	}
	return replay.Locality{}, false
}

// player lets an encoder take tokens over, if it can.
func (e encoder) player(w io.Writer) *replay.Player {
	locality, ok := e.locality()
	taker, can := w.(interface{ Replay(*replay.Player) })
	if !ok || !can {
		return nil
	}
	r := replay.NewPlayer(locality)
	taker.Replay(r)
	return r
}

// Same says that of the plain bytes that have still to be written n, after the next skip, are those at
// an offset of an old blob's plain bytes, and that what t keeps of it holds for this recipe; see
// Replays. It has to be told in order.
func (w *Writer) Same(skip int64, t *Tokens, offset, n int64) error {
	if err := w.advance(); err != nil {
		return err
	}
	if w.replay != nil && skip < w.left {
		w.replay.Same(w.parts[0].plainSize-w.left+skip, t, offset, min(n, w.left-skip))
	}
	return nil
}

// sampleSize is how many plain bytes of an old blob tell whether an encoder made it.
const sampleSize = 512 << 10

// Replays tells whether the recipe's encoder decides as t's did, as far as the beginning of t's plain
// bytes, of which there are size, can tell. It is no proof.
func (r *Recipe) Replays(t *Tokens, plain io.ReaderAt, size int64) bool {
	for _, p := range r.parts {
		if p.kind != kindDeflate {
			continue
		}
		e := r.encoders[p.index]
		if _, ok := e.locality(); ok {
			return e.decidesAs(t, io.NewSectionReader(plain, 0, min(size, sampleSize)))
		}
	}
	return false
}

func (e encoder) decidesAs(t *Tokens, sample *io.SectionReader) bool {
	var packed bytes.Buffer
	w, err := e.newWriter(&packed, sampleSize)
	if err != nil {
		return false
	}
	n, err := io.Copy(w, sample)
	if err != nil || w.Close() != nil {
		return false
	}
	own := replay.NewLog(&memory{}, sampleSize*2)
	var f replay.Inflater
	if _, err := f.Inflate(io.Discard, bufio.NewReader(&packed), own); err != nil || own.Close() != nil {
		return false
	}
	return t.Agrees(own, n)
}

// memory is a storage.
type memory struct{ bytes.Buffer }

func (m *memory) ReadAt(p []byte, at int64) (int, error) {
	return bytes.NewReader(m.Bytes()).ReadAt(p, at)
}

// checkedMember writes a member's plain bytes to w and returns how many they are and their checksum.
func (s *scanner) checkedMember() (n int64, sum uint32, err error) {
	crc := crc32.NewIEEE()
	out := io.MultiWriter(s.out, crc)
	if s.tokens != nil {
		n, err = s.tokens.member(out, s.in)
		return n, crc.Sum32(), err
	}
	r, err := s.inflate.reset(s.in)
	if err != nil {
		return 0, 0, err
	}
	n, err = io.Copy(out, &inflateErrors{r})
	return n, crc.Sum32(), err
}
