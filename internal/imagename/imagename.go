// Package imagename parses image references as container runtimes do and gives each image one name.
//
// nginx, docker.io/nginx and docker.io/library/nginx:latest are the same image; the last is its canonical name. A
// reference with a digest is canonical without its tag, because a runtime then ignores the tag.
package imagename

import (
	"fmt"
	"slices"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
)

// Name is an image reference, taken apart. Either Tag or Digest is set.
type Name struct {
	Host       string        // docker.io, registry.example.com:5000
	Repository string        // library/nginx
	Tag        string        // "latest" if none was written
	Digest     digest.Digest // always sha256
}

// Parse reads a reference as it stands in a manifest.
func Parse(ref string) (Name, error) {
	named, err := reference.ParseDockerRef(ref)
	if err != nil {
		return Name{}, fmt.Errorf("%q is not an image reference: %w", ref, err)
	}
	n := Name{Host: reference.Domain(named), Repository: reference.Path(named)}
	if tagged, ok := named.(reference.Tagged); ok {
		n.Tag = tagged.Tag()
	}
	if digested, ok := named.(reference.Digested); ok {
		n.Digest = digested.Digest()
		if n.Digest.Algorithm() != digest.SHA256 {
			return Name{}, fmt.Errorf("%q has a %s digest; only sha256 is supported", ref, n.Digest.Algorithm())
		}
	}
	return n, nil
}

// String gives the canonical name: HOST/REPOSITORY:TAG or HOST/REPOSITORY@DIGEST.
func (n Name) String() string {
	if n.Digest != "" {
		return n.Host + "/" + n.Repository + "@" + n.Digest.String()
	}
	return n.Host + "/" + n.Repository + ":" + n.Tag
}

// WithDigest gives the same repository's image with that digest.
func (n Name) WithDigest(d digest.Digest) Name {
	return Name{Host: n.Host, Repository: n.Repository, Digest: d}
}

// MovingTags are the tags that by common use name another image tomorrow. Version tags that also move (1, 1.25)
// cannot be told from those that do not.
func MovingTags() []string {
	return []string{"canary", "dev", "devel", "develop", "edge", "latest", "main", "master", "nightly", "rolling",
		"snapshot", "stable", "trunk", "unstable"}
}

// Moving reports whether the name is by one of MovingTags, or had no tag and so means latest.
func (n Name) Moving() bool { return n.Digest == "" && slices.Contains(MovingTags(), n.Tag) }
