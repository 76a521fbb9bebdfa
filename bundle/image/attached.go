package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"
)

const (
	// maxAttached bounds the artifacts of one image, maxReferrerDepth how far artifacts of artifacts are followed.
	maxAttached      = 1024
	maxReferrerDepth = 3
	// lookups is how many of an image's digests are asked about at a time.
	lookups = 4
)

// tagFor gives the tag that belongs to a digest: with a suffix of cosign's, or "" for the referrers fallback.
func tagFor(d digest.Digest, suffix string) string {
	return d.Algorithm().String() + "-" + d.Encoded() + suffix
}

// cosignSuffixes are cosign's tags for signatures, attestations and SBOMs.
func cosignSuffixes() []string { return []string{".sig", ".att", ".sbom"} }

// loadAttestations takes those of BuildKit's attestations whose image is taken. Copies and proxies of an index often
// lack them.
func (i *Image) loadAttestations(ctx context.Context, descs []ocispec.Descriptor) error {
	for _, desc := range descs {
		for _, m := range i.Manifests {
			if desc.Annotations[buildkitDigest] != m.Desc.Digest.String() {
				continue
			}
			a, err := i.loadArtifact(ctx, desc, m.Desc)
			if err == nil {
				a.Attachment = ByIndex
				i.Attached = append(i.Attached, a.Artifact)
				continue
			}
			note, err := optional(err, "attestation %s, which its index lists, stays behind", desc.Digest)
			if err != nil {
				return err
			}
			i.note(note)
		}
	}
	return nil
}

// note adds notes, each once.
func (i *Image) note(texts ...string) {
	for _, text := range texts {
		if !slices.Contains(i.Notes, text) {
			i.Notes = append(i.Notes, text)
		}
	}
}

// optional says in a note that something optional stays behind because of err. It gives the error back if that is not
// the last word: whoever builds again must get the same bundle, so no fault of the moment may cost a signature.
// Two such faults are answers all the same: 500, which some registries give to every request that they do not know,
// and those of another host, to which a registry sends whoever is not logged in.
func optional(err error, format string, args ...any) (note string, fatal error) {
	var (
		final   *Error
		trouble *NetworkError
	)
	switch {
	case errors.As(err, &trouble):
		if trouble.Status != http.StatusInternalServerError && !trouble.elsewhere {
			return "", err
		}
	case !errors.As(err, &final):
		return "", err
	}
	why := err.Error()
	if errors.Is(err, errNotFound) {
		why = "it is listed but not there"
	}
	return fmt.Sprintf(format, args...) + ": " + why, nil
}

// loadAttached finds what belongs to the root and to each manifest, then what belongs to that.
func (i *Image) loadAttached(ctx context.Context) error {
	subjects := []ocispec.Descriptor{i.Root.Desc}
	for _, m := range i.Manifests {
		if m.Desc.Digest != i.Root.Desc.Digest {
			subjects = append(subjects, m.Desc)
		}
	}
	seen := make(map[string]bool)
	for _, a := range i.Attached {
		seen[a.key()] = true
	}
	find := i.findAttached
	for depth := 0; depth < maxReferrerDepth && len(subjects) > 0; depth++ {
		found, err := findAll(ctx, subjects, find)
		if err != nil {
			return err
		}
		subjects, find = nil, i.findReferrers // cosign's tags are for images only
		for _, a := range found {
			i.note(a.notes...)
			for _, artifact := range a.artifacts {
				if seen[artifact.key()] {
					continue
				}
				seen[artifact.key()] = true
				i.Attached = append(i.Attached, artifact)
				subjects = append(subjects, artifact.Desc)
			}
		}
		if len(i.Attached) > maxAttached {
			return errorf("more than %d artifacts are attached to it", maxAttached)
		}
	}
	return nil
}

// key tells attachments apart: the same bytes may belong to an image in two ways.
func (a *Artifact) key() string {
	return a.Tag + " " + a.Subject.Digest.String() + " " + a.Desc.Digest.String()
}

// found is what belongs to one digest.
type found struct {
	artifacts []Artifact
	notes     []string
}

// findAll calls find for every subject, several at a time; the results are in the subjects' order.
func findAll(ctx context.Context, subjects []ocispec.Descriptor,
	find func(context.Context, ocispec.Descriptor) (found, error)) ([]found, error) {
	results := make([]found, len(subjects))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	for k, subject := range subjects {
		group.Go(func() error {
			f, err := find(ctx, subject)
			if err != nil {
				return fmt.Errorf("what is attached to %s: %w", subject.Digest, err)
			}
			results[k] = f
			return nil
		})
	}
	return results, group.Wait()
}

