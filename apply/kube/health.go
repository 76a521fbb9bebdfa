package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Health looks once at every object of the release and says, by the rules of kstatus, how it is. Some rules are our own:
//
//   - a Job is current when it is complete, not when it runs
//   - a Job that was deleted after its time to live counts as complete, unless its events tell that it failed
//   - a Pod that failed has failed
//   - a Pod, and a workload by its pods, is current only when its containers are steady: those without readiness and
//     startup probes have run for 5 s, those that ended before for 15 s
//   - a workload whose pods get a new template only when they are deleted is judged by the pods that it has
//   - a claim that waits for the first pod to use it is current while no pod does
//   - a custom resource of which its controller has said nothing is current 5 s after it was made
//
// A look keeps nothing for the next one. A container that crashes again and again is in progress, as Kubernetes itself
// sees it, since many begin so while they wait for another; how long to wait is for the caller to decide. What can only
// stay as it is, a Job or a Pod that failed, is final.
func (c *Cluster) Health(ctx context.Context, want Objects) ([]ObjectStatus, error) {
	all, err := c.look(ctx, want)
	var e *TargetError
	if err != nil && ctx.Err() != nil && !(errors.As(err, &e) && e.Away()) {
		err = c.failed("tell how the release's objects are", ctx.Err()) // whatever the caller's reason for it
	}
	return all, err
}

