package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// The mappers of client-go and controller-runtime ask the server whenever they please, without a context. Here the
// mapper only remembers: whatever talks to the server does so where a caller can give up.

// learn makes the mapper know the kinds of a group and version. One that the server does not have is no error.
func (c *Cluster) learn(ctx context.Context, gv schema.GroupVersion) error {
	resources, err := c.resources(ctx, gv)
	if err != nil {
		return err
	}
	for _, r := range resources {
		scope := meta.RESTScopeRoot
		if r.Namespaced {
			scope = meta.RESTScopeNamespace
		}
		c.mapper.AddSpecific(gv.WithKind(r.Kind), gv.WithResource(r.Name), gv.WithResource(r.SingularName), scope)
	}
	return nil
}

// resources lists what the server has in a group and version, without subresources.
func (c *Cluster) resources(ctx context.Context, gv schema.GroupVersion) ([]metav1.APIResource, error) {
	path := "/apis/" + gv.String()
	if gv.Group == "" {
		path = "/api/" + gv.Version
	}
	var list metav1.APIResourceList
	if err := c.getJSON(ctx, path, &list); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return nil, err
	}
	return slices.DeleteFunc(list.APIResources, func(r metav1.APIResource) bool {
		return r.Kind == "" || r.SingularName == "" || slices.Contains([]byte(r.Name), '/')
	}), nil
}

func (c *Cluster) getJSON(ctx context.Context, path string, into any) error {
	b, err := c.rest.Get().AbsPath(path).SetHeader("Accept", "application/json").Do(ctx).Raw()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		if ctx.Err() != nil {
			return ctx.Err() // it was cut short
		}
		return fmt.Errorf("%w: %w", errStranger, err)
	}
	return nil
}

func (c *Cluster) knows(gvk schema.GroupVersionKind) bool {
	_, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	return err == nil
}

// learnAny makes the mapper know a kind, preferably in the given version, and returns the version it has. ok is false
// if the server has the kind in none.
func (c *Cluster) learnAny(ctx context.Context, gvk schema.GroupVersionKind) (version string, ok bool, err error) {
	versions := []string{gvk.Version}
	if gvk.Group != "" && !c.knows(gvk) {
		var group metav1.APIGroup
		if err := c.getJSON(ctx, "/apis/"+gvk.Group, &group); err != nil && !apierrors.IsNotFound(err) {
			return "", false, err
		}
		for _, v := range group.Versions {
			versions = append(versions, v.Version)
		}
	}
	for _, v := range versions {
		gvk.Version = v
		if !c.knows(gvk) {
			if err := c.learn(ctx, gvk.GroupVersion()); err != nil {
				return "", false, err
			}
		}
		if c.knows(gvk) {
			return v, true, nil
		}
	}
	return "", false, nil
}

// namespacedKinds lists each kind of which objects can be in a namespace, in one version, and makes the mapper know
// them.
func (c *Cluster) namespacedKinds(ctx context.Context) ([]schema.GroupVersionKind, error) {
	var groups metav1.APIGroupList
	if err := c.getJSON(ctx, "/apis", &groups); err != nil {
		return nil, err
	}
	versions := []schema.GroupVersion{{Version: "v1"}}
	for _, g := range groups.Groups {
		versions = append(versions, schema.GroupVersion{Group: g.Name, Version: g.PreferredVersion.Version})
	}
	var kinds []schema.GroupVersionKind
	for _, gv := range versions {
		resources, err := c.resources(onlyOnce(ctx), gv)
		if apierrors.IsServiceUnavailable(err) {
			// An API that a pod serves, and the pod is down. Such APIs show metrics; they keep nothing.
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, r := range resources {
			if r.Namespaced && slices.Contains(r.Verbs, "list") && slices.Contains(r.Verbs, "delete") && !passing(r.Kind) {
				c.mapper.AddSpecific(gv.WithKind(r.Kind), gv.WithResource(r.Name), gv.WithResource(r.SingularName), meta.RESTScopeNamespace)
				kinds = append(kinds, gv.WithKind(r.Kind))
			}
		}
	}
	return kinds, nil
}

// passing are kinds that controllers write about other objects and that nobody misses.
func passing(kind string) bool {
	return slices.Contains([]string{"Endpoints", "EndpointSlice", "Event", "Lease"}, kind)
}
