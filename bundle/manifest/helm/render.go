package helm

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/releaseutil"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// DefaultKubeVersion is the Kubernetes version that charts are rendered for if none is given: that of stock Helm's.
const DefaultKubeVersion = "1.37.0"

// DefaultNamespace is where a chart's objects go if no namespace is given.
const DefaultNamespace = "default"

// Options are what helm template takes. All may be left out.
type Options struct {
	Release   string            // the chart's name
	Namespace string            // DefaultNamespace
	Values    []string          // paths of YAML files, the later over the earlier
	Set       map[string]string // over the files; as helm's --set KEY=VALUE
	// KubeVersion and APIVersions are what the sites' clusters have: 1.31, monitoring.coreos.com/v1/ServiceMonitor. To
	// the versions come those that Helm knows by itself.
	KubeVersion string
	APIVersions []string
}

// Output is what a chart gives.
type Output struct {
	Release, Namespace string
	Objects            []kubeyaml.Object // in Helm's order; without the namespace where the chart gives none
	Notes              []string          // what whoever builds should know, a sentence each
}

// Render renders a chart. Errors are *kubeyaml.Error and *SetError.
func (c *Chart) Render(o Options) (*Output, error) {
	o, err := c.defaults(o)
	if err != nil {
		return nil, err
	}
	files, err := readValues(o.Values)
	if err != nil {
		return nil, err
	}
	kube, err := c.kubeVersion(o.KubeVersion)
	if err != nil {
		return nil, err
	}
	r := &renderer{chart: c, options: o, values: files, kube: kube, notes: slices.Clone(c.notes)}
	documents, err := r.once(way{})
	if err != nil {
		return nil, err
	}
	objects, err := r.objects(documents)
	if err != nil {
		return nil, err
	}
	first := rendering{documents, objects}
	if err := r.checkChance(first); err != nil {
		return nil, err
	}
	r.otherwise(first)
	return &Output{Release: o.Release, Namespace: o.Namespace, Objects: objects, Notes: r.notes}, nil
}

// defaults fills in what was left out and checks names.
func (c *Chart) defaults(o Options) (Options, error) {
	if o.Release == "" {
		o.Release = c.Name()
	}
	if o.Namespace == "" {
		o.Namespace = DefaultNamespace
	}
	if o.KubeVersion == "" {
		o.KubeVersion = DefaultKubeVersion
	}
	if err := chartutil.ValidateReleaseName(o.Release); err != nil {
		return o, &kubeyaml.Error{Place: kubeyaml.Place{File: c.path}, Problem: fmt.Sprintf("%q is no name for a release of a chart", o.Release),
			Advice: "set helm.release: at most 53 lower-case letters, digits, hyphens and dots"}
	}
	return o, nil
}

// kubeVersion reads the Kubernetes version, and holds the chart's own range against it.
func (c *Chart) kubeVersion(version string) (chartutil.KubeVersion, error) {
	kube, err := chartutil.ParseKubeVersion(version)
	if err != nil {
		return chartutil.KubeVersion{}, &kubeyaml.Error{Place: kubeyaml.Place{File: c.path}, Problem: fmt.Sprintf("helm.kubeVersion %q is no version", version),
			Advice: "write the sites' Kubernetes version, such as 1.31"}
	}
	if want := c.KubeVersion(); want != "" && !chartutil.IsCompatibleRange(want, kube.String()) {
		return *kube, &kubeyaml.Error{Place: kubeyaml.Place{File: c.path},
			Problem: fmt.Sprintf("this chart is for Kubernetes %s, and is rendered for %s", want, kube.String()),
			Advice:  "set helm.kubeVersion to the sites' version, or use another version of the chart"}
	}
	return *kube, nil
}

// renderer renders one chart several times.
type renderer struct {
	chart   *Chart
	options Options
	values  []valuesFile
	kube    chartutil.KubeVersion
	notes   []string
}

// way is what a rendering does otherwise than helm template.
type way struct {
	later   bool     // with a clock that is ahead
	upgrade bool     // as if an older release ran
	more    []string // with these API versions too
}

// rendering is what a chart gives, as text and as objects.
type rendering struct {
	documents []document
	objects   []kubeyaml.Object
}

// again renders the chart in another way. What is the same text as before gives the same objects, and is not read again.
func (r *renderer) again(first rendering, w way) (objects []kubeyaml.Object, same bool, err error) {
	documents, err := r.once(w)
	if err != nil || slices.Equal(documents, first.documents) {
		return nil, err == nil, err
	}
	objects, err = r.objects(documents)
	return objects, false, err
}

