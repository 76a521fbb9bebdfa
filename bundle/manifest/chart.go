package manifest

import (
	"fmt"

	"github.com/sallyport-dev/sallyport/bundle/manifest/helm"
)

// Chart is a chart that was rendered.
type Chart struct {
	Name, Version      string
	Release, Namespace string
	// KubeVersion is the range of Kubernetes versions that it is for; empty is any.
	KubeVersion string

	first, end int // its objects in Rendered.Objects
}

// openChart renders the chart at a path; nil options are Helm's defaults.
func (r *Rendered) openChart(path string, options *helm.Options) error {
	chart, err := helm.Open(path)
	if err != nil {
		return err
	}
	return r.addChart(chart, options)
}

func (r *Rendered) addChart(chart *helm.Chart, options *helm.Options) error {
	if options == nil {
		options = &helm.Options{}
	}
	out, err := chart.Render(*options)
	if err != nil {
		return err
	}
	first := len(r.Objects)
	objects := make([]Object, len(out.Objects))
	for i, o := range out.Objects {
		objects[i] = Object{Object: o}
	}
	r.Notes = append(r.Notes, out.Notes...)
	r.Charts = append(r.Charts, Chart{Name: chart.Name(), Version: chart.Version(), Release: out.Release, Namespace: out.Namespace,
		KubeVersion: chart.KubeVersion(), first: first, end: first + len(objects)})
	return r.keep(chart.Name(), objects)
}

// Hooks gives the objects of a chart that Helm takes for hooks.
func (r *Rendered) Hooks(c Chart) []*Object {
	var hooks []*Object
	for k := c.first; k < c.end; k++ {
		if o := &r.Objects[k]; o.annotation("helm.sh/hook") != "" {
			hooks = append(hooks, o)
		}
	}
	return hooks
}

// placeCharts gives the objects of charts the namespace of their release where they name none, as helm install does:
// helm template leaves them without one. It comes when all sources are read, since a custom resource's definition may
// stand in any of them.
func (r *Rendered) placeCharts() {
	defined := r.definedScopes()
	made := r.namespaces()
	for _, c := range r.Charts {
		for k := c.first; k < c.end; k++ {
			o := &r.Objects[k]
			if o.Namespace() != "" {
				continue
			}
			namespaced, known := builtinScope(o.group(), o.Kind())
			if !known {
				namespaced, known = defined[kindKey{o.group(), o.Kind()}], defined.has(o.group(), o.Kind())
			}
			if !known {
				namespaced = true
				r.Notes = append(r.Notes, fmt.Sprintf("%s is taken for an object with a namespace: the definition of its kind is not in the release", o.ID()))
			}
			if namespaced {
				o.setNamespace(c.Namespace)
			}
		}
		if c.Namespace != helm.DefaultNamespace && !made[c.Namespace] {
			r.Notes = append(r.Notes, fmt.Sprintf("no object of the release makes the namespace %s of chart %s: sites must have it", c.Namespace, c.Name))
			made[c.Namespace] = true
		}
	}
}

// namespaces are those that objects of the release make.
func (r *Rendered) namespaces() map[string]bool {
	made := make(map[string]bool)
	for k := range r.Objects {
		if o := &r.Objects[k]; o.Kind() == "Namespace" && o.group() == "" {
			made[o.Name()] = true
		}
	}
	return made
}
