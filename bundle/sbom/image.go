package sbom

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// imageCore shows an Image to stereoscope, which wants go-containerregistry's interface. An instance lives for one
// call of Generate, which is why it may hold the context.
type imageCore struct {
	ctx    context.Context
	img    Image
	layers map[v1.Hash]v1.Descriptor
	media  types.MediaType
}

func newImageCore(ctx context.Context, img Image) (v1.Image, error) {
	m, err := v1.ParseManifest(bytes.NewReader(img.Manifest))
	if err != nil {
		return nil, fmt.Errorf("reading the image manifest: %w", err)
	}
	if err := checkLayers(m); err != nil {
		return nil, err
	}
	core := &imageCore{ctx: ctx, img: img, layers: make(map[v1.Hash]v1.Descriptor), media: m.MediaType}
	if core.media == "" {
		core.media = types.OCIManifestSchema1
	}
	for _, l := range m.Layers {
		core.layers[l.Digest] = l
	}
	return partial.CompressedToImage(core)
}

func (c *imageCore) MediaType() (types.MediaType, error) { return c.media, nil }
func (c *imageCore) RawManifest() ([]byte, error)        { return c.img.Manifest, nil }
func (c *imageCore) RawConfigFile() ([]byte, error)      { return c.img.Config, nil }
func (c *imageCore) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	desc, ok := c.layers[h]
	if !ok {
		return nil, fmt.Errorf("the manifest has no layer %s", h)
	}
	return &layer{core: c, desc: desc}, nil
}

// layer is one layer of an imageCore.
type layer struct {
	core *imageCore
	desc v1.Descriptor
}

func (l *layer) Digest() (v1.Hash, error)            { return l.desc.Digest, nil }
func (l *layer) Size() (int64, error)                { return l.desc.Size, nil }
func (l *layer) MediaType() (types.MediaType, error) { return l.desc.MediaType, nil }
func (l *layer) Compressed() (io.ReadCloser, error) {
	return l.core.img.Open(l.core.ctx, ocispec.Descriptor{
		MediaType: string(l.desc.MediaType),
		Digest:    digest.Digest(l.desc.Digest.String()),
		Size:      l.desc.Size,
	})
}

// createdTime is when the image was made, by its own word; the epoch if it does not say.
func createdTime(config []byte) (time.Time, error) {
	var c struct {
		Created *time.Time `json:"created"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return time.Time{}, fmt.Errorf("reading the image config: %w", err)
	}
	if c.Created == nil || c.Created.Year() < 1970 || c.Created.Year() > 9999 {
		return time.Unix(0, 0).UTC(), nil
	}
	return c.Created.UTC().Truncate(time.Second), nil
}
