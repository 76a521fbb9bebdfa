// Command layouts makes blobs with the libraries that lay layers out for lazy pulling: estargz and
// zstd:chunked. See make-layouts.
package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/containerd/stargz-snapshotter/estargz"
	"github.com/containers/storage/pkg/chunked/compressor"
)

func main() {
	dir, stargz, storage := os.Args[1], os.Args[2], os.Args[3]
	layer := layer()
	blob, err := estargz.Build(io.NewSectionReader(bytes.NewReader(layer), 0, int64(len(layer))))
	check(err)
	b, err := io.ReadAll(blob)
	check(err)
	check(os.WriteFile(filepath.Join(dir, "estargz-"+stargz), b, 0o644))
	chunk(filepath.Join(dir, "zstd-chunked-"+storage), layer)
	chunk(filepath.Join(dir, "zstd-chunked-padded-"+storage), append(layer, make([]byte, 10240-len(layer)%10240)...))
}

// chunk compresses as a push with --compression-format zstd:chunked does.
func chunk(path string, layer []byte) {
	var b bytes.Buffer
	w, err := compressor.ZstdCompressor(&b, map[string]string{}, nil)
	check(err)
	_, err = w.Write(layer)
	check(err)
	check(w.Close())
	check(os.WriteFile(path, b.Bytes(), 0o644))
}

// layer makes a tar of files of several sizes, folders and links.
func layer() []byte {
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	r := rand.New(rand.NewPCG(1, 2))
	add := func(h tar.Header, body []byte) {
		h.Size, h.Mode = int64(len(body)), 0o644
		check(t.WriteHeader(&h))
		_, err := t.Write(body)
		check(err)
	}
	add(tar.Header{Typeflag: tar.TypeDir, Name: "etc/"}, nil)
	for i, size := range []int{0, 3, 500, 4096, 20_000, 150_000} {
		var body bytes.Buffer
		for body.Len() < size {
			fmt.Fprintf(&body, "option%d = value-%x\n", r.IntN(300), r.IntN(1<<(4+4*r.IntN(3))))
		}
		add(tar.Header{Name: fmt.Sprintf("etc/file%d", i)}, body.Bytes()[:size])
	}
	noise := make([]byte, 5000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	add(tar.Header{Name: "etc/noise"}, append(noise, make([]byte, 70_000)...))
	add(tar.Header{Typeflag: tar.TypeSymlink, Name: "etc/link", Linkname: "file1"}, nil)
	check(t.Close())
	return b.Bytes()
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
