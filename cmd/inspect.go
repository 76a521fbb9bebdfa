package cmd

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/inspect"
	"github.com/sallyport-dev/sallyport/bundle/overlay"
	"github.com/sallyport-dev/sallyport/internal/oneline"
)

func (p *program) inspectVerb() *cobra.Command {
	var sboms, files, full bool
	c := &cobra.Command{
		Use:   "inspect BUNDLE [--sbom] [--files]",
		Short: "Show what is in a bundle, who signed it and what each image costs",
		Long: `Show what is in a bundle: the release, who says to have signed it, and for each image how it travels and what it
costs; with --files also which files cost the most, and why, and what overlays edit. Only the front of the file is read and no key is needed,
so nothing is verified: sallyport verify does that.

BUNDLE is a file, its first part (FILE.001), a directory that holds one bundle, or - for standard input.`,
		Example: "  sallyport inspect store-platform-2.4.0.tar",
		Args:    args("BUNDLE"),
		RunE: func(c *cobra.Command, a []string) error {
			return p.inspect(c, a[0], inspectFlags{sboms, files, full})
		},
	}
	p.stallFlag(c)
	c.Flags().BoolVar(&sboms, "sbom", false, "list the packages of every image too")
	c.Flags().BoolVar(&files, "files", false, "list every blob too, and the files whose changes cost the most")
	c.Flags().BoolVar(&full, "full", false, "do not cut digests")
	return exits(c, ofBundle...)
}

type inspectFlags struct{ sboms, files, full bool }

// inspection is what inspect prints with --json.
type inspection struct {
	*inspect.Inspection
	Packages map[string][]inspect.Package `json:"packages,omitempty"`
	Files    []inspect.File               `json:"files,omitempty"`
}

func (p *program) inspect(c *cobra.Command, path string, f inspectFlags) error {
	frugal()
	in, err := p.openBundle(c.Context(), path, "")
	if err != nil {
		return err
	}
	defer in.Close()
	r, err := bundle.NewReader(in)
	if err != nil {
		return in.blame(err)
	}
	out := inspection{Inspection: inspect.Inspect(r)}
	if f.files {
		out.Files = inspect.Files(r)
	}
	if f.sboms || f.files && len(r.Descriptor().Overlays) > 0 {
		contents, err := inspect.Read(c.Context(), r)
		if err != nil {
			return in.blame(err)
		}
		defer contents.Close()
		if f.files {
			out.Overlays = contents.Overlays()
		}
		if f.sboms {
			if out.Packages, err = contents.Packages(); err != nil {
				return in.blame(err)
			}
		}
	}
	if p.flags.json {
		return p.object(out)
	}
	p.printInspection(out, f)
	return nil
}

func (p *program) printInspection(in inspection, f inspectFlags) {
	line := p.ui.line
	r := in.Release
	line("release", "%s %s (sequence %d), %s", r.Name, r.Version, r.Sequence, strings.Join(in.Platforms, " "))
	line("identity", "%s, the same in every bundle of this release", short(r.Identity, f.full))
	line("digest", "%s", short(r.Digest, f.full))
	if r.Expires != nil {
		line("expires", "%s", r.Expires.Format("2006-01-02"))
	}
	for _, b := range in.Bases {
		line("base", "%s %s (sequence %d): the site must hold it", b.Name, b.Version, b.Sequence)
	}
	for _, s := range in.Signatures {
		line("signed", "%s (not verified)", strings.TrimSpace(s.Signer+" "+s.KeyID))
	}
	if len(in.Signatures) == 0 {
		line("signed", "by nobody")
	}
	line("holds", "%s, %s, %s, %s", plural(in.Manifests, "manifest"), plural(in.SBOMs, "SBOM"),
		plural(in.Attestations, "attestation"), plural(len(in.Checks), "check"))
	if in.OS != nil {
		line("os", "%s", aboutOS(in.OS))
	}
	for _, o := range in.Overlays {
		line("overlay", "%s", aboutOverlay(o.Overlay))
	}
	line("size", "%s: %s of metadata, %s for %s", size(in.Bytes.Bundle), size(in.Bytes.Metadata),
		size(in.Bytes.Payload), size(in.Bytes.Original)+" of "+delivered(in.Inspection))
	p.ui.print("\n")
	p.printImages(in.Inspection, true)
	if f.files {
		p.printBlobs(in, f.full)
	}
	if f.sboms {
		p.printPackages(in)
	}
}

