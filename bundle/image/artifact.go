package image

import (
	"context"
	"fmt"
	"io"
	"path"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
)

// unpackAnnotation is how ORAS marks a layer that is a folder, packed as a tar.
const unpackAnnotation = "io.deis.oras.content.unpack"

// File is a file of an OCI artifact: the bytes of one of its layers. Close it after the last read.
type File struct {
	Desc  ocispec.Descriptor
	Title string // its path, as the artifact tells; may be empty
	image *Image
}

// File finds a file of an OCI artifact. A source is one of the forms in the package comment but docker-archive, a registry's
// with docker:// or oci:// before it. A layer is the file that its annotation org.opencontainers.image.title names, as ORAS
// pushes it; without a name, the only layer is meant.
func (r *Resolver) File(ctx context.Context, source, name string) (*File, error) {
	f, err := r.file(ctx, source, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	return f, nil
}

func (r *Resolver) file(ctx context.Context, source, name string) (*File, error) {
	var n bundle.Reference
	for _, scheme := range []string{"docker://", "oci://"} {
		ref, ok := strings.CutPrefix(source, scheme)
		if !ok {
			continue
		}
		var err error
		if n, err = bundle.ParseReference(ref); err != nil {
			return nil, &Error{Problem: err.Error(), Advice: "write it as " + scheme + "HOST/REPOSITORY:TAG#PATH"}
		}
		source = "docker://" + ref
	}
	st, err := r.open(ctx, n, source)
	if err != nil {
		return nil, err
	}
	img := &Image{store: st}
	if err := img.loadManifests(ctx, n, r.cfg.Platforms); err != nil {
		return nil, closing(st, err)
	}
	layer, err := img.titled(name)
	if err != nil {
		return nil, closing(st, err)
	}
	return &File{Desc: bare(layer), Title: layer.Annotations[ocispec.AnnotationTitle], image: img}, nil
}

// titled finds the layer that is a file. Platforms may share it; they must not differ in it.
func (i *Image) titled(name string) (ocispec.Descriptor, error) {
	var all []ocispec.Descriptor
	for _, m := range i.Manifests {
		all = append(all, m.Layers...)
	}
	found := filter(all, func(l ocispec.Descriptor) bool {
		title := l.Annotations[ocispec.AnnotationTitle]
		return name == "" || title != "" && path.Clean("/"+title) == path.Clean("/"+name)
	})
	switch {
	case len(found) == 1 && found[0].Annotations[unpackAnnotation] == "true":
		return found[0], errorf("%s in it is a folder that was packed, not a file", found[0].Annotations[ocispec.AnnotationTitle])
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0:
		return ocispec.Descriptor{}, &Error{Problem: fmt.Sprintf("it holds no file %q", name), Advice: titles(all)}
	case name == "":
		return ocispec.Descriptor{}, &Error{Problem: fmt.Sprintf("it holds %d files", len(found)), Advice: titles(all)}
	}
	return ocispec.Descriptor{}, &Error{Problem: fmt.Sprintf("it holds %d different files %q", len(found), name), Advice: "name an artifact for one platform"}
}

// titles advises which files could have been named.
func titles(layers []ocispec.Descriptor) string {
	var list []string
	for _, l := range layers {
		if t := l.Annotations[ocispec.AnnotationTitle]; t != "" && len(list) < 10 {
			list = append(list, fmt.Sprintf("%.200q", t))
		}
	}
	if len(list) == 0 {
		return "the layers of it have no titles: push the file as an artifact, as oras push does"
	}
	return "add #PATH to the source, one of " + strings.Join(list, ", ")
}

// Open opens the file. The reader fails instead of ending if the bytes are not what the artifact's manifest names.
func (f *File) Open(ctx context.Context) (io.ReadCloser, error) { return f.image.OpenBlob(ctx, f.Desc) }

// Close releases the source.
func (f *File) Close() error { return f.image.Close() }
