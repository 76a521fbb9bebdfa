package image

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
)

// Config is where a Resolver looks and what it takes. The zero value reads public registries, all platforms.
type Config struct {
	// Platforms to take from an index; all of it if empty. See bundle.ParsePlatform.
	Platforms []ocispec.Platform
	// Dir is what relative paths in sources are relative to; the working directory if empty.
	Dir string
	// Keychain gives registry credentials; nil: the docker and podman configuration, credential helpers included.
	Keychain authn.Keychain
	// Transport carries registry requests; nil: a new one that honours the proxy environment.
	Transport http.RoundTripper
	// Insecure allows plain HTTP for every registry. Registries on loopback and private addresses always may use it.
	Insecure bool
	// Patience is how long registries are waited for.
	Patience Patience
}

// Resolver finds images. It may be used by several goroutines.
type Resolver struct {
	cfg Config
}

// NewResolver prepares a Resolver; nothing is contacted yet.
func NewResolver(cfg Config) *Resolver {
	if cfg.Keychain == nil {
		cfg.Keychain = authn.DefaultKeychain
	}
	if cfg.Transport == nil {
		cfg.Transport = newTransport()
	}
	cfg.Patience = cfg.Patience.orDefaults()
	return &Resolver{cfg: cfg}
}

// Resolve finds the image that is called name, with its manifests, configs and attached artifacts. Blobs are read
// later, by OpenBlob. Source is one of the forms in the package comment; empty means the name's registry.
func (r *Resolver) Resolve(ctx context.Context, name, source string) (*Image, error) {
	n, err := bundle.ParseReference(name)
	if err != nil {
		return nil, &Error{Problem: err.Error(), Advice: "write it as HOST/REPOSITORY:TAG"}
	}
	img, err := r.resolve(ctx, n, source)
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", name, err)
	}
	return img, nil
}

func (r *Resolver) resolve(ctx context.Context, n bundle.Reference, source string) (*Image, error) {
	st, err := r.open(ctx, n, source)
	if err != nil {
		return nil, err
	}
	img := &Image{Name: n.String(), store: st}
	if err := img.load(ctx, n, r.cfg.Platforms); err != nil {
		return nil, closing(st, err)
	}
	return img, nil
}

// open opens the store that a source names.
func (r *Resolver) open(ctx context.Context, n bundle.Reference, source string) (store, error) {
	src, err := parseSource(source, r.cfg.Dir)
	if err != nil {
		return nil, err
	}
	switch src.kind {
	case kindLayout:
		return openLayout(dirFiles(src.path), n, src.name)
	case kindLayoutArchive, kindDockerArchive:
		return openArchive(ctx, src, n)
	}
	if src.name != "" {
		if n, err = bundle.ParseReference(src.name); err != nil {
			return nil, &Error{Problem: err.Error(), Advice: "write the source as HOST/REPOSITORY:TAG"}
		}
	}
	return openRegistry(ctx, n, r.cfg)
}
