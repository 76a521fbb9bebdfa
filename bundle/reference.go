package bundle

import (
	"fmt"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
)

// Reference is an image reference, taken apart.
type Reference struct {
	Host       string        // registry.example.com, docker.io, localhost:5000
	Repository string        // team/pick-engine, library/nginx
	Tag        string        // empty if there is none
	Digest     digest.Digest // empty if there is none
}

// ParseReference takes apart what stands in a manifest's image field, with Docker's rules for short names: "nginx" is
// docker.io/library/nginx:latest.
func ParseReference(s string) (Reference, error) {
	named, err := reference.ParseNormalizedNamed(s)
	if err != nil {
		return Reference{}, fmt.Errorf("%q is not an image reference: %w", s, err)
	}
	named = reference.TagNameOnly(named)
	r := Reference{Host: reference.Domain(named), Repository: reference.Path(named)}
	if t, ok := named.(reference.Tagged); ok {
		r.Tag = t.Tag()
	}
	if d, ok := named.(reference.Digested); ok {
		r.Digest = d.Digest()
	}
	return r, nil
}

// String is the full form, the one that Image.Name has.
func (r Reference) String() string {
	s := r.Host + "/" + r.Repository
	if r.Tag != "" {
		s += ":" + r.Tag
	}
	if r.Digest != "" {
		s += "@" + r.Digest.String()
	}
	return s
}
