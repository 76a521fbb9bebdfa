package receipt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/bundle"
)

// ArtifactType is that of a statement in a registry: a manifest of one layer, tagged with the statement's name.
const ArtifactType = "application/vnd.sallyport.receipt.v1+json"

// maxTag bounds a tag, by the distribution specification.
const maxTag = 128

// registry is a repository that takes each statement as an artifact.
type registry struct {
	target, host, repo string
	client             *mirror.Client
}

func openRegistry(target string, u *url.URL, ca string) (Target, error) {
	scheme := "https"
	if u.Scheme == "oci+http" {
		scheme = "http"
	}
	password, _ := u.User.Password()
	c, err := mirror.New(mirror.Config{URL: scheme + "://" + u.Host, Username: u.User.Username(), Password: password, CAFile: ca,
		Tries: 1, Stall: sendTime})
	if err != nil {
		return nil, err
	}
	return &registry{target, u.Host, strings.Trim(u.Path, "/"), c}, nil
}

// URL is the target as site.yaml names it.
func (r *registry) URL() string { return r.target }

// Send pushes a statement.
func (r *registry) Send(ctx context.Context, name string, statement []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 2*sendTime)
	defer cancel()
	err := r.push(ctx, name, statement)
	var answer *mirror.StatusError
	if errors.As(err, &answer) {
		return judge(r.host, answer.Code)
	}
	return err
}

func (r *registry) push(ctx context.Context, name string, statement []byte) error {
	layer := ocispec.Descriptor{MediaType: bundle.MediaTypeSigstoreBundle, Digest: digest.FromBytes(statement), Size: int64(len(statement)),
		Annotations: map[string]string{ocispec.AnnotationTitle: name}}
	m := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, ArtifactType: ArtifactType,
		Config: ocispec.DescriptorEmptyJSON, Layers: []ocispec.Descriptor{layer}}
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	for _, blob := range []struct {
		desc ocispec.Descriptor
		data []byte
	}{{layer, statement}, {m.Config, m.Config.Data}} {
		open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(blob.data)), nil }
		if _, err := r.client.PushBlob(ctx, r.repo, blob.desc, open); err != nil {
			return err
		}
	}
	tag := strings.TrimSuffix(name, ".json")
	if len(tag) > maxTag {
		tag = layer.Digest.Encoded()
	}
	_, err = r.client.PushManifest(ctx, r.repo, tag, m.MediaType, raw)
	return err
}
