package build

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
)

const kindLock = "Lock"

// Lock is FILE.lock.json: what a release consists of. With the registries that its images come from it serves as a base.
type Lock struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"` // always "Lock"
	Release    bundle.Base    `json:"release"`
	Platforms  []string       `json:"platforms"`
	Images     []bundle.Image `json:"images"`
	Blobs      []LockBlob     `json:"blobs"`
	OS         *LockOS        `json:"os,omitempty"`
	SBOMs      []bundle.SBOM  `json:"sboms,omitempty"`
}

// LockOS is the operating system.
type LockOS struct {
	Version string     `json:"version,omitempty"`
	Parts   []LockPart `json:"parts"`
}

// LockPart is a part of it.
type LockPart struct {
	bundle.OSPart
	// Image is what release.yaml named. A later build reads the part from there, if the bytes are still the same.
	Image string `json:"image,omitempty"`
}

// LockBlob is a layer, a config or an attached artifact's content.
type LockBlob struct {
	Digest    digest.Digest `json:"digest"`
	Size      int64         `json:"size"`
	MediaType string        `json:"mediaType"`
	// Files are those that cost the most in the bundle beside this lock, the dearest first: more than the bundle names itself.
	Files []bundle.FileCost `json:"files,omitempty"`
}

// NewLock tells of a release what its lock file tells.
func NewLock(d *bundle.Descriptor, release digest.Digest) *Lock {
	l := &Lock{APIVersion: bundle.APIVersion, Kind: kindLock, Release: asBase(d, release),
		Platforms: d.Platforms, Images: d.Images, SBOMs: d.SBOMs}
	for _, b := range d.Blobs {
		l.Blobs = append(l.Blobs, LockBlob{Digest: b.Digest, Size: b.Size, MediaType: b.MediaType})
	}
	if d.OS != nil {
		l.OS = &LockOS{Version: d.OS.Version}
		for _, p := range d.OS.Parts {
			l.OS.Parts = append(l.OS.Parts, LockPart{OSPart: p})
		}
	}
	return l
}

// asBase is how a release is named as a base.
func asBase(d *bundle.Descriptor, release digest.Digest) bundle.Base {
	return bundle.Base{Digest: release, Identity: d.Identity(), Name: d.Name, Version: d.Version, Sequence: d.Sequence}
}

// Marshal gives the lock file, for people to read too.
func (l *Lock) Marshal() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(l); err != nil {
		return nil, fmt.Errorf("encoding the lock file: %w", err)
	}
	return b.Bytes(), nil
}

// ParseLock reads a lock file and checks it by the rules of a release descriptor.
func ParseLock(b []byte) (*Lock, error) {
	if len(b) > bundle.MaxDescriptorSize {
		return nil, fmt.Errorf("it has more than %d bytes", bundle.MaxDescriptorSize)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	l := &Lock{}
	if err := dec.Decode(l); err != nil {
		return nil, fmt.Errorf("it does not parse: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows its end")
	}
	if l.APIVersion != bundle.APIVersion || l.Kind != kindLock {
		return nil, fmt.Errorf("it is of kind %.64q %.64q, not %s %s", l.APIVersion, l.Kind, bundle.APIVersion, kindLock)
	}
	return l, l.descriptor().Validate()
}

// descriptor shows the lock as a release that carries nothing but the knowledge of what the site holds.
func (l *Lock) descriptor() *bundle.Descriptor {
	d := &bundle.Descriptor{
		APIVersion: bundle.APIVersion, Kind: "Release",
		Name: l.Release.Name, Version: l.Release.Version, Sequence: l.Release.Sequence,
		Created: time.Unix(0, 0).UTC(), Platforms: l.Platforms, Bases: []bundle.Base{l.Release},
		Images: l.Images, Manifests: bundle.Manifests{Digest: digest.FromBytes(nil)},
	}
	for _, b := range l.Blobs {
		d.Blobs = append(d.Blobs, bundle.Blob{Digest: b.Digest, Size: b.Size, MediaType: b.MediaType, Form: bundle.FormReuse})
	}
	if l.OS != nil {
		d.OS = &bundle.OS{Version: l.OS.Version}
		for _, p := range l.OS.Parts {
			d.OS.Parts = append(d.OS.Parts, p.OSPart)
		}
	}
	for _, s := range l.SBOMs {
		s.Form = bundle.FormReuse
		d.SBOMs = append(d.SBOMs, s)
	}
	return d
}
