package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/apply/check"
	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/testcluster"
	"github.com/sallyport-dev/sallyport/internal/testpairs"
)

// fewPairs are those that are tried where nobody asks for others: enough to notice, few enough to wait for.
const fewPairs = "1-15"

// TestRandomPairs applies a release, lets others change what is there, applies a second one that fails its check, and
// expects of the cluster that it holds what it held. $SALLYPORT_PAIRS names seeds, such as 1-200 or 17,23.
func TestRandomPairs(t *testing.T) {
	seeds := pairSeeds(t)
	w := newPairWorld(t)
	refused := 0
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			o := w.run(t, w.pair(t, seed), w.cluster.Kubeconfig, nil)
			if o.refused != nil {
				refused++
				t.Logf("refused: %v", o.refused)
			}
			for _, d := range o.unexpected() {
				t.Error(d)
			}
			if t.Failed() {
				o.tell(t)
			}
		})
	}
	if refused > len(seeds)/10 {
		t.Errorf("%d of %d second releases were refused: those prove nothing", refused, len(seeds))
	}
}

func pairSeeds(t *testing.T) []uint64 {
	t.Helper()
	text := os.Getenv("SALLYPORT_PAIRS")
	if text == "" {
		text = fewPairs
	}
	var seeds []uint64
	for _, part := range strings.Split(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		a, errA := strconv.ParseUint(from, 10, 32)
		b, errB := strconv.ParseUint(to, 10, 32)
		if err := errors.Join(errA, errB); err != nil {
			t.Fatalf("SALLYPORT_PAIRS=%s: %v", text, err)
		}
		for ; a <= b; a++ {
			seeds = append(seeds, a)
		}
	}
	return seeds
}

// pairWorld is the API server on which pairs are tried.
type pairWorld struct {
	*testpairs.World
	cluster *testcluster.Cluster
	factory *factory
}

func newPairWorld(t *testing.T) *pairWorld {
	t.Helper()
	c := testcluster.Start(t)
	w, err := testpairs.NewWorld(c.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	return &pairWorld{World: w, cluster: c, factory: newFactory(t)}
}

// pairOutcome is how a pair went.
type pairOutcome struct {
	edits    []string
	deleted  map[string]bool // by hand, ahead of the second release
	forecast *Forecast
	refused  error // the second release, before anything was touched
	failed   error // what Apply said of it
	diffs    []testpairs.Difference
}

// pair makes a pair, and sees to it that nothing is left of it.
func (w *pairWorld) pair(t *testing.T, seed uint64) *testpairs.Pair {
	t.Helper()
	p, err := testpairs.New(seed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Clean(context.Background(), p); err != nil {
			t.Errorf("clean: %v", err)
		}
	})
	return p
}

