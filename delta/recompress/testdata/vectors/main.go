// Command vectors prints the digests of what the real encoders make of a file: vectors VERSION FILE [defaults].
// See make-vectors.
package main

import (
	"bytes"
	stdflate "compress/flate"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
	"github.com/klauspost/pgzip"
)

func main() {
	plain, err := os.ReadFile(os.Args[2])
	check(err)
	version := os.Args[1]
	print := func(kind string, level int, make func(io.Writer) (io.WriteCloser, error)) {
		var b bytes.Buffer
		w, err := make(&b)
		check(err)
		_, err = w.Write(plain)
		check(err)
		check(w.Close())
		stream := b.Bytes()
		if kind == "pgzip" {
			stream = stream[10 : len(stream)-8] // without gzip's header and trailer
		}
		fmt.Printf("%s %s %d %x\n", kind, version, level, sha256.Sum256(stream))
	}
	defaults := len(os.Args) > 3 // only what builders ask for unless told otherwise
	for level := 0; level <= 9; level++ {
		if defaults && level != 5 {
			continue
		}
		if version == runtime.Version() {
			print("go", level, func(w io.Writer) (io.WriteCloser, error) { return stdflate.NewWriter(w, level) })
			continue
		}
		if !defaults {
			print("flate", level, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, level) })
		}
		print("pgzip", level, func(w io.Writer) (io.WriteCloser, error) {
			z, err := pgzip.NewWriterLevel(w, level)
			check(err)
			return z, z.SetConcurrency(1<<20, 4)
		})
	}
	if version == runtime.Version() {
		return
	}
	for level := zstd.SpeedFastest; level <= zstd.SpeedBestCompression; level++ {
		if defaults && level != zstd.SpeedDefault && level != zstd.SpeedBestCompression {
			continue
		}
		print("zstd", int(level), func(w io.Writer) (io.WriteCloser, error) {
			return zstd.NewWriter(w, zstd.WithEncoderLevel(level))
		})
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
