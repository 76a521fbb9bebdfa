package kube

import (
	"cmp"
	"context"
	"slices"

	"github.com/fluxcd/pkg/ssa"
	"github.com/fluxcd/pkg/ssa/utils"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// item is one object of the release on its way to the cluster.
type item struct {
	want   *unstructured.Unstructured // labelled
	live   *unstructured.Unstructured // its outline; nil: not there
	change Change
	// deferred: the server could not be asked about it yet, because of an object of an earlier stage.
	deferred bool
	// untried: the server cannot dry-run it.
	untried bool
	// claim: nothing changes but who owns its fields, which others hold with the values that the release wants.
	claim bool
	// sealed: a ConfigMap or Secret becomes immutable.
	sealed bool
	// reading is what a workload's pods read of the release; nil: nothing.
	reading *reading
	// stopped: the object made way for another, and starts again.
	stopped bool
	// narrowed are fields that a CustomResourceDefinition no longer keeps.
	narrowed []narrowing
	wave     int // in which it is applied
	// mended: the server takes it only without what it, or others, have put beside the release's fields.
	mended bool
	// taken: it is taken over whole from whoever has applied it before.
	taken bool
	err   error // behind the action Conflict, if the server gave one
}

// plan is what is to be done for a release, in the order of doing it.
type plan struct {
	release string
	prev    map[ID]bool // what may be on the target because of this site
	oneWay  []ID        // whose changes need not be undone by a rollback
	noRoll  bool        // leave pods running that read something else now
	stages  [stages][]*item
	defs    map[schema.GroupKind]definition
	pending pending
	hooks   []hook // in their order
	run     *Hooks // for which they run; nil: for nothing
	install []ID   // those of them whose charts are installed, not upgraded
	// records are Helm's, of releases that are taken over.
	records []Change
}

// pending is what earlier stages still have to bring.
type pending struct {
	namespaces map[string]bool
	kinds      map[schema.GroupKind]bool
	basics     bool
}

// newPlan reads the objects and settles their namespaces and labels.
func (c *Cluster) newPlan(ctx context.Context, want Objects, prev Inventory) (*plan, error) {
	objs, err := want.parse()
	if err != nil {
		return nil, err
	}
	if err := c.learnKinds(ctx, objs); err != nil {
		return nil, err
	}
	p := &plan{release: want.Release, run: want.Hooks, prev: prev.set(), oneWay: want.OneWay, defs: definitions(objs),
		pending: pending{namespaces: map[string]bool{}, kinds: map[schema.GroupKind]bool{}}}
	for _, u := range objs {
		c.settleNamespace(u, p.defs)
		own(u, want.Release)
		encodeSecret(u)
	}
	if err := checkRepeated(objs); err != nil {
		return nil, err
	}
	objs, p.hooks = withoutHooks(objs)
	slices.SortFunc(objs, func(a, b *unstructured.Unstructured) int {
		return cmp.Or(order(a, b), compareIDs(idOf(a), idOf(b)))
	})
	for _, u := range objs {
		n, err := waveOf(u)
		if err != nil {
			return nil, err
		}
		s := stageOf(u)
		p.stages[s] = append(p.stages[s], &item{want: u, wave: n, change: Change{ID: idOf(u)}})
	}
	p.findReadings(want.NoRoll)
	return p, nil
}

// order compares by the kind's place in the order of applying.
func order(a, b *unstructured.Unstructured) int {
	ka, kb := a.GroupVersionKind().GroupKind(), b.GroupVersionKind().GroupKind()
	switch {
	case ssa.IsLessThan(ka, kb):
		return -1
	case ssa.IsLessThan(kb, ka):
		return 1
	}
	return 0
}

// learnKinds makes the mapper know the kinds of the objects, as far as the server does. An API that a Pod serves, and the Pod
// is down, is remembered as away.
func (c *Cluster) learnKinds(ctx context.Context, objs []*unstructured.Unstructured) error {
	asked := map[schema.GroupVersion]bool{}
	for _, u := range objs {
		gvk := u.GroupVersionKind()
		if asked[gvk.GroupVersion()] || c.knows(gvk) {
			continue
		}
		asked[gvk.GroupVersion()] = true
		err := c.learn(onlyOnce(ctx), gvk.GroupVersion())
		delete(c.away, gvk.GroupVersion())
		if apierrors.IsServiceUnavailable(err) && isCustom(gvk.Group) {
			c.away[gvk.GroupVersion()] = err
			continue
		}
		if err != nil {
			err = c.learn(ctx, gvk.GroupVersion())
		}
		if err != nil {
			return c.failed("tell what it knows of "+gvk.GroupVersion().String(), err)
		}
	}
	return nil
}

// settleNamespace gives a namespaced object without a namespace the default one, and takes a pointless one away.
func (c *Cluster) settleNamespace(u *unstructured.Unstructured, defs map[schema.GroupKind]definition) {
	gvk := u.GroupVersionKind()
	d, ours := defs[gvk.GroupKind()]
	namespaced := d.namespaced
	if !ours {
		m, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
		if err != nil {
			return // nobody knows the kind: it is refused by and by, with its name
		}
		namespaced = m.Scope.Name() == meta.RESTScopeNameNamespace
	}
	switch {
	case !namespaced:
		u.SetNamespace("")
	case u.GetNamespace() == "":
		u.SetNamespace("default")
	}
}

func own(u *unstructured.Unstructured, release string) {
	labels := u.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[OwnerLabel] = release
	u.SetLabels(labels)
}

func annotate(u *unstructured.Unstructured, key, value string) {
	a := u.GetAnnotations()
	if a == nil {
		a = map[string]string{}
	}
	a[key] = value
	u.SetAnnotations(a)
}

func (p *plan) items() []*item { return slices.Concat(p.stages[:]...) }

func (p *plan) inventory() Inventory {
	var ids []ID
	for _, it := range p.items() {
		ids = append(ids, it.change.ID)
	}
	return NewInventory(ids...)
}

func (p *plan) changes() []Change {
	var out []Change
	for _, it := range p.items() {
		out = append(out, it.change)
	}
	accept(out, p.oneWay)
	return out
}

func refusedAmong(items []*item) []Change {
	var out []Change
	for _, it := range items {
		if it.change.Action == Conflict {
			out = append(out, it.change)
		}
	}
	return out
}

// ask dry-runs every object that can be, stage by stage, and notes what that leaves for later.
func (c *Cluster) ask(ctx context.Context, p *plan) error {
	for gv := range c.away {
		if err := c.learn(ctx, gv); err != nil {
			return c.failed("tell what it knows of "+gv.String(), err)
		}
	}
	for s := range p.stages {
		if err := c.askAll(ctx, p, p.stages[s]); err != nil {
			return err
		}
		for _, it := range p.stages[s] {
			p.note(it, stage(s))
		}
	}
	return nil
}

// note records what later stages have to wait for because of the item.
func (p *plan) note(it *item, s stage) {
	if it.change.Action == Unchanged || it.change.Action == Conflict {
		return
	}
	gone := it.live == nil || it.live.GetDeletionTimestamp() != nil
	switch {
	case utils.IsNamespace(it.want) && gone: // the empty namespace, of objects without one, is never pending
		p.pending.namespaces[it.want.GetName()] = true
	case utils.IsCRD(it.want):
		gk, _ := definitionOf(it.want)
		p.pending.kinds[gk] = true
	case s == stageBasics:
		p.pending.basics = true
	}
}

// askAll asks about the objects of a stage, those that a list tells of first.
func (c *Cluster) askAll(ctx context.Context, p *plan, items []*item) error {
	want := make([]*unstructured.Unstructured, 0, len(items))
	open := make([]*item, 0, len(items))
	for _, it := range items {
		if p.pending.namespaces[it.want.GetNamespace()] { // what is in a namespace that is being deleted goes with it
			p.postpone(it, "its namespace comes with this release")
			continue
		}
		want, open = append(want, it.want), append(open, it)
	}
	unlisted, err := c.eachLive(ctx, p.release, want, func(ctx context.Context, i int, live *unstructured.Unstructured) error {
		return c.askOne(ctx, p, open[i], live)
	})
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(c.config.Workers)
	for _, i := range unlisted {
		g.Go(func() error { return c.askOne(ctx, p, open[i], nil) })
	}
	return g.Wait()
}

// askOne fills in the item's change. live is what a list told of the object, if one did. The error is the server's, not
// the object's.
func (c *Cluster) askOne(ctx context.Context, p *plan, it *item, live *unstructured.Unstructured) (err error) {
	it.deferred, it.untried, it.claim, it.mended, it.taken, it.err = false, false, false, false, false, nil
	it.change = Change{ID: it.change.ID}
	var after *unstructured.Unstructured
	if live == nil {
		after, err = c.try(ctx, it.want)
		if err == nil && after.GetResourceVersion() == "" || notThere(err) {
			it.live = nil
			return c.judgeTry(ctx, p, it, nil, after, err)
		}
		var failed error
		if live, failed = c.get(ctx, it.change.ID); failed != nil {
			if p.wait(it, failed) {
				return nil
			}
			return c.refused(ctx, it, "look at ", failed)
		}
	}
	it.live = outline(live)
	it.stopped = live != nil && live.GetAnnotations()[stoppedAnnotation] != ""
	if live != nil && live.GetDeletionTimestamp() != nil {
		it.deferred = true
		it.change = Change{ID: it.change.ID, Action: Created, Note: "it is being deleted, and is created again once it is gone"}
		return nil
	}
	if other := p.otherOwner(it); other != "" {
		it.change = Change{ID: it.change.ID, Action: Conflict, Note: foreignNote + other}
		return nil
	}
	if live != nil {
		changed, failed := c.settleHash(ctx, p, it, live)
		if failed != nil {
			return failed
		}
		if changed {
			after, err = nil, nil
		}
	}
	if takenOver(live) && it.want.GetAnnotations()[AdoptedAnnotation] == "" {
		annotate(it.want, AdoptedAnnotation, "true")
		it.change.Note = takenFrom(live)
		after = nil
	}
	if after == nil && err == nil {
		if c.memo.recall(it, live) {
			return nil
		}
		after, err = c.try(ctx, it.want)
	}
	forgetChance(after, live, it.want)
	if failed := c.judgeTry(ctx, p, it, live, after, err); err != nil || failed != nil {
		return failed
	}
	c.memo.keep(it, live)
	return nil
}

// try asks the server what would become of an object.
func (c *Cluster) try(ctx context.Context, want *unstructured.Unstructured) (after *unstructured.Unstructured, err error) {
	after = want.DeepCopy()
	return after, c.send(ctx, after, client.DryRunAll)
}

// notThere tells that an object cannot be there because its kind or its namespace is not.
func notThere(err error) bool { return meta.IsNoMatchError(err) || apierrors.IsNotFound(err) }

// otherOwner names the release, not an earlier one of this site's, to which the live object belongs.
func (p *plan) otherOwner(it *item) string {
	if it.live == nil || p.prev[it.change.key()] {
		return ""
	}
	if owner := it.live.GetLabels()[OwnerLabel]; owner != p.release {
		return owner
	}
	return ""
}

// takenOver tells whether the object was there before sallyport came. Only the object itself knows: the inventory of
// the site lists it already when it is about to be applied for the first time.
func takenOver(live *unstructured.Unstructured) bool {
	if live == nil {
		return false
	}
	if live.GetAnnotations()[AdoptedAnnotation] == "true" {
		return true
	}
	_, labelled := live.GetLabels()[OwnerLabel]
	return !labelled && !slices.ContainsFunc(live.GetManagedFields(), func(f metav1.ManagedFieldsEntry) bool {
		return f.Manager == FieldManager && f.Operation == metav1.ManagedFieldsOperationApply
	})
}

// judgeTry fills in what a dry run says of the item.
func (c *Cluster) judgeTry(ctx context.Context, p *plan, it *item, live, after *unstructured.Unstructured, err error) error {
	switch {
	case noDryRun(err):
		it.leaveUntried(err)
	case err != nil && p.wait(it, err):
	case err != nil && c.mend(ctx, it, live, err):
	case err != nil:
		return c.refused(ctx, it, "dry-run ", err)
	case live == nil:
		it.change.Action = Created
	case c.askTakeOver(ctx, it, live, after):
	case losesEmpty(it.want, live, after) && c.askMended(ctx, it, live):
	case it.stopped || !sameContent(live, after):
		it.change.Action = Configured
		it.change.Fields = differences(live, after)
		it.change.OneWay, it.sealed = oneWay(live, after), sealed(live, after)
		if it.change.groupKind() == definitionKind {
			it.narrowed = narrowed(live, after)
		}
	default:
		it.change = Change{ID: it.change.ID, Action: Unchanged}
		it.claim = !sameClaim(live, after)
	}
	return nil
}

// refused makes the item a conflict, unless the error is none of the object's.
func (c *Cluster) refused(ctx context.Context, it *item, doing string, err error) error {
	id := it.change.ID
	note, fields, ok := refusal(err)
	if !ok {
		return c.failed(doing+id.String(), err)
	}
	it.change = Change{ID: id, Action: Conflict, Note: note, Fields: fields}
	it.err = err
	if !it.mayBeRecreated(err) {
		return nil
	}
	if _, err := c.asNew(ctx, it.want); err != nil {
		it.change.Note += "; and a new one would be refused: " + noteOf(err)
		return nil
	}
	it.change.Action, it.change.OneWay = Recreated, recreatedAway(it.live)
	return nil
}

// mayBeRecreated tells of a field that cannot be changed, in an object that may be deleted for it.
func (it *item) mayBeRecreated(err error) bool {
	return it.live != nil && isImmutable(err) && (enabled(it.want, ForceAnnotation) || enabled(it.live, ForceAnnotation))
}

func enabled(u *unstructured.Unstructured, annotation string) bool {
	return u.GetAnnotations()[annotation] == "enabled"
}

// wait tells whether the error may be gone once the earlier stages are applied, and if so defers the item.
func (p *plan) wait(it *item, err error) bool {
	if _, _, ok := refusal(err); !ok {
		return false
	}
	switch {
	case p.pending.kinds[it.want.GroupVersionKind().GroupKind()]:
		p.postpone(it, "its CustomResourceDefinition comes with this release")
	case p.pending.basics && stageOf(it.want) == stageRest && (apierrors.IsForbidden(err) || apierrors.IsNotFound(err)):
		p.postpone(it, "what it needs comes with this release")
	default:
		return false
	}
	return true
}

func (p *plan) postpone(it *item, why string) {
	it.deferred = true
	it.change = Change{ID: it.change.ID, Action: Created, Note: "not checked yet: " + why}
	if it.live != nil {
		it.change.Action = Configured
	}
}