// run brings a pair through a site whose target is the kubeconfig's. onTrial is called when the second release is on
// trial.
func (w *pairWorld) run(t *testing.T, p *testpairs.Pair, kubeconfig string, onTrial func()) *pairOutcome {
	t.Helper()
	ctx := t.Context()
	defer w.Attend(p)()
	s := w.site(t, kubeconfig, onTrial)
	o := &pairOutcome{deleted: p.Deleted()}
	var err error
	if err := w.Create(ctx, append(p.Old[:1:1], p.BeforeOld...)); err != nil {
		t.Fatal(err)
	}
	w.install(t, s, p)
	if err := w.Create(ctx, p.BeforeNew); err != nil {
		t.Fatal(err)
	}
	if o.edits, err = w.Edit(ctx, p.Edits); err != nil {
		t.Fatal(err)
	}
	before, err := w.Dump(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	second := w.release(t, p.New, "2.0.0", 2)
	o.forecast, o.refused = s.DryRun(ctx, second.input(), Options{})
	if reasonOf(o.refused) == "one-way" {
		second = w.release(t, p.New, "2.0.0", 2, o.oneWay()...)
		o.forecast, o.refused = s.DryRun(ctx, second.input(), Options{})
	}
	_, o.failed = s.apply(second)
	if (o.refused == nil) != (reasonOf(o.failed) == "rolled-back") {
		o.diffs = append(o.diffs, testpairs.Difference{Object: "apply", Was: fmt.Sprint(o.refused), Is: fmt.Sprint(o.failed)})
	}
	after, err := w.Dump(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	o.diffs = append(o.diffs, testpairs.Compare(before, after)...)
	return o
}

// install applies the first release, over what others have made of it or, where that cannot be, instead of it.
func (w *pairWorld) install(t *testing.T, s *testSite, p *testpairs.Pair) {
	t.Helper()
	first := w.release(t, p.Old, "1.0.0", 1)
	_, err := s.apply(first)
	if reasonOf(err) == "refused" || reasonOf(err) == "rolled-back" {
		t.Logf("without what was there before: %v", err)
		if err := w.Clean(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if err := w.Create(t.Context(), p.Old[:1]); err != nil {
			t.Fatal(err)
		}
		_, err = s.Apply(t.Context(), first.input(), Options{Retry: true})
	}
	if err != nil {
		t.Fatalf("the first release: %v", err)
	}
}

// site has a real cluster, and a check that the second release fails.
func (w *pairWorld) site(t *testing.T, kubeconfig string, onTrial func()) *testSite {
	t.Helper()
	s := newTestSite(t, w.factory, newWorld())
	s.deps.OpenTarget = func(context.Context) (Target, error) {
		return kube.NewCluster(kube.Config{Kubeconfig: kubeconfig, Patience: 5 * time.Second, Settle: 5 * time.Second})
	}
	failed := false
	s.deps.RunChecks = func(context.Context, []bundle.Check, check.Env) ([]check.Result, bool, error) {
		if st, err := s.Status(); err != nil || failed || st.Trial == nil || st.Trial.Version == "1.0.0" {
			return []check.Result{{Name: "sample", Verdict: check.Pass, Required: true}}, true, nil
		}
		failed = true
		if onTrial != nil {
			onTrial()
		}
		return []check.Result{{Name: "sample", Verdict: check.Fail, Message: "answers 500", Required: true}}, false, nil
	}
	return s
}

func (w *pairWorld) release(t *testing.T, objs []*testpairs.Object, version string, sequence uint64, oneWay ...bundle.ObjectRef) sealed {
	t.Helper()
	text, err := testpairs.YAML(objs)
	if err != nil {
		t.Fatal(err)
	}
	c := newContent(version, sequence)
	c.d.OneWay = oneWay
	c.d.Manifests = bundle.Manifests{Digest: c.keep(text), Size: int64(len(text)), Objects: len(objs)}
	return w.factory.seal(t, c)
}

// oneWay names what the second release has to accept.
func (o *pairOutcome) oneWay() []bundle.ObjectRef {
	var refs []bundle.ObjectRef
	for _, c := range o.forecast.Changes {
		if c.OneWay != "" {
			refs = append(refs, bundle.ObjectRef{Kind: c.Kind, Namespace: c.Namespace, Name: c.Name})
		}
	}
	slices.SortFunc(refs, bundle.CompareObjectRefs)
	return refs
}

// unexpected are the differences of which nothing was said before the first write. What somebody deleted comes back with
// its release.
func (o *pairOutcome) unexpected() []testpairs.Difference {
	said := map[string]bool{}
	if o.forecast != nil && o.refused == nil {
		for _, c := range o.forecast.Changes {
			if c.OneWay != "" || strings.Contains(c.Note, "a rollback leaves it") {
				said[c.Kind+"."+c.Group+" "+c.Name] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(o.diffs), func(d testpairs.Difference) bool {
		return said[d.Object] || d.Path == "" && d.Is == "there" && o.deleted[d.Object]
	})
}

// tell logs what is needed to understand a pair that went wrong.
func (o *pairOutcome) tell(t *testing.T) {
	t.Helper()
	if o.failed != nil {
		t.Logf("apply said: %v", o.failed)
	}
	wrong := map[string]bool{}
	for _, d := range o.unexpected() {
		_, name, _ := strings.Cut(d.Object, " ")
		kind, _, _ := strings.Cut(d.Object, ".")
		wrong[kind+" "+name] = true
	}
	for _, e := range o.edits {
		if f := strings.SplitN(e, " ", 3); wrong[f[0]+" "+f[1]] {
			t.Logf("edit: %s", e)
		}
	}
	if o.forecast == nil {
		return
	}
	for _, c := range o.forecast.Changes {
		if wrong[c.Kind+" "+c.Name] {
			t.Logf("plan: %s %s %s %q", c.Action, c.ID, c.Note, c.Fields)
		}
	}
}
