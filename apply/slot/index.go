package slot

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
)

const (
	indexFile  = "slot.json"
	apiVersion = "sallyport.dev/v1"
	indexKind  = "Slot"
)

// index says what a slot must hold.
type index struct {
	APIVersion string        `json:"apiVersion"`
	Kind       string        `json:"kind"`
	Release    digest.Digest `json:"release"`
	Files      []file        `json:"files"`
}

type file struct {
	Name   string        `json:"name"`
	Digest digest.Digest `json:"digest"`
	Size   int64         `json:"size"`
}

func newIndex(r *Release) index {
	x := index{APIVersion: apiVersion, Kind: indexKind, Release: r.Digest()}
	for _, p := range r.parts() {
		data := *p.data(r)
		x.Files = append(x.Files, file{p.name, digest.FromBytes(data), int64(len(data))})
	}
	return x
}

func (x index) marshal() ([]byte, error) {
	b, err := json.Marshal(x)
	return append(b, '\n'), err
}

// parseIndex accepts the one byte form that marshal writes.
func parseIndex(b []byte) (*index, error) {
	var x index
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&x); err != nil {
		return nil, fmt.Errorf("it is not a slot's index: %w", err)
	}
	again, err := x.marshal()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(b, again) {
		return nil, errors.New("it is not in the form in which it was written")
	}
	return &x, x.validate()
}

// parts are the files that the index has to name, in their order: an optional one only if it does name it.
func (x *index) parts() []part {
	return slices.DeleteFunc(parts(), func(p part) bool {
		return p.optional && !slices.ContainsFunc(x.Files, func(f file) bool { return f.Name == p.name && f.Size > 0 })
	})
}

func (x *index) validate() error {
	if x.APIVersion != apiVersion || x.Kind != indexKind {
		return fmt.Errorf("it says %q %q, not %q %q", x.APIVersion, x.Kind, apiVersion, indexKind)
	}
	all := x.parts()
	if len(x.Files) != len(all) {
		return fmt.Errorf("it names %d files, not %d", len(x.Files), len(all))
	}
	for i, f := range x.Files {
		switch {
		case f.Name != all[i].name:
			return fmt.Errorf("it names the file %q, not %s", f.Name, all[i].name)
		case f.Size < 0 || f.Size > all[i].max:
			return fmt.Errorf("%s: a size of %d bytes is out of range", f.Name, f.Size)
		case f.Digest.Validate() != nil || f.Digest.Algorithm() != digest.SHA256:
			return fmt.Errorf("%s: %q is not a sha256 digest", f.Name, f.Digest)
		}
	}
	if x.Release != x.Files[0].Digest {
		return fmt.Errorf("it names release %s, but the manifest is %s", x.Release, x.Files[0].Digest)
	}
	return nil
}
