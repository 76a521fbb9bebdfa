package kube

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// background lets the pods of a hook go after it, as Helm does.
const background = client.PropagationPolicy(metav1.DeletePropagationBackground)

// runHooks runs the hooks that are due, one after the other. It ends with the first that fails.
func (c *Cluster) runHooks(ctx context.Context, p *plan, when string) error {
	due, events := p.due(when)
	return c.runAll(ctx, p, due, events)
}

// Undo runs the hooks that a release has for being rolled back: when is "pre" before the former release is put back, and
// "post" after. It runs all of them, and gives the errors of those that failed.
func (c *Cluster) Undo(ctx context.Context, of Objects, when string) error {
	p, err := c.newPlan(ctx, of, Inventory{})
	if err != nil || p.run == nil {
		return err
	}
	var due []hook
	var events []string
	for _, h := range p.hooks {
		if event := when + "-rollback"; slices.Contains(h.events, event) {
			due, events = append(due, h), append(events, event)
		}
	}
	return c.runAll(ctx, p, due, events)
}

func (c *Cluster) runAll(ctx context.Context, p *plan, due []hook, events []string) error {
	for i, h := range due {
		if err := c.runHook(ctx, p, h, events[i]); err != nil {
			if ctx.Err() != nil {
				return err // it is waited for again by whoever takes up the run
			}
			c.deleteHooks(ctx, due[i:i+1], deleteFailed)
			c.deleteHooks(ctx, due[:i], deleteSucceeded)
			return err
		}
	}
	c.deleteHooks(ctx, due, deleteSucceeded)
	return nil
}

// runHook makes a hook's object and waits until it has done its work, unless it has. One that was made for the same run already
// is waited for only.
func (c *Cluster) runHook(ctx context.Context, p *plan, h hook, event string) error {
	id := idOf(h.want)
	name := event + " " + id.String()
	if slices.Contains(p.run.Ended, name) {
		return nil
	}
	want := h.want.DeepCopy()
	mark := p.run.Run + " " + event
	annotate(want, HookAnnotation, mark)
	if err := c.learnKinds(ctx, []*unstructured.Unstructured{want}); err != nil {
		return err
	}
	live, err := c.get(ctx, id)
	if err != nil && !notThere(err) {
		return c.failed("look at "+id.String(), err)
	}
	begun := live != nil && live.GetAnnotations()[HookAnnotation] == mark && live.GetDeletionTimestamp() == nil
	if !begun {
		if err := c.clearWay(ctx, p, h, event, live); err != nil {
			return err
		}
		if err := c.begin(ctx, want, event); err != nil {
			return err
		}
	}
	if err := c.ended(ctx, want, event); err != nil || p.run.End == nil {
		return err
	}
	return p.run.End(name)
}

// clearWay deletes what an earlier run of the hook has left.
func (c *Cluster) clearWay(ctx context.Context, p *plan, h hook, event string, live *unstructured.Unstructured) error {
	if live == nil {
		return nil
	}
	id := idOf(h.want)
	if owner := live.GetLabels()[OwnerLabel]; owner != "" && owner != p.release && !p.prev[id.key()] {
		return &HookError{id, event, "it is there already and belongs to the release " + owner}
	}
	if live.GetLabels()[OwnerLabel] == "" && live.GetAnnotations()[hookAnnotation] == "" {
		return &HookError{id, event, "an object of this name is there already, and is no hook"}
	}
	if live.GetDeletionTimestamp() == nil {
		if !slices.Contains(h.deletes, deleteBefore) || kept(h.want) {
			return nil
		}
		if err := c.delete(ctx, live, background); err != nil {
			return err
		}
	}
	return c.waitGone(ctx, live, c.settled())
}

// kept tells of kinds that Helm's policies never delete: with them would go what others have made of them.
func kept(u *unstructured.Unstructured) bool { return u.GetKind() == "CustomResourceDefinition" }

// begin makes the hook's object. What it needs may have been accepted by the server a moment ago.
func (c *Cluster) begin(ctx context.Context, want *unstructured.Unstructured, event string) error {
	id := idOf(want)
	for end := time.Now().Add(lagTime); ; {
		err := c.send(ctx, want.DeepCopy())
		if err == nil {
			return nil
		}
		note, _, refused := refusal(err)
		switch {
		case isLag(err) && !lacksRight(note) && time.Now().Before(end):
			if err := sleep(ctx, pollInterval); err != nil {
				return err
			}
			continue
		case refused:
			return &HookError{id, event, note}
		}
		return c.failed("apply "+id.String(), err)
	}
}

// ended waits until a Job or a Pod has done its work. Other objects have none.
func (c *Cluster) ended(ctx context.Context, want *unstructured.Unstructured, event string) error {
	if !isWork(want) {
		return nil
	}
	limit := timeout(want, hookTime)
	end := time.Now().Add(limit)
	for {
		s, err := c.hookStatus(ctx, want)
		switch {
		case err != nil:
			return err
		case s.Status == Current:
			return nil
		case s.Status == Failed || s.Status == NotFound || s.Final:
			return &HookError{idOf(want), event, s.Message}
		case time.Now().After(end):
			return &HookError{idOf(want), event, fmt.Sprintf("it has not ended after %s: %s", limit, s.Message)}
		}
		if err := sleep(ctx, pollInterval); err != nil {
			return err
		}
	}
}

// hookStatus judges a Job as Health does, and a Pod by whether it has ended.
func (c *Cluster) hookStatus(ctx context.Context, want *unstructured.Unstructured) (ObjectStatus, error) {
	if isJob(want) {
		return c.health(ctx, want, &subresources{})
	}
	id := idOf(want)
	live, err := c.get(ctx, id)
	switch {
	case err != nil && !apierrors.IsNotFound(err):
		return ObjectStatus{}, c.failed("look at "+id.String(), err)
	case live == nil:
		return ObjectStatus{ID: id, Status: NotFound, Message: "it is not there"}, nil
	}
	s := compute(live)
	if s.Status == Current && phase(live) != "Succeeded" {
		s.Status = InProgress
	}
	return s, nil
}

func isPod(u *unstructured.Unstructured) bool {
	return u.GetKind() == "Pod" && u.GetAPIVersion() == "v1"
}

// deleteHooks deletes, from the last to the first, those hooks that ask for it. That one stays is no fault of the release.
func (c *Cluster) deleteHooks(ctx context.Context, hooks []hook, policy string) {
	for _, h := range slices.Backward(hooks) {
		if !slices.Contains(h.deletes, policy) || kept(h.want) {
			continue
		}
		live, err := c.get(ctx, idOf(h.want))
		if err == nil && live != nil {
			err = c.delete(ctx, live, background)
		}
		if err != nil {
			c.config.Log.WarnContext(ctx, fmt.Sprintf("the hook %s is not deleted: %v", idOf(h.want), err))
		}
	}
}

// timeout is how long an object may take.
func timeout(u *unstructured.Unstructured, usual time.Duration) time.Duration {
	d, err := time.ParseDuration(u.GetAnnotations()[TimeoutAnnotation])
	if err != nil || d <= 0 {
		return usual
	}
	return d
}
