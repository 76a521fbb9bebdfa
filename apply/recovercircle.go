package apply

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// circle explains a mirror that does not answer because it is itself a workload of the release: its image would have to come from
// it. Of any other it returns err.
func (r *run) circle(ctx context.Context, set *supply, err error) error {
	if r.cfg.Spec.Mirror.Embedded() || isBaseError(err) || ctx.Err() != nil {
		return err
	}
	yaml, readErr := r.objectsOf(ctx, set.target)
	if readErr != nil {
		return err
	}
	at, image, err2 := servesMirror(yaml, r.cfg.Spec.Mirror.URL)
	if err2 != nil || at == "" {
		return err
	}
	return &Error{Word: "circle", Err: err,
		Text: fmt.Sprintf("the mirror %s is %s of %s itself, and does not run: its image %s would have to come from it", r.cfg.Spec.Mirror.URL, at, set.target.about, image),
		Advice: fmt.Sprintf("give the container runtime that image first, from a bundle that was built with --plain, which is an OCI archive: "+
			"k3s ctr images import BUNDLE (or: ctr -n k8s.io images import BUNDLE); once %s answers, run the same command again", r.cfg.Spec.Mirror.URL)}
}

// objectsOf reads a bundle up to the release's objects; it cannot be used for anything else then.
func (r *run) objectsOf(ctx context.Context, b *supplied) ([]byte, error) {
	want := b.bundle.Descriptor().Manifests.Digest
	for {
		e, err := b.bundle.Next()
		if err != nil {
			return nil, err
		}
		if e.Desc.Digest == want {
			return io.ReadAll(&cancelReader{ctx, e})
		}
	}
}

// servesMirror finds, among a release's objects, the workload that answers at the mirror's URL: by a port of the host, or by
// a Service of that name, address or node port. at is empty if there is none.
func servesMirror(yaml []byte, mirror string) (at, image string, err error) {
	u, err := url.Parse(mirror)
	if err != nil {
		return "", "", err
	}
	var objs []*unstructured.Unstructured
	err = kubeyaml.Each("", yaml, func(o kubeyaml.Object) error {
		objs = append(objs, &unstructured.Unstructured{Object: o.Fields})
		return nil
	})
	if err != nil {
		return "", "", err
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	for _, o := range objs {
		if image := hostPort(o, port); image != "" {
			return o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName(), image, nil
		}
	}
	for _, svc := range objs {
		if svc.GetKind() != "Service" || !serviceAt(svc, u.Hostname(), port) {
			continue
		}
		for _, o := range objs {
			if image := behind(svc, o); image != "" {
				return o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName(), image, nil
			}
		}
	}
	return "", "", nil
}

// podOf is the Pod of a workload: its labels and its spec; nil of anything else.
func podOf(o *unstructured.Unstructured) (labels map[string]string, spec map[string]any) {
	path := []string{"spec", "template"}
	if o.GetKind() == "Pod" {
		path = nil
	}
	labels, _, _ = unstructured.NestedStringMap(o.Object, append(path, "metadata", "labels")...)
	spec, _, _ = unstructured.NestedMap(o.Object, append(path, "spec")...)
	return labels, spec
}

// hostPort is the image of the container of a workload that listens on a port of the host.
func hostPort(o *unstructured.Unstructured, port string) (image string) {
	_, spec := podOf(o)
	onHost, _, _ := unstructured.NestedBool(spec, "hostNetwork")
	containers, _, _ := unstructured.NestedSlice(spec, "containers")
	for _, c := range containers {
		m, _ := c.(map[string]any)
		ports, _, _ := unstructured.NestedSlice(m, "ports")
		for _, p := range ports {
			listens, _ := p.(map[string]any)
			if fmt.Sprint(listens["hostPort"]) == port || onHost && fmt.Sprint(listens["containerPort"]) == port {
				return fmt.Sprint(m["image"])
			}
		}
	}
	return ""
}

// serviceAt tells whether a Service answers at a host and port.
func serviceAt(svc *unstructured.Unstructured, host, port string) bool {
	ports, _, _ := unstructured.NestedSlice(svc.Object, "spec", "ports")
	for _, p := range ports {
		m, _ := p.(map[string]any)
		if fmt.Sprint(m["nodePort"]) == port {
			return true
		}
	}
	name := svc.GetName() + "." + svc.GetNamespace()
	if host == svc.GetName() || host == name || strings.HasPrefix(host, name+".") {
		return true
	}
	if net.ParseIP(host) == nil {
		return false
	}
	for _, field := range []string{"clusterIP", "loadBalancerIP"} {
		if at, _, _ := unstructured.NestedString(svc.Object, "spec", field); at == host {
			return true
		}
	}
	external, _, _ := unstructured.NestedStringSlice(svc.Object, "spec", "externalIPs")
	for _, at := range external {
		if at == host {
			return true
		}
	}
	return false
}

// behind is the image of a workload that a Service leads to.
func behind(svc, o *unstructured.Unstructured) (image string) {
	selector, _, _ := unstructured.NestedStringMap(svc.Object, "spec", "selector")
	labels, spec := podOf(o)
	if len(selector) == 0 || svc.GetNamespace() != o.GetNamespace() {
		return ""
	}
	for k, v := range selector {
		if labels[k] != v {
			return ""
		}
	}
	containers, _, _ := unstructured.NestedSlice(spec, "containers")
	for _, c := range containers {
		if m, ok := c.(map[string]any); ok {
			return fmt.Sprint(m["image"])
		}
	}
	return ""
}
