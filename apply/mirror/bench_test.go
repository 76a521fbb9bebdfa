package mirror_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// bigBlob is a blob of any size that is made as it is read.
func bigBlob(size int64, seed int) (ocispec.Descriptor, mirror.Open) {
	open := func() (io.ReadCloser, error) {
		return io.NopCloser(io.LimitReader(rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}), size)), nil
	}
	r, _ := open()
	d, err := digest.FromReader(r)
	if err != nil {
		panic(err) // the source cannot fail
	}
	return ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayerGzip, Digest: d, Size: size}, open
}

// Neither the client nor the embedded mirror, which runs in this process too, may hold a layer.
func TestMemoryDoesNotGrowWithTheBlob(t *testing.T) {
	url, _ := serveEmbedded(t)
	c := client(t, url)
	desc, open := bigBlob(96<<20, 1)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := c.PushBlob(t.Context(), "app", desc, open); err != nil {
		t.Fatal(err)
	}
	r, err := c.OpenBlob(t.Context(), "app", desc.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Fatal(err)
	}
	r.Close()
	runtime.ReadMemStats(&after)
	if grown := int64(after.Sys) - int64(before.Sys); grown > 32<<20 {
		t.Errorf("memory grew by %d MiB", grown>>20)
	}
	t.Logf("memory %d MiB before, %d MiB after; peak RSS of the process %d MiB", before.Sys>>20, after.Sys>>20, peakRSS(t)>>20)
}

func peakRSS(t testing.TB) int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	return 0
}

func BenchmarkPush(b *testing.B) {
	for _, kind := range []string{"embedded", docker} {
		for _, size := range []int64{10 << 10, 1 << 20, 64 << 20} {
			b.Run(fmt.Sprintf("%s/%dKiB", kind, size>>10), func(b *testing.B) {
				url := start(b, kind)
				c := client(b, url)
				b.SetBytes(size)
				for i := 0; b.Loop(); i++ {
					b.StopTimer()
					desc, open := bigBlob(size, i)
					b.StartTimer()
					if pushed, err := c.PushBlob(b.Context(), "app", desc, open); !pushed || err != nil {
						b.Fatal(pushed, err)
					}
				}
			})
		}
	}
}

func start(b *testing.B, kind string) string {
	if kind == docker {
		return testtools.DockerRegistry(b)
	}
	url, _ := serveEmbedded(b)
	return url
}

func BenchmarkRead(b *testing.B) {
	for _, kind := range []string{"embedded", docker} {
		b.Run(kind, func(b *testing.B) {
			c := client(b, start(b, kind))
			desc, open := bigBlob(64<<20, 3)
			if _, err := c.PushBlob(b.Context(), "app", desc, open); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(desc.Size)
			for b.Loop() {
				r, err := c.OpenBlob(b.Context(), "app", desc.Digest)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, r); err != nil {
					b.Fatal(err)
				}
				r.Close()
			}
		})
	}
}
