package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// growing are layers whose concatenations make larger and larger layers of different content: the pair and which of its
// changed layers.
var growing = []struct {
	pair  string
	layer int
}{{"caddy", 0}, {"containerd-arm64", 0}, {"coredns", 0}, {"debian-base", 0}, {"debian-server", 1}, {"node-app", 0}, {"mtime-only", 0}, {"config-only", 0}}

// growth shows how building and applying cost with the size of a layer: each step adds a layer to the one before, and the
// whole is compared with the sum of its parts.
func growth(ctx context.Context, pairs []pair, work string) error {
	dir := filepath.Join(work, "growth")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	byName := map[string]pair{}
	for _, p := range pairs {
		byName[p.name] = p
	}
	const columns = "%8s %12s %-24s %-24s %10s\n"
	fmt.Printf("\ngrowth with the size of a layer (plain tars): processor/wall seconds, peak MiB\n"+columns, "MB", "BYTES", "BUILD", "APPLY", "BY PARTS")
	var whole change
	var parts float64 // processor seconds
	for _, g := range growing {
		p, ok := byName[g.pair]
		if !ok {
			continue
		}
		part, err := takePart(ctx, p, g.layer, dir)
		if err != nil {
			return err
		}
		alone, err := diff(ctx, part, filepath.Join(dir, "part.patch"), "default")
		if err != nil {
			return err
		}
		parts += alone.cost.CPU.Seconds()
		if whole, err = extend(whole, part, dir); err != nil {
			return err
		}
		x, err := diff(ctx, whole, filepath.Join(dir, "whole.patch"), "default")
		if err != nil {
			return err
		}
		applied, err := applyFastest(ctx, x)
		if err != nil {
			return err
		}
		ratio := x.cost.CPU.Seconds() / parts
		fmt.Printf(columns, fmt.Sprintf("%.0f", float64(whole.now.size)/1e6), fmt.Sprint(x.made.Size), x.cost.full(), applied.full(),
			fmt.Sprintf("%.2f %s", ratio, verdict(ratio <= maxGrowth)))
	}
	fmt.Printf("By parts: processor time of building the whole by that of building each of its parts alone (limit %.1f).\n", maxGrowth)
	return nil
}

// takePart gives one changed layer of a pair as a plain blob, against the one old layer in its place.
func takePart(ctx context.Context, p pair, n int, dir string) (change, error) {
	sub := filepath.Join(dir, p.name)
	if err := os.Mkdir(sub, 0o755); err != nil {
		return change{}, err
	}
	changes, err := p.changes(ctx, sub)
	if err != nil {
		return change{}, err
	}
	if n >= len(changes) {
		return change{}, fmt.Errorf("%s has no changed layer %d", p.name, n)
	}
	c := changes[n].asPlain(sub)
	c.olds = []string{c.was.plain}
	return c, nil
}

// extend appends a part's tars to the whole's and drops the part's files.
func extend(whole, part change, dir string) (change, error) {
	for _, f := range []struct {
		to   string
		from layer
	}{{"whole.old", part.was}, {"whole.new", part.now}} {
		if err := appendTar(filepath.Join(dir, f.to), f.from.plain); err != nil {
			return whole, err
		}
	}
	whole.was.plain = filepath.Join(dir, "whole.old")
	whole.now.plain = filepath.Join(dir, "whole.new")
	whole.now.blob, whole.olds = whole.now.plain, []string{whole.was.plain}
	info, err := os.Stat(whole.now.plain)
	if err != nil {
		return whole, err
	}
	whole.now.size, whole.now.plainSize = info.Size(), info.Size()
	return whole, os.RemoveAll(filepath.Dir(part.now.plain))
}

// appendTar appends a tar's entries to what is there of another, in place of its end.
func appendTar(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	end, err := lastEntry(out)
	if err != nil {
		return err
	}
	if _, err := out.Seek(end, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Sync()
}

// lastEntry finds where the zeros at a tar's end begin.
func lastEntry(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	end := info.Size()
	block := make([]byte, 512)
	for ; end > 0; end -= int64(len(block)) {
		if _, err := f.ReadAt(block, end-int64(len(block))); err != nil {
			return 0, err
		}
		for _, b := range block {
			if b != 0 {
				return end, nil
			}
		}
	}
	return end, nil
}
