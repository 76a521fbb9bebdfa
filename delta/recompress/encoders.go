package recompress

import (
	"fmt"
	"io"
	"slices"

	"github.com/sallyport-dev/sallyport/delta/recompress/cdeflate"
	go126 "github.com/sallyport-dev/sallyport/delta/recompress/frozen/go126flate"
	kp1203 "github.com/sallyport-dev/sallyport/delta/recompress/frozen/kp1203/flate"
	kpzstd1203 "github.com/sallyport-dev/sallyport/delta/recompress/frozen/kp1203/zstd"
)

// encoder names one way to compress: a frozen program and its parameters. Its numbers stand in
// recipes, so that none may ever mean anything else.
type encoder struct {
	family byte
	level  int8
	block  int32 // bytes of a block compressed by itself; 0: the stream is one
}

// The families.
const (
	familyGo126      = 1 // compress/flate of Go 1.7 to 1.26
	familyKP1203     = 2 // klauspost/compress v1.20.3 flate; with blocks: as klauspost/pgzip uses it
	familyKPZstd1203 = 3 // klauspost/compress v1.20.3 zstd; the level is its own, 1 to 4
	familyZlib       = 4 // zlib 1.2 and 1.3, memory level 8
	familyGNU        = 5 // GNU gzip
	familyPigz       = 6 // pigz with several threads and blocks of 128 KiB
)

// newWriter returns a writer that compresses to w as e does.
func (e encoder) newWriter(w io.Writer) (io.WriteCloser, error) {
	switch e.family {
	case familyGo126:
		if e.block != 0 || e.level < go126.HuffmanOnly {
			break
		}
		return writerOrError(go126.NewWriter(w, int(e.level)))
	case familyKP1203:
		if e.block != 0 {
			return newBlockWriter(w, e)
		}
		if e.level < kp1203.HuffmanOnly || e.level > kp1203.BestCompression {
			break
		}
		return writerOrError(kp1203.NewWriter(w, int(e.level)))
	case familyKPZstd1203:
		if e.block != 0 || e.level < int8(kpzstd1203.SpeedFastest) || e.level > int8(kpzstd1203.SpeedBestCompression) {
			break
		}
		return writerOrError(kpzstd1203.NewWriter(w, kpzstd1203.WithEncoderConcurrency(1),
			kpzstd1203.WithLowerEncoderMem(true), kpzstd1203.WithEncoderLevel(kpzstd1203.EncoderLevel(e.level))))
	}
	if e.block == 0 {
		switch e.family {
		case familyZlib:
			return writerOrError(cdeflate.NewWriter(w, cdeflate.Zlib, int(e.level)))
		case familyGNU:
			return writerOrError(cdeflate.NewWriter(w, cdeflate.GNU, int(e.level)))
		case familyPigz:
			return writerOrError(cdeflate.NewPigzWriter(w, int(e.level)))
		}
	}
	return nil, &Error{reason: "newer", message: fmt.Sprintf("recipe names encoder %d, level %d, blocks of %d bytes, which this program does not have", e.family, e.level, e.block)}
}

// writerOrError keeps a nil *T from becoming a non-nil io.WriteCloser.
func writerOrError[W io.WriteCloser](w W, err error) (io.WriteCloser, error) {
	if err != nil {
		return nil, &Error{reason: "newer", message: "recipe's encoder", err: err}
	}
	return w, nil
}

// String is for people.
func (e encoder) String() string {
	switch {
	case e.family == familyGo126:
		return fmt.Sprintf("go gzip %s", levelName(e.level))
	case e.family == familyKP1203 && e.block != 0:
		return fmt.Sprintf("pgzip %s, %d kB blocks (klauspost 1.20.3)", levelName(e.level), e.block>>10)
	case e.family == familyKP1203:
		return fmt.Sprintf("klauspost gzip %s (1.20.3)", levelName(e.level))
	case e.family == familyKPZstd1203:
		return fmt.Sprintf("klauspost zstd %s (1.20.3)", kpzstd1203.EncoderLevel(e.level))
	}
	for family, name := range map[byte]string{familyZlib: "zlib gzip", familyGNU: "GNU gzip", familyPigz: "pigz"} {
		if e.family == family {
			return name + " " + levelName(e.level)
		}
	}
	return fmt.Sprintf("encoder %d", e.family)
}

func levelName(level int8) string {
	if level == go126.HuffmanOnly {
		return "huffman"
	}
	return fmt.Sprintf("-%d", level)
}

// deflateEncoders are the candidates for a DEFLATE stream, likeliest first.
func deflateEncoders() []encoder {
	list := []encoder{
		{familyGo126, 6, 0}, {familyGo126, 1, 0},
		{familyKP1203, 5, 1 << 20}, {familyKP1203, 6, 1 << 20}, {familyKP1203, 5, 0},
	}
	for _, family := range []byte{familyZlib, familyGNU, familyPigz} {
		list = append(list, encoder{family, 6, 0}, encoder{family, 9, 0})
	}
	for level := int8(1); level <= 9; level++ {
		for _, family := range []byte{familyZlib, familyGNU, familyPigz} {
			if e := (encoder{family, level, 0}); !slices.Contains(list, e) {
				list = append(list, e)
			}
		}
	}
	for level := int8(go126.HuffmanOnly); level <= 9; level++ {
		if level == go126.DefaultCompression {
			continue // another name for one of the others
		}
		for _, e := range []encoder{{familyGo126, level, 0}, {familyKP1203, level, 0}, {familyKP1203, level, 1 << 20}, {familyKP1203, level, 256 << 10}} {
			if !slices.Contains(list, e) {
				list = append(list, e)
			}
		}
	}
	return list
}

// zstdEncoders are the candidates for a Zstandard frame, likeliest first.
func zstdEncoders() []encoder {
	var list []encoder
	for _, level := range []kpzstd1203.EncoderLevel{kpzstd1203.SpeedDefault, kpzstd1203.SpeedFastest, kpzstd1203.SpeedBetterCompression, kpzstd1203.SpeedBestCompression} {
		list = append(list, encoder{familyKPZstd1203, int8(level), 0})
	}
	return list
}
