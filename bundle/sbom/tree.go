package sbom

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// LargestFile is how many bytes a file may have that is looked into.
const LargestFile = 512 << 20

// Tree is a file system that is no layer of an image: a part of an operating system.
type Tree struct {
	Name   string        // os/root
	Digest digest.Digest // of the bytes that hold it
	Size   int64
	// Write writes it as a tar, and gives a line for each file that could not be read.
	Write func(ctx context.Context, w io.Writer) (unread []string, err error)
}

// GenerateTree is Generate for a file system. It fails if Write does.
func GenerateTree(ctx context.Context, t Tree, tempDir string) ([]Document, error) {
	layer := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: t.Digest, Size: t.Size}
	config := []byte("{}")
	manifest, err := json.Marshal(ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: digest.FromBytes(config), Size: int64(len(config))},
		Layers: []ocispec.Descriptor{layer}})
	if err != nil {
		return nil, fmt.Errorf("describing %s: %w", t.Name, err)
	}
	var unread []string
	done := make(chan struct{})
	img := Image{Repository: t.Name, Manifest: manifest, Config: config, digest: t.Digest,
		Open: func(ctx context.Context, _ ocispec.Descriptor) (io.ReadCloser, error) {
			r, w := io.Pipe()
			go func() {
				defer close(done)
				var err error
				unread, err = t.Write(ctx, w)
				w.CloseWithError(err) // without an error this is io.EOF
			}()
			return r, nil
		},
		unread: func() []string {
			<-done
			return unread
		}}
	return generate(ctx, img, tempDir, defaultLimits())
}
