package image

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
)

// Annotations by which BuildKit tells an attestation's manifest from a platform's, and whose it is.
const (
	buildkitType    = "vnd.docker.reference.type"
	buildkitDigest  = "vnd.docker.reference.digest"
	buildkitAttests = "attestation-manifest"
)

// load reads everything of the image but its blobs.
func (i *Image) load(ctx context.Context, n bundle.Reference, wanted []ocispec.Platform) error {
	root, err := i.store.root(ctx)
	if err != nil {
		return err
	}
	if n.Digest != "" && root.Desc.Digest != n.Digest {
		return errorf("its source holds %s instead", root.Desc.Digest)
	}
	i.Root = root
	doc, err := parse(root)
	if err != nil {
		return err
	}
	if isIndex(root.Desc.MediaType) {
		err = i.loadIndex(ctx, doc, wanted)
	} else {
		err = i.loadSingle(ctx, doc, wanted)
	}
	if err != nil {
		return err
	}
	return i.loadAttached(ctx)
}

// loadSingle takes the root as the only manifest; it must suit every wanted platform.
func (i *Image) loadSingle(ctx context.Context, doc *document, wanted []ocispec.Platform) error {
	m, err := i.platformManifest(ctx, i.Root, doc, nil)
	if err != nil {
		return err
	}
	if _, err := choose(wanted, []ocispec.Platform{m.Platform}); err != nil {
		return err
	}
	i.Manifests = []PlatformManifest{*m}
	return nil
}

// loadIndex takes the manifests of the wanted platforms, and what BuildKit attests of them.
func (i *Image) loadIndex(ctx context.Context, doc *document, wanted []ocispec.Platform) error {
	entries, attestations := splitIndex(doc.Manifests)
	loaded := make(map[int]*PlatformManifest)
	candidates := make([]ocispec.Platform, len(entries))
	for k, e := range entries {
		if isIndex(e.MediaType) {
			return errorf("it holds an index inside an index (%s), which is not supported", e.Digest)
		}
		if e.Platform != nil {
			candidates[k] = *e.Platform
			continue
		}
		m, err := i.loadManifest(ctx, e)
		if err != nil {
			return err
		}
		loaded[k], candidates[k] = m, m.Platform
	}
	if len(entries) == 0 {
		return errorf("its index %s lists no image", i.Root.Desc.Digest)
	}
	chosen, err := choose(wanted, candidates)
	if err != nil {
		return err
	}
	for _, k := range chosen {
		if loaded[k] == nil {
			if loaded[k], err = i.loadManifest(ctx, entries[k]); err != nil {
				return err
			}
		}
		i.Manifests = append(i.Manifests, *loaded[k])
	}
	return i.loadAttestations(ctx, attestations)
}

// splitIndex parts an index' images from attestations. What is listed twice is taken once.
func splitIndex(descs []ocispec.Descriptor) (images, attestations []ocispec.Descriptor) {
	seen := make(map[digest.Digest]bool, len(descs))
	for _, d := range descs {
		if seen[d.Digest] {
			continue
		}
		seen[d.Digest] = true
		if d.Annotations[buildkitType] == buildkitAttests || (d.Platform != nil && d.Platform.OS == unknown) {
			attestations = append(attestations, d)
		} else {
			images = append(images, d)
		}
	}
	return images, attestations
}

func (i *Image) loadManifest(ctx context.Context, desc ocispec.Descriptor) (*PlatformManifest, error) {
	raw, err := fetch(ctx, desc, i.store.manifest)
	if err != nil {
		return nil, fmt.Errorf("manifest %s: %w", desc.Digest, err)
	}
	doc, err := parse(raw)
	if err != nil {
		return nil, err
	}
	return i.platformManifest(ctx, raw, doc, desc.Platform)
}

// platformManifest reads the config of a manifest. A platform that an index gave goes before the config's.
func (i *Image) platformManifest(ctx context.Context, raw Manifest, doc *document, p *ocispec.Platform) (*PlatformManifest, error) {
	config, err := fetch(ctx, *doc.Config, i.store.blob)
	if err != nil {
		return nil, fmt.Errorf("config %s: %w", doc.Config.Digest, err)
	}
	m := &PlatformManifest{Manifest: raw, Config: config, Layers: doc.Layers}
	if p != nil && p.OS != "" {
		m.Platform = *p
		return m, nil
	}
	m.Platform, err = configPlatform(config)
	return m, err
}

// closing closes what an error makes useless.
func closing(c io.Closer, err error) error { return errors.Join(err, c.Close()) }