// findAttached finds an image's artifacts by cosign's tags and by subject.
func (i *Image) findAttached(ctx context.Context, subject ocispec.Descriptor) (found, error) {
	var f found
	for _, suffix := range cosignSuffixes() {
		m, err := i.store.tagged(ctx, tagFor(subject.Digest, suffix))
		if errors.Is(err, errNotFound) {
			continue
		}
		var a *loadedArtifact
		if err == nil {
			a, err = i.newArtifact(ctx, m, subject)
		}
		if err != nil {
			// The tag itself is left out: a registry that answers so for one does for all, and once is enough.
			note, err := optional(err, "what cosign's tags name stays behind, if there is anything")
			if err != nil {
				return f, err
			}
			f.notes = append(f.notes, note)
			continue
		}
		a.Attachment, a.Tag = ByTag, tagFor(subject.Digest, suffix)
		f.artifacts = append(f.artifacts, a.Artifact)
	}
	referrers, err := i.findReferrers(ctx, subject)
	f.artifacts = append(f.artifacts, referrers.artifacts...)
	f.notes = append(f.notes, referrers.notes...)
	return f, err
}

// findReferrers finds artifacts by their subject. A listing may be out of date: what is not there or has another
// subject stays behind with a note.
func (i *Image) findReferrers(ctx context.Context, subject ocispec.Descriptor) (found, error) {
	var f found
	descs, err := i.store.referrers(ctx, subject.Digest)
	if err != nil {
		note, err := optional(err, "what refers to it stays behind, if there is anything")
		return found{notes: []string{note}}, err
	}
	if len(descs) > maxAttached {
		return f, errorf("more than %d artifacts are listed", maxAttached)
	}
	for _, desc := range descs {
		if !isManifest(desc.MediaType) {
			f.notes = append(f.notes, fmt.Sprintf("referrer %s is a %s and stays behind", desc.Digest, desc.MediaType))
			continue
		}
		a, err := i.loadArtifact(ctx, desc, subject)
		switch {
		case err != nil:
			note, err := optional(err, "referrer %s stays behind", desc.Digest)
			if err != nil {
				return f, err
			}
			f.notes = append(f.notes, note)
		case a.refersTo != subject.Digest:
			f.notes = append(f.notes, fmt.Sprintf("referrer %s is listed for %s but has another subject", desc.Digest, subject.Digest))
		default:
			a.Attachment = ByReferrer
			f.artifacts = append(f.artifacts, a.Artifact)
		}
	}
	return f, nil
}

// loadedArtifact is an artifact with the subject that its own manifest names.
type loadedArtifact struct {
	Artifact
	refersTo digest.Digest
}

func (i *Image) loadArtifact(ctx context.Context, desc, subject ocispec.Descriptor) (*loadedArtifact, error) {
	m, err := fetch(ctx, desc, i.store.manifest)
	if err != nil {
		return nil, err
	}
	return i.newArtifact(ctx, m, subject)
}

// newArtifact reads an artifact's manifest and makes sure that its content can be had: once it is listed in a release,
// it has to travel.
func (i *Image) newArtifact(ctx context.Context, m Manifest, subject ocispec.Descriptor) (*loadedArtifact, error) {
	doc, err := parse(m)
	if err != nil {
		return nil, err
	}
	if doc.Config == nil {
		return nil, errorf("%s is an index and no artifact", m.Desc.Digest)
	}
	a := &loadedArtifact{Artifact: Artifact{Manifest: m, Subject: subject, Config: *doc.Config, Layers: doc.Layers,
		ArtifactType: doc.ArtifactType, Annotations: doc.Annotations}}
	if a.ArtifactType == "" {
		a.ArtifactType = doc.Config.MediaType // as the distribution specification has it
	}
	if doc.Subject != nil {
		a.refersTo = doc.Subject.Digest
	}
	for _, desc := range append([]ocispec.Descriptor{a.Config}, a.Layers...) {
		if err := i.probe(ctx, desc); err != nil {
			return nil, fmt.Errorf("blob %s of it: %w", desc.Digest, err)
		}
	}
	return a, nil
}

// probe finds out whether a blob can be had. Small ones are read, so that damage shows as well.
func (i *Image) probe(ctx context.Context, desc ocispec.Descriptor) error {
	rc, err := i.OpenBlob(ctx, desc)
	if err != nil {
		return err
	}
	if desc.Size <= maxDocument {
		_, err = io.Copy(io.Discard, rc)
	}
	return errors.Join(err, rc.Close())
}
