package cmd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/inspect"
)

// maxQuietImages is how many images without a new byte a summary names one by one.
const maxQuietImages = 3

// printImages prints what each image costs in the bundle, and how it travels.
func (p *program) printImages(in *inspect.Inspection, all bool) {
	t := p.ui.table(3)
	t.row("  IMAGE\tCHANGED\tSENT\tHOW")
	quiet := 0
	for _, im := range in.Images {
		changed, how := travels(im)
		if changed == "none" {
			if quiet++; quiet > maxQuietImages && !all {
				continue
			}
		}
		t.row("  %s\t%s\t%s\t%s", imageName(im, len(in.Platforms) > 1), changed, size(im.Payload), how)
	}
	p.osRows(t, in.OS)
	if quiet > maxQuietImages && !all {
		t.row("  %d more\tnone\t0 B\tthe base has them", quiet-maxQuietImages)
	}
	t.row("  manifests, SBOMs, signatures\t\t%s\t", size(in.Bytes.Metadata))
	t.print()
}

// osRows tells the same of each part of an operating system.
func (p *program) osRows(t *table, o *inspect.OS) {
	if o == nil {
		return
	}
	for _, part := range o.Parts {
		if part.Form == bundle.FormReuse {
			t.row("  os %s\tnone\t0 B\tthe base has it", part.Name)
			continue
		}
		how := string(part.Form)
		if part.Note != "" {
			how += " (" + part.Note + ")"
		}
		t.row("  os %s\t%s\t%s\t%s", part.Name, size(part.Size), size(part.Bytes), how)
	}
}

// imageName is the last part of an image's name, and its platform where there are several.
func imageName(im inspect.Image, platform bool) string {
	name := im.Name[strings.LastIndexByte(im.Name, '/')+1:]
	if at := strings.Index(name, "@sha256:"); at >= 0 && len(name) > at+20 {
		name = name[:at+20]
	}
	if platform {
		name += " " + im.Platform
	}
	return name
}

// travels says how many layers of an image a bundle brings, and in which forms.
func travels(im inspect.Image) (changed, how string) {
	count := map[bundle.Form]int{}
	var notes []string
	for _, b := range im.Blobs {
		count[b.Form]++
		if b.Note != "" && !slices.Contains(notes, b.Note) {
			notes = append(notes, b.Note)
		}
	}
	brought := len(im.Blobs) - count[bundle.FormReuse]
	if brought == 0 {
		return "none", "the base has it"
	}
	var forms []string
	for _, f := range []bundle.Form{bundle.FormDelta, bundle.FormRecompressed, bundle.FormFull} {
		switch n := count[f]; {
		case n == 0:
		case n == brought:
			forms = append(forms, string(f))
		default:
			forms = append(forms, fmt.Sprintf("%d %s", n, f))
		}
	}
	how = strings.Join(forms, ", ")
	if len(notes) > 0 {
		how += " (" + strings.Join(notes, "; ") + ")"
	}
	return fmt.Sprintf("%d of %s", brought, plural(len(im.Blobs), "layer")), how
}
