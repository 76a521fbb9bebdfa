package build

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/manifest"
	"github.com/sallyport-dev/sallyport/bundle/manifest/helm"
)

// chartScheme begins the path of a chart that is in a registry.
const chartScheme = "oci://"

func (c *checker) manifests() error {
	for i, m := range c.doc.Spec.Manifests {
		at := fmt.Sprintf("spec.manifests[%d].", i)
		if m.Path == "" {
			return c.fail(at+"path", "name a YAML file, a folder, a folder with a kustomization, or a Helm chart", "is missing")
		}
		source := manifest.Source{Path: m.Path, Place: c.place(at + "path")}
		if !strings.HasPrefix(m.Path, chartScheme) {
			if u, err := url.Parse(m.Path); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
				return c.fail(at+"path", "load it down and name the file, or name it in a registry: oci://HOST/CHART:VERSION", "%s would be fetched, which a build does not do", m.Path)
			}
			if err := c.file(at+"path", m.Path); err != nil {
				return err
			}
			source.Path = c.spec.path(m.Path)
		}
		if m.Helm != nil {
			options, err := c.helm(at+"helm", m.Helm)
			if err != nil {
				return err
			}
			source.Helm = options
		}
		c.spec.Manifests = append(c.spec.Manifests, source)
	}
	return nil
}

// helm checks how a chart is rendered; at is the field.
func (c *checker) helm(at string, e *helmEntry) (*helm.Options, error) {
	o := &helm.Options{Release: e.Release, Namespace: e.Namespace, KubeVersion: e.KubeVersion, APIVersions: e.APIVersions, Set: make(map[string]string)}
	if e.Namespace != "" && !dnsLabel.MatchString(e.Namespace) {
		return nil, c.fail(at+".namespace", "use at most 63 lower-case letters, digits and hyphens", "%q is no name of a namespace", e.Namespace)
	}
	for i, path := range e.Values {
		if err := c.file(fmt.Sprintf("%s.values[%d]", at, i), path); err != nil {
			return nil, err
		}
		o.Values = append(o.Values, c.spec.path(path))
	}
	for key, value := range e.Set {
		o.Set[key] = value.String()
	}
	return o, nil
}

// fetchCharts reads the charts that are in registries.
func (b *builder) fetchCharts(ctx context.Context) ([]manifest.Source, error) {
	sources := slices.Clone(b.spec.Manifests)
	for i, s := range sources {
		if !strings.HasPrefix(s.Path, chartScheme) {
			continue
		}
		archive, err := b.images.Chart(ctx, s.Path)
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, at(reasonOf(err, "image"), s.Place, hintOf(err, "check the name, and that its registry answers"), err)
		}
		sources[i].Archive = archive
	}
	return sources, nil
}

// charted says which charts were rendered, and what is to be known of them.
func (b *builder) charted() {
	for _, c := range b.release.rendered.Charts {
		b.say("chart", "%s %s as %s in namespace %s", c.Name, c.Version, c.Release, c.Namespace)
		b.oneWayHooks(c)
	}
	for i, text := range b.release.rendered.Notes {
		if i == maxMentioned {
			b.say("note", "%d more notes on charts", len(b.release.rendered.Notes)-i)
			return
		}
		b.say("note", "%s", text)
	}
}

// oneWayHooks names the programs that a chart runs at an upgrade and does not undo: no site takes the release in place of
// another one unless it accepts that.
func (b *builder) oneWayHooks(c manifest.Chart) {
	hooks := b.release.rendered.Hooks(c)
	if slices.ContainsFunc(hooks, func(o *manifest.Object) bool { return o.RunsAt("pre-rollback") || o.RunsAt("post-rollback") }) {
		return
	}
	for _, o := range hooks {
		ref := bundle.ObjectRef{Kind: o.Kind(), Namespace: o.Namespace(), Name: o.Name()}
		works := o.Kind() == "Job" || o.Kind() == "Pod"
		if works && (o.RunsAt("pre-upgrade") || o.RunsAt("post-upgrade")) && !slices.Contains(b.spec.OneWay, ref) {
			b.warn("%s runs at an upgrade, and chart %s has no hook that undoes it in a rollback: a site refuses the release in place of another one unless spec.oneWay names it",
				ref, c.Name)
		}
	}
}

// charts describes the charts of the release.
func (g *gathered) charts() []bundle.Chart {
	var charts []bundle.Chart
	for _, c := range g.rendered.Charts {
		chart := bundle.Chart{Name: c.Name, Version: c.Version, Release: c.Release, Namespace: c.Namespace}
		for _, o := range g.rendered.Hooks(c) {
			chart.Hooks = append(chart.Hooks, bundle.ObjectRef{Kind: o.Kind(), Namespace: o.Namespace(), Name: o.Name()})
		}
		charts = append(charts, chart)
	}
	return charts
}

// requires is what must hold on the site: what the spec says, and the Kubernetes versions that charts are for.
func (b *builder) requires() *bundle.Requires {
	var all bundle.Requires
	if b.spec.Requires != nil {
		all = *b.spec.Requires
	}
	all.Kubernetes = slices.Clone(all.Kubernetes)
	for _, c := range b.release.rendered.Charts {
		if _, err := semver.NewConstraint(c.KubeVersion); c.KubeVersion != "" && err == nil && !slices.Contains(all.Kubernetes, c.KubeVersion) {
			all.Kubernetes = append(all.Kubernetes, c.KubeVersion)
		}
	}
	if b.spec.Requires == nil && len(all.Kubernetes) == 0 {
		return nil
	}
	return &all
}
