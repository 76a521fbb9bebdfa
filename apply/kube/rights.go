package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"
)

// right is something that one may be allowed to do.
type right struct{ verb, group, resource, namespace string }

func (r right) String() string {
	text := r.verb + " " + r.resource
	if r.group != "" {
		text += "." + r.group
	}
	if r.namespace == "" {
		return text + " in the whole cluster"
	}
	return text + " in the namespace " + r.namespace
}

// lacks begins the note on an object for which a right is missing.
const lacks = "the user of the kubeconfig cannot "

// checkRights makes the changes conflicts for which a right is missing that no dry run asks for: to delete what leaves or,
// on the way back, what is new; and to write what cannot be asked about yet.
func (c *Cluster) checkRights(ctx context.Context, p *plan, changes []Change) error {
	if all, err := c.allowed(ctx, right{"*", "*", "*", ""}); all || err != nil || p.bringsRights() {
		return err
	}
	known := map[right]bool{}
	for i := range changes {
		for _, r := range c.rightsFor(p, changes[i]) {
			may, asked := known[r]
			if !asked {
				var err error
				if may, err = c.allowed(ctx, r); err != nil {
					return err
				}
				known[r] = may
			}
			if !may {
				changes[i] = Change{ID: changes[i].ID, Action: Conflict, Note: lacks + r.String()}
				break
			}
		}
	}
	return nil
}

// bringsRights tells whether the release may itself give the rights that are missing.
func (p *plan) bringsRights() bool {
	return slices.ContainsFunc(p.items(), func(it *item) bool {
		return it.change.Group == "rbac.authorization.k8s.io" && it.change.Action != Unchanged
	})
}

// rightsFor lists what a change takes.
func (c *Cluster) rightsFor(p *plan, change Change) (rights []right) {
	var verbs []string
	switch change.Action {
	case Pruned, Recreated:
		verbs = []string{"delete"}
	case Created, Runs:
		verbs = []string{"patch", "create", "delete"}
	case Configured:
		verbs = []string{"patch"}
	default:
		return nil
	}
	name := p.defs[change.groupKind()].resource
	if m, err := c.mapper.RESTMapping(change.groupKind(), change.Version); err == nil {
		name = m.Resource.Resource
	}
	if name == "" {
		return nil // nobody knows the kind
	}
	for _, v := range verbs {
		rights = append(rights, right{v, change.Group, name, change.Namespace})
	}
	return rights
}

// allowed asks the server for a right of ours. One that does not answer such questions is taken to say yes: what is missing
// shows when it is needed.
func (c *Cluster) allowed(ctx context.Context, r right) (bool, error) {
	review := authorizationv1.SelfSubjectAccessReview{}
	review.APIVersion, review.Kind = "authorization.k8s.io/v1", "SelfSubjectAccessReview"
	review.Spec.ResourceAttributes = &authorizationv1.ResourceAttributes{Verb: r.verb, Group: r.group, Resource: r.resource, Namespace: r.namespace}
	b, err := json.Marshal(review)
	if err != nil {
		return false, err
	}
	b, err = c.rest.Post().AbsPath("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews").
		SetHeader("Content-Type", "application/json").SetHeader("Accept", "application/json").Body(b).Do(ctx).Raw()
	switch {
	case ctx.Err() != nil:
		return false, context.Cause(ctx)
	case err != nil:
		if _, _, refused := refusal(err); refused {
			return true, nil
		}
		return false, c.failed("tell what its user may do", err)
	}
	if err := json.Unmarshal(b, &review); err != nil {
		return false, c.failed("tell what its user may do", fmt.Errorf("%w: %w", errStranger, err))
	}
	return review.Status.Allowed, nil
}
