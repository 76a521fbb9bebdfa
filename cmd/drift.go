package cmd

import (
	"fmt"

	"github.com/sallyport-dev/sallyport/apply"
	"github.com/sallyport-dev/sallyport/apply/kube"
)

const (
	maxDiffering = 10 // objects of which fields are shown
	maxDrifted   = 12 // lines of one object
)

// printDrift tells how the current release's objects on the target are.
func (p *program) printDrift(st *apply.Status) {
	if len(st.Drift) == 0 {
		p.ui.line("objects", "%s", st.Objects)
		return
	}
	p.ui.line("objects", "%s: sallyport apply --repair puts them back", differ(len(st.Drift)))
	p.differences(st.Drift)
}

// differences lists objects that differ, with their fields from what the release has to what there is.
func (p *program) differences(drift []kube.Difference) {
	for i, d := range drift {
		if i == maxDiffering {
			p.ui.line("", "and %d more: sallyport status --json", len(drift)-maxDiffering)
			return
		}
		switch {
		case d.Missing:
			p.ui.line("", "%s is missing", d.ID)
		case d.Note != "":
			p.ui.line("", "%s: %s", d.ID, d.Note)
		default:
			p.ui.line("", "%s", d.ID)
		}
		p.drifted(d.Fields)
	}
}

func (p *program) drifted(fields []kube.FieldDrift) {
	n := 0
	for i, f := range fields {
		if n += len(f.Lines); n > maxDrifted {
			p.ui.line("", "  and %s more", plural(len(fields)-i, "field"))
			return
		}
		for k, l := range f.Lines {
			by := ""
			if k == 0 && f.Manager != "" {
				by = "  (by " + f.Manager + ")"
			}
			p.ui.line("", "  %s%s", l, by)
		}
	}
}

// differ is "1 object differs" or "3 objects differ".
func differ(n int) string {
	if n == 1 {
		return "1 object differs"
	}
	return fmt.Sprintf("%d objects differ", n)
}
