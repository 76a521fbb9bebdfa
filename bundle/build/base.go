package build

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/image"
)

// known is a release that was built before.
type known struct {
	ref   string
	given string // what was asked for: ref, or its folder
	// is names the release, and the bundle of it that this one is. A lock file of an older program tells no identity.
	is    bundle.Base
	desc  *bundle.Descriptor
	blobs map[digest.Digest]*bundle.Blob
	// carrier has the bytes that travelled with it; nil for a lock file.
	carrier carrier
	// images are those that a lock file names of parts of the operating system, by the parts' digests.
	images map[digest.Digest]string
}

func newKnown(ref string, is bundle.Base, d *bundle.Descriptor, c carrier) *known {
	k := &known{ref: ref, is: is, desc: d, carrier: c, blobs: make(map[digest.Digest]*bundle.Blob, len(d.Blobs))}
	for i := range d.Blobs {
		k.blobs[d.Blobs[i].Digest] = &d.Blobs[i]
	}
	return k
}

// variantOf tells whether k and o are bundles of one release.
func (k *known) variantOf(o *known) bool {
	return k.is.Digest == o.is.Digest || k.is.Identity != "" && k.is.Identity == o.is.Identity
}

// bases are the releases one of which a site holds.
type bases struct {
	list []*known
	// older are further releases whose bytes can be had; no site need hold them.
	older []*known
	held  map[digest.Digest]bool // the blobs that every one of list has
	// closers are for what the carriers keep open.
	closers []func() error
}

func (s *bases) close() error {
	var errs []error
	for _, c := range s.closers {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// openBases reads what the bases say of themselves; their bytes come later.
func (b *builder) openBases(ctx context.Context) error {
	s := &bases{held: make(map[digest.Digest]bool)}
	b.bases = s
	for _, ref := range b.Bases {
		found, err := b.openBase(ctx, ref)
		if err != nil {
			return err
		}
		base := found[0]
		if base.desc.Name != b.spec.Name {
			return baseError(ref, "", fmt.Errorf("it is the release %s, not %s", base.desc.Name, b.spec.Name))
		}
		s.older = append(s.older, found[1:]...)
		if slices.ContainsFunc(s.list, base.variantOf) {
			s.older = append(s.older, base) // the same release once more: its bytes may help
			continue
		}
		base.given = ref
		s.list = append(s.list, base)
	}
	s.intersect()
	return nil
}

// intersect finds what a site holds whichever of the bases it runs, and whichever bundle brought that: a signature on an
// image may have come between two builds of one release.
func (s *bases) intersect() {
	if len(s.list) == 0 {
		return
	}
	all := slices.Clone(s.list)
	for _, k := range s.older {
		if slices.ContainsFunc(s.list, k.variantOf) {
			all = append(all, k)
		}
	}
	for _, blob := range all[0].desc.Blobs {
		lacks := func(k *known) bool { return k.blobs[blob.Digest] == nil }
		if !slices.ContainsFunc(all[1:], lacks) {
			s.held[blob.Digest] = true
		}
	}
}

// openBase finds out what a REF is. The first of the result is the base.
func (b *builder) openBase(ctx context.Context, ref string) ([]*known, error) {
	path := strings.TrimPrefix(ref, "oci:")
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && path == ref && !looksLikePath(ref):
		return b.registryBase(ctx, ref)
	case errors.Is(err, fs.ErrNotExist):
		if _, perr := os.Stat(path + ".001"); perr == nil {
			return one(bundleBase(path))
		}
		return nil, baseError(ref, "name a bundle, a folder of bundles, a lock file, an OCI layout or a registry reference", err)
	case err != nil:
		return nil, baseError(ref, "", err)
	case st.IsDir():
		if _, err := os.Stat(filepath.Join(path, ocispec.ImageLayoutFile)); err == nil {
			return one(layoutBase(path))
		}
		return b.folderBase(path)
	}
	if isLock, err := beginsWithBrace(path); err != nil {
		return nil, baseError(ref, "", err)
	} else if isLock {
		return one(lockBase(path))
	}
	return one(bundleBase(path))
}

func one(k *known, err error) ([]*known, error) { return []*known{k}, err }

// looksLikePath tells a path with a slip of the pen from a registry reference.
func looksLikePath(ref string) bool {
	if filepath.IsAbs(ref) || strings.HasPrefix(ref, ".") || !strings.Contains(ref, "/") {
		return true
	}
	return strings.HasSuffix(ref, ".tar") || strings.HasSuffix(ref, ".json")
}

// baseError is about a REF that is no base. A bundle that is damaged keeps its own reason.
func baseError(ref, hint string, err error) error {
	switch reasonOf(err, "usage") {
	case "usage", "image":
	default:
		return fmt.Errorf("base %s: %w", ref, err)
	}
	return &Error{reason: "usage", text: fmt.Sprintf("base %s: %v", ref, err), hint: hintOf(err, hint), cause: err}
}

// bundleBase reads the front of a bundle.
func bundleBase(path string) (*known, error) {
	f, err := bundle.OpenFile(path, nil)
	if err != nil {
		return nil, baseError(path, "", err)
	}
	defer f.Close()
	r, err := bundle.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("base %s: %w", path, err)
	}
	return newKnown(path, asBase(r.Descriptor(), r.ReleaseDigest()), r.Descriptor(), bundleCarrier(path)), nil
}

