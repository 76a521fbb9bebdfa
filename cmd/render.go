package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/overlay"
	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
	"github.com/sallyport-dev/sallyport/internal/oneline"
)

func (p *program) renderVerb() *cobra.Command {
	var labels []string
	var spec string
	c := &cobra.Command{
		Use:   "render [--labels LABEL=VALUE,…] [-f release.yaml | BUNDLE]",
		Short: "Print the objects that a site with some labels gets",
		Long: `Print the Kubernetes objects that a site with these labels (metadata.labels in site.yaml) gets of a release: the
manifests, with the overlays (spec.sites) whose labels it has. Without --labels these are the objects of a site that takes no
overlay. A bundle has every image pinned; of a release.yaml no image is looked up, so they are printed as they are written.
Secrets are printed as they are. Nothing is verified, and no key is needed.

BUNDLE is a file, its first part (FILE.001), a directory that holds one bundle, or - for standard input.`,
		Example: "  sallyport render --labels region=emea,store=0142 store-platform-2.4.0.tar",
		Args: func(c *cobra.Command, a []string) error {
			if len(a) > 1 {
				return args("BUNDLE")(c, a)
			}
			if len(a) == 1 && spec != "" {
				return &usageError{"both -f and a bundle are given", "name one of them"}
			}
			return nil
		},
		RunE: func(c *cobra.Command, a []string) error { return p.render(c.Context(), labels, spec, a) },
	}
	p.stallFlag(c)
	c.Flags().StringArrayVar(&labels, "labels", nil, "the site's labels, LABEL=VALUE, parted by commas; may be given several times")
	c.Flags().StringVarP(&spec, "file", "f", "", "render this release.yaml (default release.yaml, where no bundle is named)")
	return exits(c, ofBundle...)
}

// rendering is a release before its overlays are put on it.
type rendering struct {
	descriptor *bundle.Descriptor // of a release.yaml: what is known of it
	objects    []byte
	// edits gives those of an overlay that the site takes.
	edits func(*bundle.Overlay) ([]overlay.Edit, error)
}

// rendered is what render prints with --json.
type rendered struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"` // always "Rendering"
	Name       string            `json:"name"`
	Version    string            `json:"version"`
	Labels     map[string]string `json:"labels"`
	Overlays   []string          `json:"overlays"` // names, in the order in which they are put on
	Objects    []any             `json:"objects"`
}

func (p *program) render(ctx context.Context, given []string, spec string, a []string) error {
	labels, err := parseLabels(given)
	if err != nil {
		return err
	}
	if len(a) == 0 {
		if spec == "" {
			spec = "release.yaml"
		}
		r, err := renderingOf(ctx, spec)
		if err != nil {
			return err
		}
		return p.printRendering(r, labels)
	}
	frugal()
	in, err := p.openBundle(ctx, a[0], "")
	if err != nil {
		return err
	}
	defer in.Close()
	r, err := renderingIn(ctx, in, labels)
	if err != nil {
		return in.blame(err)
	}
	return p.printRendering(r, labels)
}

// parseLabels reads LABEL=VALUE,… .
func parseLabels(given []string) (map[string]string, error) {
	labels := map[string]string{}
	for _, list := range given {
		for pair := range strings.SplitSeq(list, ",") {
			k, v, ok := strings.Cut(pair, "=")
			if _, twice := labels[k]; !ok || k == "" || twice {
				return nil, &usageError{fmt.Sprintf("--labels %s: %q is no label, or one that is given twice", list, pair), "write them as in region=emea,store=0142"}
			}
			labels[k] = v
		}
	}
	return labels, nil
}

// renderingIn reads the objects of a bundle, and the overlays that a site with the labels takes.
func renderingIn(ctx context.Context, in io.Reader, labels map[string]string) (*rendering, error) {
	r, err := bundle.NewReader(in)
	if err != nil {
		return nil, err
	}
	d := r.Descriptor()
	wanted := map[digest.Digest]bool{d.Manifests.Digest: true}
	for _, o := range d.Taken(labels) {
		wanted[o.Digest] = true
	}
	blobs := map[digest.Digest][]byte{}
	for range r.MetadataCount() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e, err := r.Next()
		if err != nil {
			return nil, err
		}
		if !wanted[e.Desc.Digest] {
			if _, err := io.Copy(io.Discard, e); err != nil {
				return nil, err
			}
			continue
		}
		if blobs[e.Desc.Digest], err = io.ReadAll(e); err != nil {
			return nil, err
		}
	}
	return &rendering{d, blobs[d.Manifests.Digest], func(o *bundle.Overlay) ([]overlay.Edit, error) { return overlay.Parse(blobs[o.Digest]) }}, nil
}

