package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/gunzip"
)

// dockerManifestFile lists the images of docker's classic format.
const dockerManifestFile = "manifest.json"

// openArchive opens a tar of an OCI layout or of docker save, which may be both.
func openArchive(ctx context.Context, src source, n bundle.Reference) (store, error) {
	t, err := openTar(src.path)
	if err != nil {
		return nil, err
	}
	if src.kind == kindLayoutArchive || t.has(ocispec.ImageIndexFile) && t.has(ocispec.ImageLayoutFile) {
		return openLayout(t, n, src.name)
	}
	d, err := openDockerArchive(ctx, t, n, src.name)
	if err != nil {
		return nil, closing(t, err)
	}
	return d, nil
}

// dockerArchive is docker save's classic format. It has no manifest: the one given is made.
type dockerArchive struct {
	files *tarFiles
	image Manifest
	paths map[digest.Digest]string // of the config and the layers
}

// dockerImage is an entry of manifest.json.
type dockerImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func openDockerArchive(ctx context.Context, t *tarFiles, n bundle.Reference, pick string) (*dockerArchive, error) {
	raw, err := readFile(t, dockerManifestFile)
	if errors.Is(err, errNotFound) {
		return nil, &Error{Problem: "its source is not what docker save writes", Err: err}
	}
	if err != nil {
		return nil, err
	}
	var images []dockerImage
	if err := json.Unmarshal(raw, &images); err != nil {
		return nil, &Error{Problem: dockerManifestFile + " is not JSON of the right form", Err: err}
	}
	img, err := pickDockerImage(images, n, pick)
	if err != nil {
		return nil, err
	}
	d := &dockerArchive{files: t, paths: make(map[digest.Digest]string)}
	return d, d.makeManifest(ctx, img)
}

// pickDockerImage chooses as pickEntry does.
func pickDockerImage(images []dockerImage, n bundle.Reference, pick string) (dockerImage, error) {
	var entries []ocispec.Descriptor
	byEntry := make(map[digest.Digest]dockerImage)
	for _, img := range images {
		key := digest.FromString(img.Config) // the same config is the same image
		byEntry[key] = img
		for _, tag := range append(img.RepoTags, "") {
			entries = append(entries, ocispec.Descriptor{Digest: key, Annotations: map[string]string{ocispec.AnnotationRefName: tag}})
		}
	}
	e, err := pickEntry(entries, n, pick)
	return byEntry[e.Digest], err
}

// makeManifest makes the manifest that the package comment promises.
func (d *dockerArchive) makeManifest(ctx context.Context, img dockerImage) error {
	config, err := readFile(d.files, img.Config)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	var parsed ocispec.Image
	if err := json.Unmarshal(config, &parsed); err != nil {
		return &Error{Problem: fmt.Sprintf("config %q is not JSON of the right form", img.Config), Err: err}
	}
	if n := len(parsed.RootFS.DiffIDs); n != len(img.Layers) || n > maxLayers {
		return errorf("config %q names %d layers, %s %d", img.Config, n, dockerManifestFile, len(img.Layers))
	}
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: describe(config, ocispec.MediaTypeImageConfig), Layers: []ocispec.Descriptor{},
	}
	d.paths[m.Config.Digest] = img.Config
	for k, name := range img.Layers {
		layer, err := d.layer(ctx, name, parsed.RootFS.DiffIDs[k])
		if err != nil {
			return fmt.Errorf("layer %q: %w", name, err)
		}
		d.paths[layer.Digest] = name
		m.Layers = append(m.Layers, layer)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	d.image = newManifest(raw, m.MediaType)
	return nil
}

// layer describes a layer: a plain tar, whose digest the config names, or a gzip of one, which some writers make.
func (d *dockerArchive) layer(ctx context.Context, name string, diffID digest.Digest) (ocispec.Descriptor, error) {
	r, err := d.files.section(name)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	var magic [2]byte
	if _, err := r.ReadAt(magic[:], 0); err == nil && magic == [2]byte{0x1f, 0x8b} {
		return gzipLayer(ctx, r, diffID)
	}
	desc := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: diffID, Size: r.Size()}
	return desc, checkDescriptor(desc)
}

// gzipLayer describes a compressed layer, whose own digest nothing in the archive names.
func gzipLayer(ctx context.Context, r *io.SectionReader, diffID digest.Digest) (ocispec.Descriptor, error) {
	desc := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayerGzip, Size: r.Size()}
	packed, plain := digest.SHA256.Digester(), digest.SHA256.Digester()
	tee := io.TeeReader(&contextReader{ctx.Err, r}, packed.Hash())
	zr, err := gunzip.NewReader(tee)
	if err != nil {
		return desc, &Error{Problem: "it is not whole", Err: err}
	}
	if _, err := io.Copy(plain.Hash(), zr); err != nil && !errors.Is(err, gunzip.ErrGarbage) {
		return desc, &Error{Problem: "it is not whole", Err: err}
	}
	if plain.Digest() != diffID {
		return desc, errorf("it holds %s, but the config names %s", plain.Digest(), diffID)
	}
	desc.Digest = packed.Digest() // the whole input was read
	return desc, checkDescriptor(desc)
}

// contextReader stops a long read.
type contextReader struct {
	done func() error
	r    io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.done(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

func (d *dockerArchive) Close() error { return d.files.Close() }

func (d *dockerArchive) root(context.Context) (Manifest, error) { return d.image, nil }

func (d *dockerArchive) manifest(_ context.Context, desc ocispec.Descriptor) (io.ReadCloser, error) {
	return nil, fmt.Errorf("manifest %s: %w", desc.Digest, errNotFound)
}

func (d *dockerArchive) blob(_ context.Context, desc ocispec.Descriptor) (io.ReadCloser, error) {
	name, ok := d.paths[desc.Digest]
	if !ok {
		return nil, fmt.Errorf("blob %s: %w", desc.Digest, errNotFound)
	}
	return d.files.open(name)
}

func (d *dockerArchive) tagged(_ context.Context, tag string) (Manifest, error) {
	return Manifest{}, fmt.Errorf("tag %s: %w", tag, errNotFound)
}

func (d *dockerArchive) referrers(context.Context, digest.Digest) ([]ocispec.Descriptor, error) {
	return nil, nil
}
