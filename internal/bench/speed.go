package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// speedRow is what one layer costs on both sides.
type speedRow struct {
	pair        string
	plain       int64 // bytes
	recipe      string
	build, fast patched
	plainApply  cost // of a patch that makes the plain tar
	apply       cost // with recompression
	sha256sum   cost // over the plain tar
	gzip        cost // -6 over the plain tar
}

// runs is how often what is compared by the clock is run; the fastest counts.
const runs = 3

// measureSpeed makes the patch at the least effort too, and applies patches with and without recompression.
func measureSpeed(ctx context.Context, pair string, x patched, dir string) (speedRow, error) {
	r := speedRow{pair: pair, plain: x.now.plainSize, recipe: x.made.Recipe, build: x}
	var err error
	if r.fast, err = diff(ctx, x.change, filepath.Join(dir, "fast"), "fast"); err != nil {
		return r, err
	}
	p, err := diff(ctx, x.asPlain(dir), filepath.Join(dir, "plain-patch"), "default")
	if err != nil {
		return r, err
	}
	if r.plainApply, err = applyFastest(ctx, p); err != nil {
		return r, err
	}
	if !x.made.NoRecipe {
		if r.apply, err = applyFastest(ctx, x); err != nil {
			return r, err
		}
	}
	if r.sha256sum, err = fastest(ctx, runs, dir, "sha256sum", x.now.plain); err != nil {
		return r, err
	}
	r.gzip, err = fastest(ctx, 1, dir, "sh", "-c", `gzip -6 <"$1" >/dev/null`, "gzip", x.now.plain)
	return r, err
}

// usedOlds lists the olds that the patch reads.
func (x patched) usedOlds() string {
	var olds []string
	for _, i := range x.made.Used {
		olds = append(olds, x.olds[i])
	}
	return strings.Join(olds, ":")
}

func applyFastest(ctx context.Context, x patched) (cost, error) {
	var best cost
	for i := range runs {
		var ok bool
		c, err := engine(ctx, &ok, "apply", "-in", x.patch, "-olds", x.usedOlds(), "-temp", filepath.Dir(x.patch), "-size", strconv.FormatInt(x.now.size, 10))
		if err != nil {
			return best, err
		}
		c.RSS = max(c.RSS, best.RSS)
		if i == 0 || c.Wall < best.Wall {
			best = c
		} else {
			best.RSS = c.RSS
		}
	}
	return best, nil
}

func (s *sizes) printSpeeds() {
	fmt.Printf("\nspeed, layer by layer (of 10 MB and more): processor/wall seconds, peak MiB\n")
	for _, r := range s.speeds {
		fmt.Printf("%s, %.1f MB plain, %s\n", r.pair, float64(r.plain)/1e6, r.recipe)
		r.printBuild()
		r.printApply()
	}
}

func (r speedRow) printBuild() {
	slow, fast := r.build, r.fast
	time := fast.cost.CPU.Seconds() / slow.cost.CPU.Seconds()
	size := float64(fast.made.Size) / float64(slow.made.Size)
	limit, slowVerdict, timeVerdict := maxBuild[r.pair], "", ""
	if limit > 0 {
		slowVerdict = fmt.Sprintf(" (limit %.0f s): %s", limit, verdict(slow.cost.CPU.Seconds() <= limit))
		timeVerdict = fmt.Sprintf(" (limit %.1f s): %s", limit*maxFastTime, verdict(fast.cost.CPU.Seconds() <= limit*maxFastTime))
	}
	fmt.Printf("  build            %-22s %d bytes%s\n", slow.cost.full(), slow.made.Size, slowVerdict)
	fmt.Printf("  build fast       %-22s %d bytes; %.2f x the time%s; %.2f x the bytes (limit %.0f): %s\n",
		fast.cost.full(), fast.made.Size, time, timeVerdict, size, maxFastSize, verdict(size <= maxFastSize))
}

func (r speedRow) printApply() {
	speed := r.sha256sum.Wall.Seconds() / r.plainApply.Wall.Seconds()
	busy := r.sha256sum.CPU.Seconds() / r.plainApply.CPU.Seconds()
	fmt.Printf("  apply to plain   %-22s %.2f x the speed of sha256sum (%.2f by processor time), %s (limit %.1f): %s; memory: %s\n",
		r.plainApply.full(), speed, busy, r.sha256sum.full(), minApplySpeed, verdict(speed >= minApplySpeed), verdict(r.plainApply.RSS <= maxApplyRSS))
	if r.apply.Wall == 0 {
		fmt.Println("  apply            no recipe: the layer travels as it is")
		return
	}
	part := r.apply.CPU.Seconds() / r.gzip.CPU.Seconds()
	fmt.Printf("  apply            %-22s %.2f x the processor time of gzip -6, %s (limit %.1f): %s; memory: %s\n",
		r.apply.full(), part, r.gzip.full(), maxRecompress, verdict(part <= maxRecompress), verdict(r.apply.RSS <= maxApplyRSS))
}
