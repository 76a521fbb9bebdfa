package image

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/sallyport-dev/sallyport/bundle"
)

// chartConfig and chartLayer are the media types by which Helm keeps charts in registries.
const (
	chartConfig = "application/vnd.cncf.helm.config.v1+json"
	chartLayer  = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
)

// maxChart bounds the bytes of a packed chart.
const maxChart = 32 << 20

// Chart reads a Helm chart from a registry and gives its archive. Ref is HOST/REPOSITORY:VERSION or
// HOST/REPOSITORY@DIGEST, with or without oci:// before it.
func (r *Resolver) Chart(ctx context.Context, ref string) ([]byte, error) {
	archive, err := r.chart(ctx, strings.TrimPrefix(ref, "oci://"))
	if err != nil {
		return nil, fmt.Errorf("chart %s: %w", ref, err)
	}
	return archive, nil
}

func (r *Resolver) chart(ctx context.Context, ref string) ([]byte, error) {
	name := ref[strings.LastIndex(ref, "/")+1:]
	if !strings.ContainsAny(name, ":@") {
		return nil, &Error{Problem: "no version is named", Advice: "write oci://" + ref + ":VERSION, or @sha256:…"}
	}
	n, err := bundle.ParseReference(strings.ReplaceAll(ref, "+", "_")) // as Helm writes versions into tags
	if err != nil {
		return nil, &Error{Problem: err.Error(), Advice: "write it as oci://HOST/REPOSITORY:VERSION"}
	}
	reg, err := openRegistry(ctx, n, r.cfg)
	if err != nil {
		return nil, err
	}
	defer reg.Close()
	root, err := reg.root(ctx)
	if err != nil {
		return nil, err
	}
	if n.Digest != "" && root.Desc.Digest != n.Digest {
		return nil, errorf("the registry gives another manifest, %s", root.Desc.Digest)
	}
	doc, err := parse(root)
	if err != nil {
		return nil, err
	}
	if doc.Config == nil || doc.Config.MediaType != chartConfig {
		return nil, &Error{Problem: "this is no Helm chart", Advice: "check the name: an image's manifests are not found by oci://"}
	}
	for _, layer := range doc.Layers {
		if layer.MediaType != chartLayer {
			continue // a provenance file
		}
		if layer.Size > maxChart {
			return nil, errorf("it is larger than %d bytes", maxChart)
		}
		body, err := reg.blob(ctx, layer)
		if err != nil {
			return nil, err
		}
		verified := newVerifier(body, layer)
		archive, err := io.ReadAll(verified)
		return archive, closing(body, err)
	}
	return nil, errorf("its manifest names no chart")
}
