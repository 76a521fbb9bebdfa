package helm

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"

	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// maxNamed is how many objects or APIs a note names.
const maxNamed = 5

// asks finds the APIs that templates ask for.
var asks = regexp.MustCompile("\\.Capabilities\\.APIVersions\\.Has\\s+[\"`]([^\"`]+)[\"`]")

// otherwise notes what the chart would give to clusters with other APIs, and at an upgrade.
func (r *renderer) otherwise(first rendering) {
	if missing := r.missing(); len(missing) > 0 {
		// A chart that does not render with them says nothing about what they hid.
		if with, same, err := r.again(first, way{more: missing}); err == nil && !same {
			if differ := differing(first.objects, with); len(differ) > 0 {
				r.note(fmt.Sprintf("chart %s is rendered without %s, with which %s would differ: name under helm.apiVersions those that the sites have",
					r.chart.Name(), some(missing), some(differ)))
			}
		}
	}
	if with, same, err := r.again(first, way{upgrade: true}); err == nil && !same {
		if differ := differing(first.objects, with); len(differ) > 0 {
			r.note(fmt.Sprintf("chart %s gives %s otherwise at an upgrade (.Release.IsUpgrade, .Release.Revision); packed is what an install gives",
				r.chart.Name(), some(differ)))
		}
	}
}

// missing are the APIs that templates ask for and were not given.
func (r *renderer) missing() []string {
	ch, err := r.chart.fresh()
	if err != nil {
		return nil
	}
	var missing []string
	eachTemplate(ch, func(text []byte) {
		for _, m := range asks.FindAllSubmatch(text, -1) {
			api := string(m[1])
			if !chartutil.DefaultCapabilities.APIVersions.Has(api) && !slices.Contains(r.options.APIVersions, api) {
				missing = append(missing, api)
			}
		}
	})
	slices.Sort(missing)
	return slices.Compact(missing)
}

func eachTemplate(ch *chart.Chart, f func([]byte)) {
	for _, t := range ch.Templates {
		f(t.Data)
	}
	for _, sub := range ch.Dependencies() {
		eachTemplate(sub, f)
	}
}

// differing names the objects that are not the same in both.
func differing(a, b []kubeyaml.Object) []string {
	other := make(map[[4]string]*kubeyaml.Object, len(b))
	for k := range b {
		other[b[k].Key()] = &b[k]
	}
	var names []string
	for k := range a {
		o := &a[k]
		if same := other[o.Key()]; same != nil {
			delete(other, o.Key())
			if _, differ := difference(o.Fields, same.Fields, nil); !differ {
				continue
			}
		}
		names = append(names, o.ID())
	}
	for _, o := range other {
		names = append(names, o.ID())
	}
	slices.Sort(names)
	return names
}

// some joins the first few of names.
func some(names []string) string {
	if n := len(names) - maxNamed; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), n)
	}
	return strings.Join(names, ", ")
}
