// Bench measures sallyport on pairs of images: sizes, times and peak memory of patches beside zstd, xdelta3, bsdiff and
// casync, of whole processes beside skopeo on the same registry software, and of objects' way into an API server beside
// kubectl. Limits that a figure misses are printed as such; it measures, it does not fail.
//
// A pair is a folder NAME/{old,new} of OCI image layouts with NAME/manifests/{old,new}, below $SALLYPORT_CORPUS
// (default ~/.cache/sallyport-corpus). Without any it makes a small pair of its own.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == "work" {
		os.Exit(status(work(context.Background(), os.Args[2:])))
	}
	os.Exit(status(start()))
}

func status(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}

// sections are the parts of the bench that are wanted.
type sections map[string]bool

func start() error {
	program := flag.String("program", "bin/sallyport", "the sallyport to measure")
	corpus := flag.String("corpus", corpusDir(), "the folder of pairs")
	only := flag.String("only", os.Getenv("BENCH_PAIRS"), "measure these pairs only (comma-separated); $BENCH_PAIRS")
	list := flag.String("sections", "start,delta,speed,program,load,cluster,slot,os", "what to measure, of these and growth, which takes long")
	flag.Parse()
	wanted := sections{}
	for _, s := range strings.Split(*list, ",") {
		wanted[s] = true
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return run(ctx, *program, *corpus, *only, wanted)
}

func corpusDir() string {
	if dir := os.Getenv("SALLYPORT_CORPUS"); dir != "" {
		return dir
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(cache, "sallyport-corpus")
}

func run(ctx context.Context, program, corpus, only string, wanted sections) error {
	program, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "sallyport-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if wanted["slot"] {
		if err := slots(ctx, work); err != nil {
			return err
		}
		if delete(wanted, "slot"); len(wanted) == 0 {
			return nil // no pair is needed
		}
	}
	if wanted["os"] {
		if err := systems(ctx, corpus, work); err != nil {
			return err
		}
		if delete(wanted, "os"); len(wanted) == 0 {
			return nil
		}
	}
	pairs, err := findPairs(corpus, only)
	if err != nil {
		return err
	}
	if len(pairs) == 0 {
		p, err := makePair(ctx, work)
		if err != nil {
			return err
		}
		pairs = []pair{p}
	}
	if wanted["delta"] {
		if err := deltas(ctx, pairs, work, wanted["speed"]); err != nil {
			return err
		}
	}
	if wanted["growth"] {
		if err := growth(ctx, pairs, work); err != nil {
			return err
		}
	}
	if wanted["cluster"] {
		if err := clusters(ctx, program, work); err != nil {
			return err
		}
	}
	if wanted["start"] || wanted["program"] || wanted["load"] {
		return programs(ctx, program, pairs, work, wanted)
	}
	return nil
}

// programs measures whole processes of sallyport.
func programs(ctx context.Context, program string, pairs []pair, work string, wanted sections) error {
	fmt.Println("\nstart-up and size")
	site, err := startUp(ctx, program, work)
	if err != nil || !wanted["program"] && !wanted["load"] {
		return err
	}
	if wanted["program"] {
		printPassageHead()
	}
	var rows []row
	for _, p := range pairs {
		dir := filepath.Join(work, p.name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		b := &bench{program: program, site: site, dir: dir, pair: p}
		r, err := b.measure(ctx, wanted)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if wanted["program"] {
			r.passage.print(p.name)
		}
		rows = append(rows, r)
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	if wanted["load"] {
		printLoads(pairs, rows)
	}
	return nil
}

// pair is an old and a new release of the same images.
type pair struct{ name, dir string }

func findPairs(corpus, only string) ([]pair, error) {
	found, err := filepath.Glob(filepath.Join(corpus, "*", "manifests", "new"))
	if err != nil {
		return nil, err
	}
	var pairs []pair
	for _, f := range found {
		dir := filepath.Dir(filepath.Dir(f))
		name := filepath.Base(dir)
		if only == "" || slices.Contains(strings.Split(only, ","), name) {
			pairs = append(pairs, pair{name, dir})
		}
	}
	return pairs, nil
}