func (p *program) printBlobs(in inspection, full bool) {
	t := p.ui.table(3)
	blobRow := func(b inspect.Blob) {
		how := string(b.Form)
		if b.Base != "" {
			how += " against " + short(b.Base, full)
		}
		if b.Note != "" {
			how += " (" + b.Note + ")"
		}
		t.row("  %s\t%s\t%s\t%s", short(b.Digest, full), size(b.Size), size(b.Bytes), how)
	}
	t.row("\n  BLOB OF AN IMAGE\tSIZE\tSENT\tHOW")
	for _, im := range in.Images {
		for _, b := range im.Blobs {
			blobRow(b)
		}
	}
	if in.OS != nil {
		t.row("\n  PART OF THE OS\tSIZE\tSENT\tHOW")
		for _, p := range in.OS.Parts {
			blobRow(p.Blob)
		}
	}
	printCosts(t, in)
	t.row("\n  BLOB IN THE FILE\tSIZE\tTYPE\t")
	for _, file := range in.Files {
		what := file.MediaType
		if file.Blob != "" {
			what += " for " + short(file.Blob, full)
		}
		t.row("  %s\t%s\t%s\t", short(file.Digest, full), size(file.Size), what)
	}
	t.print()
	for _, o := range in.Overlays {
		p.ui.print("\n%s: %s\n", o.Name, plural(o.Edits, "edit"))
		for _, change := range o.Changes {
			p.ui.print("  %s\n", change)
		}
		if over := o.Edits - len(o.Changes); over > 0 {
			p.ui.print("  %d more\n", over)
		}
	}
}

// aboutOS tells of an operating system in one line.
func aboutOS(o *inspect.OS) string {
	var parts []string
	for _, part := range o.Parts {
		parts = append(parts, part.Name+" "+size(part.Size))
	}
	return strings.TrimSpace(o.Version + " in " + plural(len(parts), "part") + ": " + strings.Join(parts, ", "))
}

// delivered names what a bundle's payload is.
func delivered(in *inspect.Inspection) string {
	if in.OS == nil {
		return "layers"
	}
	return "layers and parts"
}

// aboutOverlay tells of an overlay in one line.
func aboutOverlay(o bundle.Overlay) string {
	text := fmt.Sprintf("%s for %s, %s", o.Name, overlay.Labels(o.Match), plural(o.Edits, "edit"))
	if o.Owner != "" {
		text += ", owner " + o.Owner
	}
	if o.Expires != nil {
		text += ", expires " + o.Expires.Format("2006-01-02")
	}
	return text
}

// printCosts names the files that cost the most.
func printCosts(t *table, in inspection) {
	type cost struct {
		image string
		inspect.FileCost
	}
	var list []cost
	for _, im := range in.Images {
		for _, b := range im.Blobs {
			for _, f := range b.Files {
				list = append(list, cost{imageName(im, len(in.Platforms) > 1), f})
			}
		}
	}
	if len(list) == 0 {
		return
	}
	slices.SortStableFunc(list, func(a, b cost) int { return cmp.Compare(b.Bytes, a.Bytes) })
	t.row("\n  FILE IN A LAYER\tSENT\tWHY\tIMAGE")
	for _, c := range list {
		name := "/" + strings.TrimPrefix(strings.TrimPrefix(c.Name, "."), "/")
		t.row("  %s\t%s\t%s\t%s", oneline.Clean(name, 160), size(c.Bytes), oneline.Clean(c.Why, 80), c.image)
	}
}

func (p *program) printPackages(in inspection) {
	for _, im := range in.Images {
		if packages, ok := in.Packages[im.Name]; ok {
			p.printPackageList(im.Name, packages)
		} else {
			p.ui.print("\n%s: its SBOM is in the base\n", im.Name)
		}
	}
	if in.OS == nil {
		return
	}
	for _, part := range in.OS.Parts {
		name := inspect.PartPrefix + part.Name
		if packages, ok := in.Packages[name]; ok {
			p.printPackageList(name, packages)
		} else {
			p.ui.print("\n%s: its SBOM is in the base, or it has none\n", name)
		}
	}
}

func (p *program) printPackageList(name string, packages []inspect.Package) {
	p.ui.print("\n%s: %s\n", name, plural(len(packages), "package"))
	for _, pkg := range packages {
		p.ui.print("  %s %s (%s)\n", pkg.Name, pkg.Version, pkg.Type)
	}
}
