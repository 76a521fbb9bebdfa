package kube

import (
	"context"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// How Helm marks what it has installed, and where it keeps its own record of it.
const (
	helmNameAnnotation      = "meta.helm.sh/release-name"
	helmNamespaceAnnotation = "meta.helm.sh/release-namespace"
	helmRecordPrefix        = "sh.helm.release.v1."
)

// HelmRelease is a chart's release, under the name that Helm would know it by.
type HelmRelease struct {
	Name, Namespace string
	// Hooks are those of its objects that are hooks, by kind, namespace and name.
	Hooks []ID
	// New tells that the site has not had it before.
	New bool
}

const takenText = "it was there before and is taken over"

// FromHelm tells of an object that Helm has installed and the release takes over.
func (c Change) FromHelm() bool {
	return strings.HasPrefix(c.Note, takenText+" from the Helm release ")
}

// HelmRecord tells of a Secret in which Helm keeps what it knows of a release that is taken over.
func (c Change) HelmRecord() bool {
	return c.Action == Kept && c.Kind == "Secret" && strings.HasPrefix(c.Name, helmRecordPrefix)
}

// takenFrom says from whom an object is taken over.
func takenFrom(live *unstructured.Unstructured) string {
	name := live.GetAnnotations()[helmNameAnnotation]
	if name == "" {
		return takenText
	}
	return takenText + " from the Helm release " + live.GetAnnotations()[helmNamespaceAnnotation] + "/" + name
}

// settleHooks finds out which of the charts that are new to this site Helm has installed on the target before: for them this
// is an upgrade. Helm's own records of them stay; they are named.
func (c *Cluster) settleHooks(ctx context.Context, p *plan) error {
	if p.run == nil {
		return nil
	}
	for _, r := range p.run.Charts {
		if !r.New {
			continue
		}
		records, err := c.helmRecords(ctx, r)
		if err != nil {
			return err
		}
		if len(records) == 0 {
			p.install = append(p.install, r.Hooks...)
			continue
		}
		for _, id := range records {
			p.records = append(p.records, Change{ID: id, Action: Kept, Note: "Helm's own record of its release " + r.Name +
				", which this release takes over: it is left, and no longer tells what is there"})
		}
	}
	return nil
}

// helmRecords lists the Secrets in which Helm keeps the revisions of a release. Nothing of them is read but their names. A
// kubeconfig that may not list Secrets is of a site where Helm could not have worked with it either.
func (c *Cluster) helmRecords(ctx context.Context, r HelmRelease) ([]ID, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind((&ID{Version: "v1", Kind: "SecretList"}).gvk())
	if err := c.learnKinds(ctx, []*unstructured.Unstructured{ID{Version: "v1", Kind: "Secret"}.object()}); err != nil {
		return nil, err
	}
	err := c.client.List(ctx, list, client.InNamespace(r.Namespace), client.MatchingLabels{"owner": "helm", "name": r.Name})
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, c.failed("list Helm's records in the namespace "+r.Namespace, err)
	}
	var ids []ID
	for _, m := range list.Items {
		if strings.HasPrefix(m.Name, helmRecordPrefix+r.Name+".") {
			ids = append(ids, ID{Version: "v1", Kind: "Secret", Namespace: m.Namespace, Name: m.Name})
		}
	}
	slices.SortFunc(ids, compareIDs)
	return ids, nil
}