// once renders the chart.
func (r *renderer) once(w way) ([]document, error) {
	ch, err := r.chart.fresh()
	if err != nil {
		return nil, err
	}
	if w.later {
		setClocksAhead(ch)
	}
	var files map[string]string
	said := listen(func() { files, err = r.execute(ch, w) })
	if err != nil {
		return nil, err
	}
	for _, text := range said {
		r.note(text)
	}
	return r.documents(ch, files)
}

// execute gives the chart's templates filled in, by their names.
func (r *renderer) execute(ch *chart.Chart, w way) (map[string]string, error) {
	values, err := mergeValues(r.values, r.options.Set)
	if err != nil {
		return nil, err
	}
	if err := chartutil.ProcessDependenciesWithMerge(ch, values); err != nil {
		return nil, r.chart.fault(err)
	}
	caps := chartutil.DefaultCapabilities.Copy()
	caps.KubeVersion = r.kube
	caps.APIVersions = slices.Concat(caps.APIVersions, r.options.APIVersions, w.more)
	release := chartutil.ReleaseOptions{Name: r.options.Release, Namespace: r.options.Namespace, Revision: 1, IsInstall: !w.upgrade, IsUpgrade: w.upgrade}
	if w.upgrade {
		release.Revision = 2
	}
	top, err := chartutil.ToRenderValues(ch, values, release, caps)
	if err != nil {
		return nil, r.chart.fault(err)
	}
	files, err := engine.RenderWithClientProvider(ch, top, noCluster{})
	if err != nil {
		return nil, r.chart.fault(err)
	}
	for name := range files {
		if strings.HasSuffix(name, "NOTES.txt") {
			delete(files, name)
		}
	}
	return files, nil
}

// document is one YAML document, and the template that it came from.
type document struct{ source, text string }

// documents sorts the documents in the files as Helm does: definitions of custom resources, objects, hooks.
func (r *renderer) documents(ch *chart.Chart, files map[string]string) ([]document, error) {
	var hooks []*release.Hook
	var manifests []releaseutil.Manifest
	var err error
	for _, said := range listen(func() {
		hooks, manifests, err = releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	}) {
		r.note(said)
	}
	if err != nil {
		return nil, r.chart.fault(err)
	}
	var documents []document
	crds := ch.CRDObjects()
	slices.SortStableFunc(crds, func(a, b chart.CRD) int { // subcharts come in any order
		inA, _, _ := strings.Cut(a.Filename, "/crds/")
		inB, _, _ := strings.Cut(b.Filename, "/crds/")
		return strings.Compare(inA, inB)
	})
	for _, crd := range crds {
		parts := releaseutil.SplitManifests(string(crd.File.Data))
		for i := range len(parts) {
			documents = append(documents, document{crd.Filename, parts[fmt.Sprintf("manifest-%d", i)]})
		}
	}
	for _, m := range manifests {
		documents = append(documents, document{m.Name, m.Content})
	}
	for _, h := range hooks {
		if !slices.Contains(h.Events, release.HookTest) {
			documents = append(documents, document{h.Path, h.Manifest})
		}
	}
	return documents, nil
}

// objects reads documents as Helm does.
func (r *renderer) objects(documents []document) ([]kubeyaml.Object, error) {
	var objects []kubeyaml.Object
	size := 0
	for _, d := range documents {
		place := r.chart.place(d.source)
		if size += len(d.text); size > kubeyaml.MaxFile {
			return nil, &kubeyaml.Error{Place: place, Problem: fmt.Sprintf("the chart gives more than %d bytes", kubeyaml.MaxFile)}
		}
		asJSON, err := yaml.YAMLToJSON([]byte(d.text))
		if err != nil {
			return nil, &kubeyaml.Error{Place: place, Problem: "this template does not give valid YAML", Err: oneLine(err)}
		}
		if string(asJSON) == "null" {
			continue // nothing but comments
		}
		found, err := kubeyaml.FromJSON(asJSON, place)
		if err != nil {
			return nil, err
		}
		if _, err := yaml.YAMLToJSONStrict([]byte(d.text)); err != nil && len(found) > 0 {
			r.note(fmt.Sprintf("%s: %s has a key that stands twice; the later counts, as with Helm", place, found[0].ID()))
		}
		objects = append(objects, found...)
	}
	return objects, nil
}

// note keeps a sentence, once.
func (r *renderer) note(text string) {
	if !slices.Contains(r.notes, text) {
		r.notes = append(r.notes, text)
	}
}

var errLookup = errors.New("lookup asks a cluster, and the objects of a release are the same for every site")

// noCluster is the cluster that templates can ask.
type noCluster struct{}

// GetClientFor refuses lookup.
func (noCluster) GetClientFor(string, string) (dynamic.NamespaceableResourceInterface, bool, error) {
	return nil, false, errLookup
}
