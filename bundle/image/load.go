package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/oneline"
)

// Annotations by which BuildKit tells an attestation's manifest from a platform's, and whose it is.
const (
	buildkitType    = "vnd.docker.reference.type"
	buildkitDigest  = "vnd.docker.reference.digest"
	buildkitAttests = "attestation-manifest"
)

// load reads everything of the image but its blobs.
func (i *Image) load(ctx context.Context, n bundle.Reference, wanted []ocispec.Platform) error {
	if err := i.loadManifests(ctx, n, wanted); err != nil {
		return err
	}
	if err := i.checkForeign(ctx); err != nil {
		return err
	}
	return i.loadAttached(ctx)
}

// loadManifests reads what the name resolves to, and the manifests of the wanted platforms.
func (i *Image) loadManifests(ctx context.Context, n bundle.Reference, wanted []ocispec.Platform) error {
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
		return i.loadIndex(ctx, doc, wanted)
	}
	return i.loadSingle(ctx, doc, wanted)
}

// checkForeign makes sure that the source has the layers that need not be there: foreign ones, whose bytes are at the
// addresses that the manifest gives. A site has no network to get them by.
func (i *Image) checkForeign(ctx context.Context) error {
	for _, m := range i.Manifests {
		for _, l := range m.Layers {
			if !strings.Contains(l.MediaType, ".foreign.") && !strings.Contains(l.MediaType, "nondistributable") {
				continue
			}
			rc, err := i.OpenBlob(ctx, l)
			if errors.Is(err, errNotFound) {
				return foreignLayer(l)
			}
			if err != nil {
				return err
			}
			if err := rc.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}

func foreignLayer(l ocispec.Descriptor) error {
	at := "nowhere that the manifest tells"
	if len(l.URLs) > 0 {
		at = oneline.Clean(strings.Join(l.URLs, " "), 300)
	}
	return &Error{Problem: fmt.Sprintf("its layer %s is a foreign (non-distributable) one: the source does not have it, it is at %s", l.Digest, at),
		Advice: "push the image with that layer to a registry of yours, if its licence allows it, and name that as the source", hidden: errNotFound}
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

// loadIndex takes the wanted platforms, and what BuildKit attests of them.
func (i *Image) loadIndex(ctx context.Context, doc *document, wanted []ocispec.Platform) error {
	w := walk{img: i, indexes: make(map[digest.Digest]Manifest)}
	if err := w.index(ctx, doc.Manifests, nil); err != nil {
		return err
	}
	if err := w.findPlatforms(ctx); err != nil {
		return err
	}
	i.note(w.left...)
	if len(w.images) == 0 {
		return errorf("its index %s lists no image that can be had%s", i.Root.Desc.Digest, because(w.left))
	}
	if err := w.take(ctx, wanted); err != nil {
		return err
	}
	return i.loadAttestations(ctx, w.attestations)
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
