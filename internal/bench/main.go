// Bench measures sallyport as whole processes on pairs of images: sizes, times and peak memory, beside skopeo in the
// same run on the same registry software. Limits that a figure misses are printed as such; it measures, it does
// not fail.
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

func main() { os.Exit(start()) }

func start() int {
	program := flag.String("program", "bin/sallyport", "the sallyport to measure")
	corpus := flag.String("corpus", corpusDir(), "the folder of pairs")
	only := flag.String("only", "", "measure these pairs only (comma-separated)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *program, *corpus, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
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

func run(ctx context.Context, program, corpus, only string) error {
	program, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "sallyport-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
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
	fmt.Println("start-up and size")
	site, err := startUp(ctx, program, work)
	if err != nil {
		return err
	}
	fmt.Printf("\n"+columns, "PAIR", "LAYERS", "FULL", "DELTA", "BUILD FULL", "BUILD DELTA", "VERIFY",
		"LOAD PLAIN : skopeo", "LOAD FULL : skopeo", "LOAD DELTA : skopeo", "AGAIN")
	for _, p := range pairs {
		dir := filepath.Join(work, p.name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		b := &bench{program: program, site: site, dir: dir, pair: p}
		row, err := b.measure(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		row.print(p.name)
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	fmt.Println(`
Sizes in kB. Times are wall seconds, with peak RSS in MiB; the site's half is done by the site program. Loading: apply into
Debian's docker-registry, beside skopeo copy of the same images from an OCI archive into another one in the same state.
PLAIN ships every blob in its original form, FULL and DELTA each in its smallest, which the site has to compress again.
Limits: plain 1.2 x skopeo, delta 1.0 x, again 2 s, RSS 128 MiB (build: 1024).`)
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
