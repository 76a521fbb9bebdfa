package bundle

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"
)

// Marshal validates d and gives its one byte form.
func (d *Descriptor) Marshal() ([]byte, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	b, err := canonical(d.normal())
	if err != nil {
		return nil, formatf("encode the release descriptor: %w", err)
	}
	if len(b) > MaxDescriptorSize {
		return nil, formatf("the release descriptor has %d bytes, more than %d", len(b), MaxDescriptorSize)
	}
	return b, nil
}

// normal is a copy in which what JSON could write in two ways is written in one: times in UTC, lists never null.
func (d *Descriptor) normal() *Descriptor {
	c := *d
	c.Created = d.Created.UTC()
	if d.Expires != nil {
		t := d.Expires.UTC()
		c.Expires = &t
	}
	c.Platforms = list(d.Platforms)
	c.Blobs = list(d.Blobs)
	c.Overlays = slices.Clone(d.Overlays)
	for i := range c.Overlays {
		if t := c.Overlays[i].Expires; t != nil {
			utc := t.UTC()
			c.Overlays[i].Expires = &utc
		}
	}
	c.Images = append([]Image{}, d.Images...)
	for i := range c.Images {
		c.Images[i].normalise()
	}
	return &c
}

func (im *Image) normalise() {
	im.Manifests = append([]ImageManifest{}, im.Manifests...)
	for i := range im.Manifests {
		im.Manifests[i].Layers = list(im.Manifests[i].Layers)
	}
	im.Indexes = append([]InnerIndex(nil), im.Indexes...)
	im.Attached = append([]Attached(nil), im.Attached...)
	for i := range im.Attached {
		im.Attached[i].Blobs = list(im.Attached[i].Blobs)
	}
}

// list makes a nil slice an empty one, which JSON writes as [] and not as null.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// ParseDescriptor reads the one byte form that Marshal writes and refuses every other. A descriptor of a later version
// of the format has Reason "newer".
func ParseDescriptor(b []byte) (*Descriptor, error) {
	if len(b) > MaxDescriptorSize {
		return nil, formatf("the release descriptor has %d bytes, more than %d", len(b), MaxDescriptorSize)
	}
	if err := checkDensity(b); err != nil {
		return nil, formatf("the release descriptor is refused: %w", err)
	}
	if err := checkVersion(b); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	d := &Descriptor{}
	if err := dec.Decode(d); err != nil {
		e := formatf("the release descriptor does not parse: %w", err)
		e.hint = "the bundle was altered, or a newer sallyport made it: ask the factory which one"
		return nil, e
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, formatf("the release descriptor has bytes after its end")
	}
	if err := d.Validate(); err != nil {
		return nil, err
	}
	same, at, err := sameJSON(b, d.normal())
	if err != nil {
		return nil, formatf("encode the release descriptor: %w", err)
	}
	if !same {
		return nil, formatf("the release descriptor is not in its one byte form (first difference at byte %d)", at)
	}
	if id := identify(d); d.ID != "" && d.ID != id {
		return nil, formatf("the release descriptor says that its identity is %s, and what it describes has %s", d.ID, id)
	}
	return d, nil
}

// checkVersion tells a descriptor that a later sallyport wrote from one that is wrong.
func checkVersion(b []byte) error {
	var v struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return formatf("the release descriptor does not parse: %w", err)
	}
	if group, _, _ := strings.Cut(APIVersion, "/"); v.APIVersion != APIVersion && strings.HasPrefix(v.APIVersion, group+"/v") {
		return newer("the release descriptor", v.APIVersion, APIVersion)
	}
	return nil
}

// newer is the error for a document of a later version of the format.
func newer(what, has, knows string) *Error {
	e := errorf(reasonNewer, "%s has version %q; this program knows %s", what, has, knows)
	e.hint = "use the sallyport that travels beside the bundle, or a newer one"
	return e
}

// wholeSeconds tells whether t can be written and read back without loss.
func wholeSeconds(t time.Time) bool {
	return t.Nanosecond() == 0 && t.UTC().Year() >= 1970 && t.UTC().Year() <= 9999
}

// firstDifference is the offset of the first byte in which a and b differ.
func firstDifference(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