func (c *Cluster) look(ctx context.Context, want Objects) ([]ObjectStatus, error) {
	p, err := c.newPlan(ctx, want, Inventory{})
	if err != nil {
		return nil, err
	}
	if err := c.learnPods(ctx); err != nil {
		return nil, c.failed("tell what it knows of pods", err)
	}
	items := p.items()
	out := make([]ObjectStatus, len(items))
	var known subresources
	alone, err := c.healthListed(ctx, p, items, out, &known)
	if err != nil {
		return nil, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(c.config.Workers)
	for _, i := range alone {
		g.Go(func() (err error) {
			out[i], err = c.health(ctx, items[i].want, &known)
			return err
		})
	}
	return out, g.Wait()
}

// healthListed judges the objects of which lists tell, and returns which are left. Those whose age matters are among them:
// a list of many pages tells no single time.
func (c *Cluster) healthListed(ctx context.Context, p *plan, items []*item, out []ObjectStatus, known *subresources) (left []int, err error) {
	var want []*unstructured.Unstructured
	var at []int // where in items
	for i, it := range items {
		if gvk := it.want.GroupVersionKind(); isCustom(gvk.Group) || isPod(it.want) {
			left = append(left, i)
			continue
		}
		want, at = append(want, it.want), append(at, i)
	}
	unlisted, err := c.eachLive(ctx, p.release, want, func(ctx context.Context, n int, live *unstructured.Unstructured) (err error) {
		out[at[n]], err = c.appraise(ctx, want[n], live, time.Time{}, known)
		return err
	})
	for _, n := range unlisted {
		left = append(left, at[n])
	}
	return left, err
}

// Wait looks until every object is current, or one has failed for good. It returns what it saw last: nil, an *UnhealthyError, or the target's
// error; it ends with the context.
func (c *Cluster) Wait(ctx context.Context, want Objects, interval time.Duration) error {
	for {
		statuses, err := c.Health(ctx, want)
		if err == nil {
			err = CheckHealth(statuses)
		}
		if err == nil || isFinal(err) || sleep(ctx, interval) != nil {
			return err
		}
	}
}

func isFinal(err error) bool {
	var u *UnhealthyError
	return errors.As(err, &u) && u.Final()
}

// health looks at one object.
func (c *Cluster) health(ctx context.Context, want *unstructured.Unstructured, known *subresources) (ObjectStatus, error) {
	id := idOf(want)
	var now time.Time
	live, err := c.get(withDate(ctx, &now), id)
	switch {
	case meta.IsNoMatchError(err):
		return ObjectStatus{ID: id, Status: NotFound, Message: "the cluster does not know its kind"}, nil
	case isCustom(id.Group) && isUnserved(err):
		return ObjectStatus{ID: id, Status: InProgress, Message: describe("it cannot be read: %s", err)}, nil
	case err != nil:
		return ObjectStatus{}, c.failed("look at "+id.String(), err)
	case live == nil && isJob(want):
		return c.goneJob(ctx, want), nil
	case live == nil:
		return ObjectStatus{ID: id, Status: NotFound, Message: "it is not there"}, nil
	}
	return c.appraise(ctx, want, live, now, known)
}

// appraise judges an object as it was at the server's time now, which is zero where it does not matter.
func (c *Cluster) appraise(ctx context.Context, want, live *unstructured.Unstructured, now time.Time, known *subresources) (s ObjectStatus, err error) {
	s = compute(live)
	switch {
	case hasPods(live):
		judgeRollout(want, live, &s)
		err = c.askPods(ctx, live, now, &s)
	case isClaim(live):
		err = c.askClaim(ctx, live, &s)
	default:
		err = c.askCustom(ctx, live, now, known, &s)
	}
	return s, err
}

// askPods asks a workload's pods whether they are as well as the workload says, or why they are not.
func (c *Cluster) askPods(ctx context.Context, workload *unstructured.Unstructured, now time.Time, s *ObjectStatus) error {
	if s.Status == Current && isJob(workload) || s.Status == Terminating || !observed(workload) {
		return nil
	}
	pods, err := c.pods(ctx, workload, now)
	if s.Status != Current {
		// That the pods cannot be asked matters little: what the workload says of itself is bad enough.
		if why := c.why(ctx, workload, pods); why != "" {
			s.Message += "; " + why
		}
		return nil
	}
	if err != nil {
		return c.failed("list the pods of "+s.String(), err)
	}
	if why := unsteady(pods); why != "" {
		s.Status, s.Message = InProgress, why
	}
	return nil
}

// observed tells whether the workload's controller has seen its present specification. Until then its pods are those
// of the one before.
func observed(u *unstructured.Unstructured) bool {
	n, found, err := unstructured.NestedInt64(u.Object, "status", "observedGeneration")
	return err != nil || !found || n >= u.GetGeneration()
}

// compute judges an object by what it says of itself.
func compute(u *unstructured.Unstructured) ObjectStatus {
	id := idOf(u)
	res, err := status.Compute(u)
	if err != nil {
		return ObjectStatus{ID: id, Status: InProgress, Message: "its status cannot be read: " + err.Error()}
	}
	s := ObjectStatus{ID: id, Status: word(res.Status), Message: tidy(res.Message)}
	switch {
	case isJob(u) && suspended(u) && s.Status == InProgress: // it has not begun, and will not
		s.Status, s.Message, s.Note = Current, "", "it is suspended (spec.suspend)"
	case s.Status != Current:
	case isJob(u) && !complete(u):
		s.Status = InProgress
	case u.GetKind() == "Pod" && u.GetAPIVersion() == "v1" && phase(u) == "Failed":
		s.Status = Failed
	}
	return s
}

// word is our word for one of kstatus. What it does not know is on its way.
func word(s status.Status) Status {
	switch s {
	case status.CurrentStatus:
		return Current
	case status.FailedStatus:
		return Failed
	case status.TerminatingStatus:
		return Terminating
	case status.NotFoundStatus:
		return NotFound
	}
	return InProgress
}

func phase(pod *unstructured.Unstructured) string {
	s, _, _ := unstructured.NestedString(pod.Object, "status", "phase")
	return s
}

// CheckHealth returns nil if every object is current, else an *UnhealthyError.
func CheckHealth(statuses []ObjectStatus) error {
	bad := slices.DeleteFunc(slices.Clone(statuses), func(s ObjectStatus) bool { return s.Status == Current })
	if len(bad) == 0 {
		return nil
	}
	slices.SortStableFunc(bad, func(a, b ObjectStatus) int { return urgency(a) - urgency(b) })
	return &UnhealthyError{Total: len(statuses), Unhealthy: bad}
}

func urgency(s ObjectStatus) int {
	n := 2 * slices.Index([]Status{Unknown, Failed, NotFound, Terminating, InProgress}, s.Status)
	if s.Final {
		return n - 1
	}
	return n
}

func describe(format string, args ...any) string { return tidy(fmt.Sprintf(format, args...)) }
