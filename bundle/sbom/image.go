package sbom

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// scanned shows an unpacked image to stereoscope, which wants go-containerregistry's interface.
type scanned struct {
	v1.Image
	layers []v1.Layer
}

func (s *scanned) Layers() ([]v1.Layer, error) { return s.layers, nil }

// core is a manifest and a config, without a byte of a layer.
type core struct {
	manifest, config []byte
	media            types.MediaType
}

func (c *core) MediaType() (types.MediaType, error) { return c.media, nil }
func (c *core) RawManifest() ([]byte, error)        { return c.manifest, nil }
func (c *core) RawConfigFile() ([]byte, error)      { return c.config, nil }
func (c *core) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	return nil, fmt.Errorf("layer %s has been unpacked", h)
}

// newScanned shows layers that lie unpacked in files. Without files it is an image in which nothing is found.
func newScanned(m *v1.Manifest, img Image, files []string) (v1.Image, error) {
	c := &core{manifest: img.Manifest, config: img.Config, media: m.MediaType}
	if c.media == "" {
		c.media = types.OCIManifestSchema1
	}
	if files == nil {
		c.config = []byte(`{"rootfs":{"type":"layers","diff_ids":[]}}`)
	}
	image, err := partial.CompressedToImage(c)
	if err != nil {
		return nil, err
	}
	s := &scanned{Image: image}
	for k, file := range files {
		s.layers = append(s.layers, &layer{desc: m.Layers[k], file: file})
	}
	return s, nil
}

// layer is a layer that was unpacked to a file.
type layer struct {
	desc v1.Descriptor
	file string
}

func (l *layer) Digest() (v1.Hash, error)             { return l.desc.Digest, nil }
func (l *layer) DiffID() (v1.Hash, error)             { return l.desc.Digest, nil }
func (l *layer) Size() (int64, error)                 { return l.desc.Size, nil }
func (l *layer) MediaType() (types.MediaType, error)  { return types.OCIUncompressedLayer, nil }
func (l *layer) Compressed() (io.ReadCloser, error)   { return os.Open(l.file) }
func (l *layer) Uncompressed() (io.ReadCloser, error) { return os.Open(l.file) }

// unpackedName is the name under which stereoscope looks for a layer that it has unpacked before; under another it would
// copy it. The config is what the image says of itself: if it does not fit, the layer's own digest stands in.
func unpackedName(m *v1.Manifest, config []byte, k int) string {
	var c v1.ConfigFile
	id := m.Layers[k].Digest
	if json.Unmarshal(config, &c) == nil && len(c.RootFS.DiffIDs) == len(m.Layers) {
		id = c.RootFS.DiffIDs[k]
	}
	return fmt.Sprintf("%d-%s", k, id)
}

// createdTime is when the image was made, by its own word; the epoch if it does not say.
func createdTime(config []byte) time.Time {
	var c struct {
		Created *time.Time `json:"created"`
	}
	if json.Unmarshal(config, &c) != nil || c.Created == nil || c.Created.Year() < 1970 || c.Created.Year() > 9999 {
		return time.Unix(0, 0).UTC()
	}
	return c.Created.UTC().Truncate(time.Second)
}