// folderBase takes the newest bundle of the release that is built, by its sequence. Older ones lend their bytes: where the
// newest carries deltas, they have what those are made against.
func (b *builder) folderBase(dir string) ([]*known, error) {
	paths, err := bundle.FindBundles(dir)
	if err != nil {
		return nil, baseError(dir, "", err)
	}
	var found []*known
	for _, p := range paths {
		if sameFile(p, b.Output) {
			continue // this very release, built before
		}
		k, err := bundleBase(p)
		if err != nil {
			return nil, err
		}
		if k.desc.Name == b.spec.Name {
			found = append(found, k)
		}
	}
	if len(found) == 0 {
		return nil, baseError(dir, "name a folder with earlier bundles, or leave --base out",
			fmt.Errorf("it holds no bundle of %s", b.spec.Name))
	}
	slices.SortStableFunc(found, func(x, y *known) int {
		if x.desc.Sequence < y.desc.Sequence {
			return 1
		}
		if x.desc.Sequence > y.desc.Sequence {
			return -1
		}
		return 0
	})
	return found, nil
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

func beginsWithBrace(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head := make([]byte, 64)
	n, err := f.Read(head)
	if n == 0 && err != nil {
		return false, nil // an empty file is no lock; the bundle's reader says what is wrong with it
	}
	return bytes.HasPrefix(bytes.TrimSpace(head[:n]), []byte("{")), nil
}

func lockBase(path string) (*known, error) {
	raw, err := readLimited(path, bundle.MaxDescriptorSize)
	if err != nil {
		return nil, baseError(path, "", err)
	}
	l, err := ParseLock(raw)
	if err != nil {
		return nil, &Error{reason: "usage", text: fmt.Sprintf("base %s is not a lock file: %v", path, err),
			hint: "name the file that build wrote beside the bundle", cause: err}
	}
	k := newKnown(path, l.Release, l.descriptor(), nil)
	k.images = make(map[digest.Digest]string)
	if l.OS != nil {
		for _, p := range l.OS.Parts {
			k.images[p.Digest] = p.Image
		}
	}
	return k, nil
}

// layoutBase reads a bundle that was unpacked, or pulled, into an OCI layout.
func layoutBase(dir string) (*known, error) {
	raw, err := readLimited(filepath.Join(dir, ocispec.ImageIndexFile), bundle.MaxManifestSize)
	if err != nil {
		return nil, baseError(dir, "", err)
	}
	var index ocispec.Index
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, baseError(dir, "", fmt.Errorf("its index.json does not parse: %w", err))
	}
	carrier := layoutCarrier(dir)
	for _, entry := range index.Manifests {
		manifest, err := carrier.read(entry, bundle.MaxManifestSize)
		if err != nil {
			continue // a layout need not hold all that it names
		}
		if config, ok := releaseConfig(manifest); ok {
			return carriedBase(dir, digest.FromBytes(manifest), config, carrier, carrier.read)
		}
	}
	return nil, baseError(dir, "a base must be a release: unpack a bundle, or name it as it is", errors.New("this OCI layout holds no release"))
}

// registryBase finds a release that was pushed to a registry.
func (b *builder) registryBase(ctx context.Context, ref string) ([]*known, error) {
	cfg := b.Images
	cfg.Platforms = nil // a release manifest is for no platform
	img, err := image.NewResolver(cfg).Resolve(ctx, ref, "")
	if err != nil {
		return nil, baseError(ref, "name a bundle, a folder of bundles, a lock file, an OCI layout or a registry reference", err)
	}
	b.bases.closers = append(b.bases.closers, img.Close)
	if _, ok := releaseConfig(img.Root.Raw); !ok {
		return nil, baseError(ref, "a base must be a release, which tells a site whether it holds it", errors.New("it is not a release"))
	}
	config := img.Manifests[0].Config
	read := func(ocispec.Descriptor, int64) ([]byte, error) { return config.Raw, nil }
	return one(carriedBase(ref, img.Root.Desc.Digest, config.Desc, registryCarrier{img}, read))
}

// releaseConfig gives the descriptor blob that a release manifest names.
func releaseConfig(manifest []byte) (ocispec.Descriptor, bool) {
	var m ocispec.Manifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		return ocispec.Descriptor{}, false
	}
	return m.Config, m.ArtifactType == bundle.ArtifactType
}

func carriedBase(ref string, release digest.Digest, config ocispec.Descriptor, c carrier,
	read func(ocispec.Descriptor, int64) ([]byte, error)) (*known, error) {
	raw, err := read(config, bundle.MaxDescriptorSize)
	if err != nil {
		return nil, baseError(ref, "", err)
	}
	d, err := bundle.ParseDescriptor(raw)
	if err != nil {
		return nil, fmt.Errorf("base %s: %w", ref, err)
	}
	return newKnown(ref, asBase(d, release), d, c), nil
}
