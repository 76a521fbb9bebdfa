package bundle

import (
	"fmt"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
)

// Reference is an image reference, taken apart. Either Tag or Digest is set.
type Reference struct {
	Host       string        // registry.example.com:5000, docker.io
	Repository string        // path without the host: team/pick-engine, library/nginx
	Tag        string        // "latest" if none was written
	Digest     digest.Digest // always sha256
}

// ParseReference takes apart what stands in a manifest's image field, as container runtimes do, so that each image
// has one name: "nginx", "docker.io/nginx" and "docker.io/library/nginx:latest" are the same image. A tag beside a
// digest is dropped, because a runtime ignores it.
func ParseReference(s string) (Reference, error) {
	named, err := reference.ParseDockerRef(s)
	if err != nil {
		return Reference{}, fmt.Errorf("%q is not an image reference: %w", s, err)
	}
	r := Reference{Host: reference.Domain(named), Repository: reference.Path(named)}
	if t, ok := named.(reference.Tagged); ok {
		r.Tag = t.Tag()
	}
	if d, ok := named.(reference.Digested); ok {
		r.Digest = d.Digest()
		if r.Digest.Algorithm() != digest.SHA256 {
			return Reference{}, fmt.Errorf("%q has a %s digest; only sha256 is supported", s, r.Digest.Algorithm())
		}
	}
	return r, nil
}

// String is the full form, the one that Image.Name has: HOST/REPOSITORY:TAG or HOST/REPOSITORY@DIGEST.
func (r Reference) String() string {
	if r.Digest != "" {
		return r.Host + "/" + r.Repository + "@" + r.Digest.String()
	}
	return r.Host + "/" + r.Repository + ":" + r.Tag
}

// WithDigest refers to the image of the same repository that has that digest.
func (r Reference) WithDigest(d digest.Digest) Reference {
	return Reference{Host: r.Host, Repository: r.Repository, Digest: d}
}
