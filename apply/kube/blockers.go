package kube

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/fluxcd/pkg/ssa/utils"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What judges other objects, or stands before them, comes back before anything else: admission webhooks and policies, which
// the server does not ask about themselves, then the APIs that are served by Pods. CustomResourceDefinitions, which may name a
// webhook that converts their objects, are of the first stage anyway.

const (
	admissionGroup   = "admissionregistration.k8s.io"
	aggregationGroup = "apiregistration.k8s.io"
)

// blocks tells of kinds that can stand in the way of others.
func blocks(id ID) bool { return id.Group == admissionGroup || id.Group == aggregationGroup }

// unblock takes away what the failed release has brought and what may be in the way now, and puts back what it has changed of
// that kind.
func (r *restoration) unblock(ctx context.Context, leaving Inventory) ([]Change, error) {
	var changes []Change
	for _, id := range inTheWayFirst(leaving.IDs()) {
		change, err := r.takeAway(ctx, id)
		if err != nil {
			return changes, err
		}
		if change != nil {
			changes = append(changes, *change)
		}
	}
	var items []*item
	for _, it := range r.p.items() {
		if blocks(it.change.ID) {
			items = append(items, it)
		}
	}
	slices.SortStableFunc(items, func(a, b *item) int { return compareGroups(a.change.ID, b.change.ID) })
	return changes, r.stage(ctx, items)
}

// inTheWayFirst returns those that can be in the way, admission first, and kinds last.
func inTheWayFirst(ids []ID) []ID {
	ids = slices.DeleteFunc(ids, func(id ID) bool { return !blocks(id) && !utils.IsCRD(id.object()) })
	slices.SortStableFunc(ids, compareGroups)
	return ids
}

// compareGroups puts admission before aggregated APIs, and those before kinds.
func compareGroups(a, b ID) int {
	order := []string{admissionGroup, aggregationGroup}
	rank := func(id ID) int {
		if i := slices.Index(order, id.Group); i >= 0 {
			return i
		}
		return len(order)
	}
	return rank(a) - rank(b)
}

// takeAway deletes what the failed release has brought; of a kind it takes the webhook that converts its objects. What is not
// ours stays, and so does what cannot be read.
func (r *restoration) takeAway(ctx context.Context, id ID) (*Change, error) {
	live, err := r.c.getAnyVersion(ctx, id)
	becomes := Pruned
	if err == nil && live != nil && !utils.IsCRD(live) {
		becomes, _, err = (&pruning{c: r.c}).judge(ctx, live)
	}
	switch {
	case err != nil && isTargetError(ctx, err):
		return nil, r.c.failed("look at "+id.String(), err)
	case err != nil:
		return &Change{ID: id, Action: Conflict, Note: noteOf(err)}, nil
	case live == nil || becomes != Pruned:
		return nil, nil
	case utils.IsCRD(live):
		return r.convertPlainly(ctx, id, live)
	}
	if err := r.c.delete(ctx, live, client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
		if isTargetError(ctx, err) {
			return nil, err
		}
		return &Change{ID: id, Action: Conflict, Note: noteOf(err)}, nil
	}
	r.unblocks()
	return &Change{ID: id, Action: Pruned, Note: "it may be in the way of what is put back"}, nil
}

// convertPlainly takes from a kind the webhook that converts its objects, so that they can be read and deleted.
func (r *restoration) convertPlainly(ctx context.Context, id ID, live *unstructured.Unstructured) (*Change, error) {
	if strategy, _, _ := unstructured.NestedString(live.Object, "spec", "conversion", "strategy"); strategy != "Webhook" || live.GetLabels()[OwnerLabel] == "" || !written(live) {
		return nil, nil
	}
	patch := []byte(`{"spec":{"conversion":{"strategy":"None","webhook":null}}}`)
	if err := r.c.client.Patch(ctx, live, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(FieldManager)); err != nil {
		if isTargetError(ctx, err) {
			return nil, r.c.failed("change "+id.String(), err)
		}
		return &Change{ID: id, Action: Conflict, Note: noteOf(err)}, nil
	}
	r.unblocks()
	return &Change{ID: id, Action: Configured, Note: "without the webhook that converts its objects"}, nil
}

// unblocks notes that something was changed that may go on to bite for a moment.
func (r *restoration) unblocks() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unblocked = time.Now()
}

// A webhook of ours that stands in both releases, and whose backend the failed one has broken, refuses everything, the backend
// included. It is told to let pass what it cannot judge while the rest is put back, and then put back itself.

// pastOurWebhooks puts back what webhooks of the release itself have kept away.
func (r *restoration) pastOurWebhooks(ctx context.Context) error {
	var stuck, hooks []*item
	for _, it := range r.p.items() {
		switch {
		case it.change.Action == Conflict && r.ours(it.err):
			stuck = append(stuck, it)
		case isWebhook(it.want) && it.change.Action != Conflict:
			hooks = append(hooks, it)
		}
	}
	if len(stuck) == 0 {
		return nil
	}
	for _, it := range hooks {
		if err := r.c.send(ctx, lenient(it.want)); err != nil && isTargetError(ctx, err) {
			return r.c.failed("change "+it.change.String(), err)
		}
	}
	r.unblocks()
	r.patient = true
	if err := r.stage(ctx, stuck); err != nil {
		return err
	}
	r.patient = false
	for _, it := range hooks {
		was := it.change
		if err := r.one(ctx, it, nil); err != nil {
			return err
		}
		if it.change.Action != Conflict {
			it.change = was
			it.change.Note = strings.TrimPrefix(it.change.Note+"; it had to let things pass while they were put back", "; ")
		}
	}
	return nil
}

func isWebhook(u *unstructured.Unstructured) bool {
	return u.GroupVersionKind().Group == admissionGroup && strings.HasSuffix(u.GetKind(), "WebhookConfiguration")
}

// lenient is a webhook configuration that lets pass what its webhooks cannot judge.
func lenient(want *unstructured.Unstructured) *unstructured.Unstructured {
	u := want.DeepCopy()
	for _, m := range webhooksOf(u) {
		m["failurePolicy"], m["timeoutSeconds"] = "Ignore", int64(1)
	}
	return u
}

func webhooksOf(u *unstructured.Unstructured) []map[string]any {
	list, _ := u.Object["webhooks"].([]any)
	var out []map[string]any
	for _, w := range list {
		if m, ok := w.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

var calling = regexp.MustCompile(`failed calling webhook "([^"]+)"`)

// ours tells of an error that comes from a webhook of the release that is put back.
func (r *restoration) ours(err error) bool {
	if err == nil {
		return false
	}
	m := calling.FindStringSubmatch(err.Error())
	return m != nil && slices.ContainsFunc(r.p.items(), func(it *item) bool {
		return isWebhook(it.want) && slices.ContainsFunc(webhooksOf(it.want), func(w map[string]any) bool { return w["name"] == m[1] })
	})
}

// bitten says in the note of an object who keeps it away.
func (r *restoration) bitten(it *item) {
	if m := calling.FindStringSubmatch(it.change.Note); m != nil && !r.ours(it.err) {
		it.change.Note += fmt.Sprintf("; %s is not of this release and is left alone", m[1])
	}
}

// isBite tells of an object that the server refuses because of somebody whom it asks: a webhook or a policy, or the
// conversion of its kind.
func isBite(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "webhook") || strings.Contains(err.Error(), "AdmissionPolicy") ||
		apierrors.IsServiceUnavailable(err))
}
