package recompress

import (
	"fmt"
	"io"
	"slices"

	"github.com/sallyport-dev/sallyport/delta/recompress/cdeflate"
	go126 "github.com/sallyport-dev/sallyport/delta/recompress/frozen/go126flate"
	go127 "github.com/sallyport-dev/sallyport/delta/recompress/frozen/go127flate"
	kp1117 "github.com/sallyport-dev/sallyport/delta/recompress/frozen/kp1117/flate"
	kp1136 "github.com/sallyport-dev/sallyport/delta/recompress/frozen/kp1136/flate"
	kp1150 "github.com/sallyport-dev/sallyport/delta/recompress/frozen/kp1150/flate"
	kp1180 "github.com/sallyport-dev/sallyport/delta/recompress/frozen/kp1180/flate"
	kp1203 "github.com/sallyport-dev/sallyport/delta/recompress/frozen/kp1203/flate"
	zstd1203 "github.com/sallyport-dev/sallyport/delta/recompress/frozen/kp1203/zstd"
	"github.com/sallyport-dev/sallyport/delta/recompress/tokens"
)

// encoder names one way to compress: a frozen program and its parameters. Its numbers stand in
// recipes, so that none may ever mean anything else.
type encoder struct {
	family byte
	level  int8
	block  int32 // bytes of a block compressed by itself; 0: the stream is one, or the family's default. Of zstd, see flushed and libzstd.go

	flushed     bool   // at the end, before it is closed; zstd is also flushed after block bytes if that is not 0
	differences []byte // of familyTokens
}

// The families.
const (
	familyGo126      = 1 // compress/flate of Go 1.7 to 1.26
	familyKP1203     = 2 // klauspost/compress v1.20.3 flate; with blocks: as klauspost/pgzip uses it
	familyKPZstd1203 = 3 // klauspost/compress v1.20.3 zstd; the level is its own, 1 to 4
	familyZlib       = 4 // zlib 1.2 and 1.3, memory level 8
	familyGNU        = 5 // GNU gzip
	familyPigz       = 6 // pigz with several threads
	familyGo127      = 7 // compress/flate of Go 1.27
	familyKP1180     = 8 // klauspost/compress flate of older versions, as familyKP1203
	familyKP1150     = 9
	familyKP1144     = 10
	familyKP1136     = 11
	familyKP1117     = 12
	familyTokens     = 13 // differences from a model of package tokens, whose number is the level
	familyKPZstd1202 = 14 // klauspost/compress v1.20.2 zstd, as familyKPZstd1203
	familyLibzstd152 = 15 // the C library's zstd: see libzstd.go; the block says how it was called
	familyLibzstd154 = 16
	familyLibzstd157 = 17
	familyLibzstd148 = 18
	familyLibzstd145 = 19
)

// dictWriter is an encoder that can begin anew with a dictionary.
type dictWriter interface {
	flushCloser
	ResetDict(w io.Writer, dict []byte)
}

// goEncoder is a generation of a DEFLATE encoder written in Go.
type goEncoder struct {
	name      string
	levels    []int8
	newWriter func(io.Writer, int) (io.WriteCloser, error)
	newDict   func(io.Writer, int) (dictWriter, error) // nil: never used with blocks
}

// huffmanOnly means the same in all generations.
const huffmanOnly = -2