// brokenRelease is a bundle whose overlays do not go together with its objects: no factory makes one.
type brokenRelease struct{ err error }

func (e *brokenRelease) Error() string  { return e.err.Error() }
func (e *brokenRelease) Reason() string { return "format" }
func (e *brokenRelease) Unwrap() error  { return e.err }

func (p *program) printRendering(r *rendering, labels map[string]string) error {
	if err := p.checkLabels(r.descriptor, labels); err != nil {
		return err
	}
	out := rendered{APIVersion: bundle.APIVersion, Kind: "Rendering", Name: r.descriptor.Name, Version: r.descriptor.Version,
		Labels: labels, Overlays: []string{}, Objects: []any{}}
	var layers []overlay.Layer
	for _, o := range r.descriptor.Taken(labels) {
		edits, err := r.edits(&o)
		if err != nil {
			return &brokenRelease{fmt.Errorf("overlay %s: %w", o.Name, err)}
		}
		layers = append(layers, overlay.Layer{Overlay: o, Changes: edits})
		out.Overlays = append(out.Overlays, o.Name)
	}
	c, err := overlay.Combine(layers)
	if err != nil {
		return &brokenRelease{err}
	}
	err = c.Each(r.objects, func(doc []byte) error { return p.printObject(&out, doc) })
	switch {
	case errors.Is(err, errPrinting):
		return nil // told by the output itself
	case err != nil:
		return &brokenRelease{err}
	case p.flags.json:
		return p.object(out)
	}
	return nil
}

// errPrinting ends the work for an output that is gone.
var errPrinting = errors.New("printing")

// printObject prints a document, or keeps it for the JSON object. One with characters that do not show as themselves is printed
// as JSON, which is YAML too and has escapes for them.
func (p *program) printObject(out *rendered, doc []byte) error {
	shows := utf8.Valid(doc) && !strings.ContainsFunc(string(doc), func(r rune) bool { return r != '\n' && r != '\t' && oneline.Escape(string(r)) != string(r) })
	text := doc
	if !shows || p.flags.json {
		found, err := kubeyaml.Read("", doc)
		if err != nil {
			return err
		}
		if p.flags.json {
			out.Objects = append(out.Objects, found[0].Fields)
			return nil
		}
		var b strings.Builder
		if err := encode(&b, found[0].Fields); err != nil {
			return err
		}
		text = []byte(b.String())
	}
	if out.Objects = append(out.Objects, nil); len(out.Objects) > 1 {
		text = append([]byte("---\n"), text...)
	}
	if _, err := p.out.Write(text); err != nil {
		return errPrinting
	}
	return nil
}

// checkLabels refuses labels that the release does not know, if it says which there are; otherwise it says which ones no overlay
// looks at.
func (p *program) checkLabels(d *bundle.Descriptor, labels map[string]string) error {
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		known := slices.Sorted(maps.Keys(d.Labels))
		if len(known) > 0 && d.Labels[k] == nil {
			advice := "it knows " + strings.Join(known, ", ")
			if near := nearest(k, known); near != "" {
				advice = fmt.Sprintf("did you mean %s? %s", near, advice)
			}
			return &usageError{fmt.Sprintf("--labels: %s %s knows no label %s", d.Name, d.Version, k), advice}
		}
		if !slices.ContainsFunc(d.Overlays, func(o bundle.Overlay) bool { _, ok := o.Match[k]; return ok }) {
			p.ui.warn("no overlay looks at the label %s", k)
		}
	}
	if err := d.CheckLabels(labels); err != nil {
		return &usageError{"--labels: " + err.Error(), "write one of them, or add it to spec.labels in release.yaml"}
	}
	return nil
}
