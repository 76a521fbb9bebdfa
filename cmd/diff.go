package cmd

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/inspect"
	"github.com/sallyport-dev/sallyport/bundle/overlay"
)

func (p *program) diffVerb() *cobra.Command {
	c := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Show what changes from one bundle to another",
		Long: `Show what changes from one bundle to another: images, the packages in them (from the SBOMs), Kubernetes objects,
checks and bytes. Nothing is verified.`,
		Example: "  sallyport diff store-platform-2.3.0.tar store-platform-2.4.0.tar",
		Args:    args("OLD", "NEW"),
		RunE:    func(c *cobra.Command, a []string) error { return p.diff(c.Context(), a[0], a[1]) },
	}
	p.stallFlag(c)
	return exits(c, ofBundle...)
}

func (p *program) diff(ctx context.Context, from, to string) error {
	frugal()
	old, err := p.contents(ctx, from)
	if err != nil {
		return err
	}
	defer old.Close()
	next, err := p.contents(ctx, to)
	if err != nil {
		return err
	}
	defer next.Close()
	d, err := inspect.Compare(old, next)
	if err != nil {
		return err
	}
	if p.flags.json {
		return p.object(d)
	}
	p.printDifference(d)
	return nil
}

func (p *program) contents(ctx context.Context, path string) (*inspect.Contents, error) {
	in, err := p.openBundle(ctx, path, "")
	if err != nil {
		return nil, err
	}
	defer in.Close()
	r, err := bundle.NewReader(in)
	if err != nil {
		return nil, in.blame(err)
	}
	c, err := inspect.Read(ctx, r)
	if err != nil {
		return nil, in.blame(err)
	}
	return c, nil
}

// differences prints lines under a label that stands before the first of them.
type differences struct {
	p     *program
	label string
}

func (d *differences) line(sign, format string, args ...any) {
	d.p.ui.line(fmt.Sprintf("%-10s", d.label), "%s %s", sign, d.p.ui.text(format, args...))
	d.label = ""
}

func (p *program) printDifference(d *inspect.Difference) {
	out := &differences{p: p, label: "release"}
	if d.Same {
		out.line("=", "%s %s (sequence %d): two bundles of one release", d.Old.Name, d.Old.Version, d.Old.Sequence)
	} else {
		out.line("~", "%s %s (sequence %d) -> %s %s (sequence %d)", d.Old.Name, d.Old.Version, d.Old.Sequence, d.New.Name, d.New.Version, d.New.Sequence)
	}
	p.printImageChanges(&differences{p: p, label: "images"}, d.Images)
	p.printOSChanges(&differences{p: p, label: "os"}, d.OS)
	p.printPackageChanges(&differences{p: p, label: "packages"}, d.Packages)
	out = &differences{p: p, label: "manifests"}
	for _, o := range d.Manifests.Changed {
		out.line("~", "%s: %s", o.ObjectID, o.Summary)
	}
	for _, o := range d.Manifests.Added {
		out.line("+", "%s", o)
	}
	for _, o := range d.Manifests.Removed {
		out.line("-", "%s", o)
	}
	out.line("=", "%d more", d.Manifests.Unchanged)
	p.printOverlayChanges(&differences{p: p, label: "overlays"}, d.Overlays)
	out = &differences{p: p, label: "checks"}
	for _, c := range []struct {
		sign  string
		names []string
	}{{"~", d.Checks.Changed}, {"+", d.Checks.Added}, {"-", d.Checks.Removed}} {
		if len(c.names) > 0 {
			out.line(c.sign, "%s", strings.Join(c.names, ", "))
		}
	}
	out = &differences{p: p, label: "bytes"}
	out.line("~", "%s -> %s", size(d.Bytes["old"].Bundle), size(d.Bytes["new"].Bundle))
}

func (p *program) printImageChanges(out *differences, d inspect.ImagesDiff) {
	for _, c := range d.Changed {
		out.line("~", "%s %s -> %s (%d of %s new)", lastPart(c.Repository), versionOf(c.Repository, c.Old), versionOf(c.Repository, c.New),
			c.NewLayers, plural(c.Layers, "layer"))
	}
	for _, i := range d.Added {
		out.line("+", "%s", lastPart(i.Name))
	}
	for _, i := range d.Removed {
		out.line("-", "%s", lastPart(i.Name))
	}
	out.line("=", "%d more", len(d.Unchanged))
}

func (p *program) printOSChanges(out *differences, d *inspect.OSDiff) {
	if d == nil {
		return
	}
	if d.Old != d.New {
		out.line("~", "%s -> %s", cmp.Or(d.Old, "no version"), cmp.Or(d.New, "no version"))
	}
	for _, c := range d.Changed {
		out.line("~", "%s, %s -> %s", c.Name, size(c.Old.Size), size(c.New.Size))
	}
	for _, part := range d.Added {
		out.line("+", "%s, %s", part.Name, size(part.Size))
	}
	for _, part := range d.Removed {
		out.line("-", "%s", part.Name)
	}
	out.line("=", "%d more", len(d.Unchanged))
}

func (p *program) printPackageChanges(out *differences, d inspect.PackagesDiff) {
	for _, c := range d.Changed {
		out.line("~", "%s %s -> %s (%s)", c.Name, c.Old, c.New, lastParts(c.Images))
	}
	for _, c := range d.Added {
		out.line("+", "%s %s (%s)", c.Name, c.New, lastParts(c.Images))
	}
	for _, c := range d.Removed {
		out.line("-", "%s %s (%s)", c.Name, c.Old, lastParts(c.Images))
	}
	for _, i := range d.Unknown {
		out.line("?", "%s: neither bundle carries its SBOM", lastPart(i))
	}
}

func (p *program) printOverlayChanges(out *differences, d inspect.OverlaysDiff) {
	for _, o := range d.Changed {
		out.line("~", "%s (%s)", o.Name, overlay.Labels(o.New))
		for _, edits := range []struct {
			sign string
			list []string
		}{{"~", o.Changed}, {"+", o.Added}, {"-", o.Removed}} {
			for _, e := range edits.list {
				out.line(" ", "%s %s", edits.sign, e)
			}
		}
	}
	for _, name := range d.Added {
		out.line("+", "%s", name)
	}
	for _, name := range d.Removed {
		out.line("-", "%s", name)
	}
}

func lastPart(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

func lastParts(names []string) string {
	var out []string
	for _, n := range names {
		out = append(out, lastPart(n))
	}
	return strings.Join(out, ", ")
}

// versionOf is what tells an image from another of the same repository: its tag, or else its digest.
func versionOf(repository string, i inspect.ImageRef) string {
	rest := strings.TrimPrefix(i.Name, repository)
	if tag, ok := strings.CutPrefix(rest, ":"); ok && !strings.Contains(tag, "@") {
		return tag
	}
	return short(i.Digest, false)
}