// The levels that a generation has: all, or of older ones those that Podman and its kind have by default
// (5) or that people name most.
var (
	allLevels   = []int8{huffmanOnly, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	olderLevels = []int8{huffmanOnly, 0, 1, 5, 6}
)

var goEncoders = map[byte]goEncoder{
	familyGo126:  {"go", allLevels, writer(go126.NewWriter), nil},
	familyGo127:  {"go 1.27", allLevels, writer(go127.NewWriter), nil},
	familyKP1203: klauspost("1.18.1 to 1.20", allLevels, kp1203.NewWriterDict),
	familyKP1180: klauspost("1.15.11 to 1.18.0", olderLevels, kp1180.NewWriterDict),
	familyKP1150: klauspost("1.15.0 to 1.15.9", olderLevels, kp1150.NewWriterDict),
	familyKP1144: klauspost("1.14", olderLevels, kp1150.NewWriterOlder),
	familyKP1136: klauspost("1.12.3 to 1.13", olderLevels, kp1136.NewWriterDict),
	familyKP1117: klauspost("1.10 to 1.11.7", olderLevels, kp1117.NewWriterDict),
}

func writer[W io.WriteCloser](make func(io.Writer, int) (W, error)) func(io.Writer, int) (io.WriteCloser, error) {
	return func(w io.Writer, level int) (io.WriteCloser, error) { return writerOrError(make(w, level)) }
}

// klauspost returns a generation of klauspost/compress.
func klauspost[W dictWriter](name string, levels []int8, make func(io.Writer, int, []byte) (W, error)) goEncoder {
	return goEncoder{
		name, levels,
		writer(func(w io.Writer, level int) (W, error) { return make(w, level, nil) }),
		func(w io.Writer, level int) (dictWriter, error) { return make(w, level, nil) },
	}
}

// newWriter returns a writer that compresses to w, as e does, plain bytes of which there are size.
func (e encoder) newWriter(w io.Writer, size int64) (io.WriteCloser, error) {
	if g := goEncoders[e.family]; slices.Contains(g.levels, e.level) {
		switch {
		case e.block == 0:
			z, err := g.newWriter(w, int(e.level))
			if err == nil && e.flushed {
				return flusher{z.(flushCloser)}, nil
			}
			return z, err
		case e.flushed:
		case g.newDict != nil:
			return newBlockWriter(w, e, g)
		}
	}
	if o, ok := e.libzstd(); ok {
		return e.newLibzstd(w, o, size)
	}
	switch {
	case e.family == familyKPZstd1202 || e.family == familyKPZstd1203:
		return e.newZstd(w)
	case e.flushed:
	case e.family == familyPigz && (e.block == 0 || e.block >= cdeflate.MinPigzBlock):
		return writerOrError(cdeflate.NewPigzWriter(w, int(e.level), int(e.block)))
	case e.block != 0:
	case e.family == familyTokens && int(e.level) < tokens.Models():
		return writerOrError(tokens.NewWriter(w, e.differences, int(e.level), size))
	case e.family == familyZlib:
		return writerOrError(cdeflate.NewWriter(w, cdeflate.Zlib, int(e.level)))
	case e.family == familyGNU:
		return writerOrError(cdeflate.NewWriter(w, cdeflate.GNU, int(e.level)))
	}
	return nil, e.unknown()
}

func (e encoder) unknown() error {
	return &Error{reason: "newer", message: fmt.Sprintf("recipe names encoder %d, level %d, blocks of %d bytes, which this program does not have", e.family, e.level, e.block)}
}

type flushCloser interface {
	io.WriteCloser
	Flush() error
}

// flusher flushes at the end.
type flusher struct{ flushCloser }

func (f flusher) Close() error {
	if err := f.Flush(); err != nil {
		return err
	}
	return f.flushCloser.Close()
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
	g := goEncoders[e.family]
	switch {
	case g.newDict != nil && e.block != 0:
		return fmt.Sprintf("pgzip %s, %d kB blocks (klauspost %s)", levelName(e.level), e.block>>10, g.name)
	case g.newDict != nil:
		return fmt.Sprintf("klauspost gzip %s (%s)", levelName(e.level), g.name)
	case g.newWriter != nil:
		return fmt.Sprintf("%s gzip %s", g.name, levelName(e.level))
	case e.family == familyKPZstd1203:
		return fmt.Sprintf("klauspost zstd %s (1.20.3)", zstd1203.EncoderLevel(e.level))
	case e.family == familyKPZstd1202:
		return fmt.Sprintf("klauspost zstd %s (1.14.4 to 1.20.2)", zstd1203.EncoderLevel(e.level))
	case e.family == familyTokens:
		return fmt.Sprintf("token differences, %d bytes", len(e.differences))
	case e.family >= familyLibzstd152 && e.family <= familyLibzstd145:
		return e.libzstdName()
	case e.block != 0:
		return fmt.Sprintf("pigz %s, %d kB blocks", levelName(e.level), e.block>>10)
	}
	for family, name := range map[byte]string{familyZlib: "zlib gzip", familyGNU: "GNU gzip", familyPigz: "pigz"} {
		if e.family == family {
			return name + " " + levelName(e.level)
		}
	}
	return fmt.Sprintf("encoder %d", e.family)
}

func levelName(level int8) string {
	if level == huffmanOnly {
		return "huffman"
	}
	return fmt.Sprintf("-%d", level)
}
