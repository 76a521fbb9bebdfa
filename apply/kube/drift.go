package kube

import (
	"context"
	"fmt"
	"sync"

	"github.com/fluxcd/pkg/ssa/utils"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Drift is what has become of a release's objects since they were applied. Most of it can be read from the objects: the
// server notes which field belongs to whom, and a field that somebody else has written is ours no more. Only where
// that tells of something, or tells nothing, the server is asked what putting the object right would change; that is the
// difference. So what it fills in by itself, or has injected by a webhook, is none.
//
// What controllers do is none either: what they have written, be it in place of the release's value, how many replicas
// there are where an autoscaler says so, the rules of an aggregated ClusterRole, Jobs that are gone after their time to
// live, and the mark of kubectl rollout restart.

// Difference is an object that is not as its release has it.
type Difference struct {
	ID
	// Missing: it is not there.
	Missing bool         `json:"missing,omitempty"`
	Fields  []FieldDrift `json:"fields,omitempty"`
	// Note is one sentence on what the fields do not say: what becomes of it, why it cannot be put right.
	Note string `json:"note,omitempty"`
}

// FieldDrift is a field that differs.
type FieldDrift struct {
	Path string `json:"path"` // spec.template.spec.containers[app].env[DEBUG]
	// Lines show it from what the release has to what there is: spec.replicas: 2 -> 3. Secret values are masked.
	Lines []string `json:"lines"`
	// Manager is the field manager that wrote it, such as kubectl-edit; empty if nobody knows, as of what was taken away.
	Manager string `json:"manager,omitempty"`
}

// maxTold is of how many objects the fields are kept: a release may have thousands.
const maxTold = 200

// Drift tells which objects of the release that was applied last differ from it, in the order of applying. It changes
// nothing.
func (c *Cluster) Drift(ctx context.Context, want Objects) ([]Difference, error) {
	p, err := c.newPlan(ctx, want, Inventory{})
	if err != nil {
		return nil, err
	}
	d := drifter{Cluster: c, release: p.release}
	found, err := d.lookAtAll(ctx, p.items())
	var out []Difference
	for _, f := range found {
		if f != nil {
			out = append(out, *f)
		}
	}
	return out, err
}

// lookAtAll looks at every object. It returns a difference for each that has one, in the places of the objects.
func (d *drifter) lookAtAll(ctx context.Context, items []*item) ([]*Difference, error) {
	if !d.knows(autoscalers) { // now, for the mapper is for one at a time
		if err := d.learn(ctx, autoscalers.GroupVersion()); err != nil {
			return nil, d.failed("tell what it knows of autoscalers", err)
		}
	}
	want := make([]*unstructured.Unstructured, len(items))
	for i, it := range items {
		want[i] = it.want
	}
	found := make([]*Difference, len(items))
	look := func(ctx context.Context, i int, live *unstructured.Unstructured) error {
		m, err := d.look(ctx, want[i], live)
		if err == nil && m != nil {
			found[i] = d.told(m.Difference)
		}
		return err
	}
	unlisted, err := d.eachLive(ctx, d.release, want, look)
	if err != nil {
		return nil, err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(d.config.Workers)
	for _, i := range unlisted {
		g.Go(func() error {
			live, err := d.read(ctx, idOf(want[i]))
			if err != nil {
				return err
			}
			return look(ctx, i, live)
		})
	}
	return found, g.Wait()
}

// drifter is one look for drift.
type drifter struct {
	*Cluster
	release string

	mu       sync.Mutex
	toldOf   int
	scalings map[string][]scaling // by namespace
}

// told keeps a difference, and its fields if there are not too many.
func (d *drifter) told(f Difference) *Difference {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.toldOf++; d.toldOf > maxTold {
		f.Fields = nil
	}
	return &f
}

// read returns nil for an object that is not there, be it that its kind is not.
func (d *drifter) read(ctx context.Context, id ID) (*unstructured.Unstructured, error) {
	live, err := d.get(ctx, id)
	switch {
	case meta.IsNoMatchError(err):
		return nil, nil
	case err != nil:
		return nil, d.failed("look at "+id.String(), err)
	}
	return live, nil
}

// mending is a difference, and what puts it right.
type mending struct {
	Difference
	// apply is what to apply, without the fields that are a controller's. take: then take away what people added, replicas
	// excepted if scaled.
	apply        *unstructured.Unstructured
	take, scaled bool
	// lost: it cannot be put right, as Note says.
	lost bool
}

// look compares an object with what is wanted; nil if they do not differ.
func (d *drifter) look(ctx context.Context, want, live *unstructured.Unstructured) (*mending, error) {
	m := &mending{Difference: Difference{ID: idOf(want)}, apply: want}
	switch {
	case deletesItself(want) && (live == nil || live.GetDeletionTimestamp() != nil):
		return nil, nil
	case live == nil:
		m.Missing = true
		return m, nil
	case live.GetDeletionTimestamp() != nil:
		m.Note = "it is being deleted"
		return m, nil
	}
	if owner := live.GetLabels()[OwnerLabel]; owner != "" && owner != d.release {
		m.Note, m.lost = "it belongs to the release "+owner, true
		return m, nil
	}
	want = want.DeepCopy() // what is added to it here is this object's own
	followHash(want, live)
	if takenOver(live) {
		annotate(want, AdoptedAnnotation, "true")
	}
	return d.compare(ctx, m, want, live)
}

func (d *drifter) compare(ctx context.Context, m *mending, want, live *unstructured.Unstructured) (*mending, error) {
	all := managersOf(live)
	scaled, err := d.scaled(ctx, want, live)
	if err != nil {
		return nil, err
	}
	m.scaled = scaled
	s := scan{scaled: scaled}
	m.apply = s.object(want, live, all)
	right := live
	if !s.sure {
		if right, err = d.try(ctx, m.apply); err != nil {
			return d.untold(m, err)
		}
	}
	right = right.DeepCopy()
	if m.take = strip(right, managersOf(right), scaled); m.take {
		if right, err = d.tryPatch(ctx, live, right); err != nil {
			return d.untold(m, err)
		}
	}
	m.Fields = driftFields(right, live, all)
	if len(m.Fields) == 0 {
		return nil, nil
	}
	return m, nil
}

// untold is what is said of an object of which the server does not tell what putting it right would change.
func (d *drifter) untold(m *mending, err error) (*mending, error) {
	switch note, _, ok := refusal(err); {
	case noDryRun(err):
		m.Note = "it may differ: the server cannot tell what putting it right would change"
	case ok:
		m.Note, m.lost = "it differs, and the server refuses to have it put right: "+note, true
	default:
		return nil, d.failed("tell what has become of "+m.String(), err)
	}
	return m, nil
}

// tryPatch asks what would become of a live object if it were as given.
func (d *drifter) tryPatch(ctx context.Context, live, as *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	after := sendable(as)
	err := d.client.Patch(ctx, after, client.MergeFrom(sendable(live)), client.DryRunAll, client.FieldOwner(FieldManager))
	return after, err
}

// sendable is an object without what only the server writes.
func sendable(u *unstructured.Unstructured) *unstructured.Unstructured {
	u = u.DeepCopy()
	u.SetManagedFields(nil)
	u.SetResourceVersion("")
	u.SetGeneration(0)
	delete(u.Object, "status")
	return u
}

// driftFields are the fields in which an object is not right, but for those that controllers have written.
func driftFields(right, live *unstructured.Unstructured, all []manager) []FieldDrift {
	d := differ{secret: utils.IsSecret(live)}
	r, l := visible(right), visible(live)
	if right.GetLabels()[OwnerLabel] != live.GetLabels()[OwnerLabel] {
		r["metadata"].(map[string]any)["labels"].(map[string]any)[OwnerLabel] = right.GetLabels()[OwnerLabel]
	}
	d.compare("", r, l, all)
	var out []FieldDrift
	lines := 0
	for _, f := range d.found {
		who, known := blamed(f.owners)
		if known && who.party == programs {
			continue
		}
		if lines += len(f.lines); lines > maxFields {
			out = append(out, FieldDrift{Lines: []string{fmt.Sprintf("and %d more", len(d.found)-len(out))}})
			break
		}
		out = append(out, FieldDrift{Path: f.path, Lines: f.lines, Manager: who.name})
	}
	return out
}

// String is the object, and in brackets the first of what is wrong with it.
func (d Difference) String() string {
	switch {
	case d.Missing:
		return d.ID.String() + " (missing)"
	case d.Note != "":
		return d.ID.String() + " (" + d.Note + ")"
	}
	if len(d.Fields) == 0 {
		return d.ID.String()
	}
	text := d.Fields[0].Path
	if by := d.Fields[0].Manager; by != "" {
		text += " by " + by
	}
	if n := len(d.Fields) - 1; n > 0 {
		text += fmt.Sprintf(", and %d more", n)
	}
	return d.ID.String() + " (" + text + ")"
}
