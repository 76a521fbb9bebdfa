package kube

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// listPage is how many objects one answer has: at most 1 MiB each, as a rule some 10 kB.
	listPage = 50
	// listFrom is how many objects of a kind and namespace are worth a list.
	listFrom = 3
)

// A release's objects are read by lists of a kind in a namespace, chosen by the label of the release, in pages, and never
// whole: what was read of a page is used and let go before the next one comes. Objects of others are not among them, so
// that nobody's Secrets are read but the release's own. A kubeconfig that may not list, or a list that fails for another
// reason, leaves the objects to be read one by one.

// group is what one list answers.
type group struct {
	gvk       schema.GroupVersionKind
	namespace string
}

func groupOf(u *unstructured.Unstructured) group {
	return group{u.GroupVersionKind(), u.GetNamespace()}
}

// eachLive calls use for each of the objects that the target has under the release's label and a list tells of, several
// at a time. unlisted are those of whom no list told: they may be there or not.
func (c *Cluster) eachLive(ctx context.Context, release string, want []*unstructured.Unstructured,
	use func(ctx context.Context, i int, live *unstructured.Unstructured) error) (unlisted []int, err error) {
	groups := map[group]map[string]int{}
	for i, u := range want {
		g := groupOf(u)
		if groups[g] == nil {
			groups[g] = map[string]int{}
		}
		groups[g][u.GetName()] = i
	}
	seen := make([]bool, len(want))
	for g, names := range groups {
		if len(names) < listFrom || !c.knows(g.gvk) {
			continue
		}
		err := c.listGroup(ctx, release, g, func(ctx context.Context, live *unstructured.Unstructured) error {
			i, ours := names[live.GetName()]
			if !ours {
				return nil
			}
			seen[i] = true
			return use(ctx, i, live)
		})
		if err != nil {
			return nil, err
		}
	}
	for i := range want {
		if !seen[i] {
			unlisted = append(unlisted, i)
		}
	}
	return unlisted, nil
}

// errUsed marks an error of whoever uses what a list tells.
type errUsed struct{ error }

func (e errUsed) Unwrap() error { return e.error }

// listGroup reads page after page. That a list fails is no error: who needs the objects asks for them one by one, and
// hears what the matter is.
func (c *Cluster) listGroup(ctx context.Context, release string, g group, use func(context.Context, *unstructured.Unstructured) error) error {
	list := &unstructured.UnstructuredList{}
	for next := ""; ; {
		list.Items = nil
		list.SetGroupVersionKind(g.gvk.GroupVersion().WithKind(g.gvk.Kind + "List"))
		err := c.client.List(ctx, list, client.InNamespace(g.namespace), client.MatchingLabels{OwnerLabel: release},
			client.Limit(listPage), client.Continue(next))
		if err == nil {
			err = c.usePage(ctx, list.Items, use)
		}
		var used errUsed
		switch {
		case errors.As(err, &used):
			return used.error
		case err != nil && ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return nil
		}
		if next = list.GetContinue(); next == "" {
			return nil
		}
	}
}

func (c *Cluster) usePage(ctx context.Context, page []unstructured.Unstructured, use func(context.Context, *unstructured.Unstructured) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(c.config.Workers)
	for i := range page {
		g.Go(func() error {
			if err := use(ctx, &page[i]); err != nil {
				return errUsed{err}
			}
			return nil
		})
	}
	return g.Wait()
}

// get returns nil for an object that is not there.
func (c *Cluster) get(ctx context.Context, id ID) (*unstructured.Unstructured, error) {
	u := id.object()
	err := c.client.Get(ctx, client.ObjectKeyFromObject(u), u)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return u, nil
}

// outline is what is kept of a live object once it has been compared: a release may have thousands.
func outline(u *unstructured.Unstructured) *unstructured.Unstructured {
	if u == nil {
		return nil
	}
	kept := idOf(u).object()
	kept.SetUID(u.GetUID())
	kept.SetResourceVersion(u.GetResourceVersion())
	kept.SetDeletionTimestamp(u.GetDeletionTimestamp())
	kept.SetLabels(u.GetLabels())
	kept.SetFinalizers(u.GetFinalizers())
	if v, ok := u.GetAnnotations()[ForceAnnotation]; ok {
		kept.SetAnnotations(map[string]string{ForceAnnotation: v})
	}
	return kept
}
