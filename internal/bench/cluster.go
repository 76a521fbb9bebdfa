package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sallyport-dev/sallyport/internal/testcluster"
)

// What a cluster may cost.
const (
	clusterObjects = 500
	manyObjects    = 5000
	foreignSecrets = 3000
	foreignSize    = 100 << 10 // bytes of each
	maxBeside      = 1.5       // times what kubectl takes
	maxCalls       = 3.0       // an object
	maxOneChanged  = 5 * time.Second
	maxFewRSS      = 96 << 20
	maxManyRSS     = 160 << 20
)

// rounds is how often sallyport and kubectl take turns; the fastest of each counts.
const rounds = 3

// clusterBench measures the way of objects into an API server, on one that runs for the bench alone.
type clusterBench struct {
	*bench
	cluster *testcluster.Cluster
	kubectl string
	audit   string // the server's log of requests
	names   int    // how many namespaces were used
}

// clusterSteps are the releases in their order, each after the one before.
var clusterSteps = []string{"install", "all changed", "one changed", "nothing"}

// clusters prints the table.
func clusters(ctx context.Context, program, work string) error {
	dir := filepath.Join(work, "cluster")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	p, err := makePair(ctx, dir)
	if err != nil {
		return err
	}
	kubectl, err := testcluster.Bin("kubectl")
	if err != nil {
		return err
	}
	c := &clusterBench{bench: &bench{program: program, dir: dir, pair: p}, kubectl: kubectl, audit: filepath.Join(dir, "audit.log")}
	policy := filepath.Join(dir, "audit.yaml")
	rules := "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n"
	if err := os.WriteFile(policy, []byte(rules), 0o644); err != nil {
		return err
	}
	var stop func()
	c.cluster, stop, err = testcluster.Run(dir, "--audit-policy-file="+policy, "--audit-log-path="+c.audit)
	if err != nil {
		return err
	}
	defer stop()
	if _, _, err := c.sallyport(ctx, "key", "generate", "--output-key-prefix", "release"); err != nil {
		return err
	}
	fmt.Printf("\ncluster: %d objects, sallyport apply beside kubectl apply --server-side, in turns, the fastest of %d; processor/wall seconds, peak MiB\n", clusterObjects, rounds)
	if err := c.besideKubectl(ctx); err != nil {
		return err
	}
	if err := c.large(ctx); err != nil {
		return err
	}
	return c.foreign(ctx)
}

// step is what one step took.
type step struct {
	ours, theirs cost
	calls        int // of ours, to the API server
}

func (c *clusterBench) besideKubectl(ctx context.Context) error {
	best := make([]step, len(clusterSteps))
	for round := range rounds {
		for i, s := range []func(context.Context) ([]step, error){c.ourSteps, c.theirSteps} {
			steps, err := s(ctx)
			if err != nil {
				return err
			}
			for j := range steps {
				best[j].take(steps[j], i == 0, round == 0)
			}
		}
	}
	fmt.Printf("%-12s %-18s %-18s %-20s %-26s %s\n", "", "SALLYPORT", "KUBECTL", "RATIO", "CALLS AN OBJECT", "PEAK")
	for i, b := range best {
		ratio, calls := b.ours.Wall.Seconds()/b.theirs.Wall.Seconds(), float64(b.calls)/clusterObjects
		fmt.Printf("%-12s %-18s %-18s %-20s %-26s %s", clusterSteps[i], b.ours.full(), b.theirs.full(),
			fmt.Sprintf("%.2f (%.1f): %s", ratio, maxBeside, verdict(ratio <= maxBeside)),
			fmt.Sprintf("%.2f (%.0f): %s", calls, maxCalls, verdict(calls <= maxCalls)),
			fmt.Sprintf("(%d M): %s", maxFewRSS>>20, verdict(b.ours.RSS <= maxFewRSS)))
		if clusterSteps[i] == "one changed" {
			fmt.Printf("   (%s): %s", maxOneChanged, verdict(b.ours.Wall <= maxOneChanged))
		}
		fmt.Println()
	}
	return nil
}

// take keeps the faster time, the larger memory and the more calls.
func (s *step) take(other step, ours, first bool) {
	mine, others := &s.theirs, other.theirs
	if ours {
		mine, others = &s.ours, other.ours
		s.calls = max(s.calls, other.calls)
	}
	if first || others.Wall < mine.Wall {
		mine.Wall, mine.CPU = others.Wall, others.CPU
	}
	mine.RSS = max(mine.RSS, others.RSS)
}

// ourSteps brings a new site through all steps.
func (c *clusterBench) ourSteps(ctx context.Context) ([]step, error) {
	site, err := c.newSite(ctx, clusterObjects)
	if err != nil {
		return nil, err
	}
	var steps []step
	for i, name := range clusterSteps {
		before, err := c.requests()
		if err != nil {
			return nil, err
		}
		took, err := site.apply(ctx, i)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		after, err := c.requests()
		if err != nil {
			return nil, err
		}
		steps = append(steps, step{ours: took, calls: after - before})
	}
	return steps, nil
}

// theirSteps does the same with kubectl in a namespace of its own.
func (c *clusterBench) theirSteps(ctx context.Context) ([]step, error) {
	ns := c.namespace()
	var steps []step
	for i, name := range clusterSteps {
		file := filepath.Join(c.dir, ns+".yaml")
		if err := os.WriteFile(file, clusterObjectsOf(ns, clusterObjects, i), 0o644); err != nil {
			return nil, err
		}
		took, _, err := c.exec(ctx, c.kubectl, "--kubeconfig", c.cluster.Kubeconfig, "apply", "--server-side", "-f", file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		steps = append(steps, step{theirs: took})
	}
	return steps, nil
}

// large measures the memory for many objects.
func (c *clusterBench) large(ctx context.Context) error {
	site, err := c.newSite(ctx, manyObjects)
	if err != nil {
		return err
	}
	for i := range clusterSteps {
		took, err := site.apply(ctx, i)
		if err != nil {
			return err
		}
		printPeak(fmt.Sprintf("%d objects, %s", manyObjects, clusterSteps[i]), took, maxManyRSS)
	}
	return nil
}

// foreign measures the memory beside Secrets of somebody else in the same namespace.
func (c *clusterBench) foreign(ctx context.Context) error {
	site, err := c.newSite(ctx, clusterObjects)
	if err != nil {
		return err
	}
	if err := c.makeSecrets(ctx, site.namespace); err != nil {
		return err
	}
	for i := range clusterSteps[:2] {
		took, err := site.apply(ctx, i)
		if err != nil {
			return err
		}
		printPeak(fmt.Sprintf("%d objects beside %d foreign Secrets of %d KiB, %s", clusterObjects, foreignSecrets, foreignSize>>10, clusterSteps[i]), took, maxManyRSS)
	}
	return nil
}

func printPeak(what string, c cost, limit int64) {
	fmt.Printf("%-75s %s (%d M): %s\n", what, c, limit>>20, verdict(c.RSS <= limit))
}
