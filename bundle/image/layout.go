package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
)

// layout is an OCI image layout.
type layout struct {
	files   files
	entries []ocispec.Descriptor // of index.json
	image   ocispec.Descriptor   // the one of them that was asked for
	tags    map[string]ocispec.Descriptor
	// bySubject lists the manifests of index.json that have a subject, by its digest.
	bySubject map[digest.Digest][]ocispec.Descriptor
}

// openLayout reads what a layout's index.json names. It owns f, also on failure.
func openLayout(f files, n bundle.Reference, pick string) (store, error) {
	l := &layout{files: f,
		tags: make(map[string]ocispec.Descriptor), bySubject: make(map[digest.Digest][]ocispec.Descriptor)}
	err := l.readIndex()
	if err == nil {
		err = l.readEntries()
	}
	if err == nil {
		l.image, err = pickEntry(l.candidates(), n, pick)
	}
	if err != nil {
		return nil, closing(f, err)
	}
	l.tagCosignSaved()
	return l, nil
}

func (l *layout) readIndex() error {
	marker, err := readFile(l.files, ocispec.ImageLayoutFile)
	if errors.Is(err, errNotFound) {
		return &Error{Problem: "the source is not an OCI image layout", Err: err}
	}
	if err != nil {
		return err
	}
	var version ocispec.ImageLayout
	if err := json.Unmarshal(marker, &version); err != nil || version.Version != ocispec.ImageLayoutVersion {
		return errorf("%s does not say version %s: %.100q", ocispec.ImageLayoutFile, ocispec.ImageLayoutVersion, marker)
	}
	raw, err := readFile(l.files, ocispec.ImageIndexFile)
	if err != nil {
		return err
	}
	doc, err := parse(newManifest(raw, ocispec.MediaTypeImageIndex))
	if err != nil {
		return err
	}
	l.entries = doc.Manifests
	return nil
}

// readEntries notes the entries' tags and subjects.
func (l *layout) readEntries() error {
	for _, e := range l.entries {
		if tag := e.Annotations[ocispec.AnnotationRefName]; attachedTag(tag) {
			l.tags[tag] = e
		}
		if !isManifest(e.MediaType) {
			continue
		}
		m, err := fetch(context.Background(), e, l.manifest)
		var unusable *Error
		if errors.As(err, &unusable) {
			continue // a layout need not hold all that it names; what is asked for is missed then
		}
		if err != nil {
			return err
		}
		var doc document
		if err := json.Unmarshal(m.Raw, &doc); err == nil && doc.Subject != nil {
			l.bySubject[doc.Subject.Digest] = append(l.bySubject[doc.Subject.Digest], e)
		}
	}
	return nil
}

func (l *layout) Close() error { return l.files.Close() }

func (l *layout) root(ctx context.Context) (Manifest, error) {
	return fetch(ctx, l.image, l.manifest)
}

// tagCosignSaved gives entries that cosign save wrote the tags they stand for. They can only be the image's.
func (l *layout) tagCosignSaved() {
	for _, e := range l.entries {
		if suffix := cosignSaved(e); suffix != "" {
			l.tags[tagFor(l.image.Digest, suffix)] = e
		}
	}
}

// candidates are the entries that are images, not something attached to one.
func (l *layout) candidates() []ocispec.Descriptor {
	attached := make(map[digest.Digest]bool)
	for _, descs := range l.bySubject {
		for _, d := range descs {
			attached[d.Digest] = true
		}
	}
	var images []ocispec.Descriptor
	for _, e := range l.entries {
		tag := e.Annotations[ocispec.AnnotationRefName]
		if !attached[e.Digest] && !attachedTag(tag) && cosignSaved(e) == "" && (isIndex(e.MediaType) || isManifest(e.MediaType)) {
			images = append(images, e)
		}
	}
	return images
}

func (l *layout) manifest(_ context.Context, desc ocispec.Descriptor) (io.ReadCloser, error) {
	return l.files.open(blobPath(desc.Digest))
}

func (l *layout) blob(_ context.Context, desc ocispec.Descriptor) (io.ReadCloser, error) {
	return l.files.open(blobPath(desc.Digest))
}

// blobPath is for digests that checkDescriptor has seen.
func blobPath(d digest.Digest) string {
	return ocispec.ImageBlobsDir + "/" + d.Algorithm().String() + "/" + d.Encoded()
}

func (l *layout) tagged(ctx context.Context, tag string) (Manifest, error) {
	e, ok := l.tags[tag]
	if !ok {
		return Manifest{}, fmt.Errorf("tag %s: %w", tag, errNotFound)
	}
	return fetch(ctx, e, l.manifest)
}

// referrers are the entries with that subject, and those that a fallback tag lists.
func (l *layout) referrers(ctx context.Context, d digest.Digest) ([]ocispec.Descriptor, error) {
	descs := l.bySubject[d]
	m, err := l.tagged(ctx, tagFor(d, ""))
	if errors.Is(err, errNotFound) {
		return descs, nil
	}
	if err != nil {
		return nil, err
	}
	listed, err := fallbackList(m)
	return append(descs[:len(descs):len(descs)], listed...), err
}

// fallbackList gives what a referrers fallback tag lists.
func fallbackList(m Manifest) ([]ocispec.Descriptor, error) {
	if !isIndex(m.Desc.MediaType) {
		return nil, nil // somebody's tag that only looks like one
	}
	doc, err := parse(m)
	if err != nil {
		return nil, err
	}
	return doc.Manifests, nil
}
