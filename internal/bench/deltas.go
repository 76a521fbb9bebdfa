package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// sizes is the table of patch bytes, and what making the patches cost.
type sizes struct {
	keeper *keeper
	ours   map[string]int64 // bytes by pair
	rows   []sizeRow
	speeds []speedRow
}

// sizeRow is a pair's line.
type sizeRow struct {
	pair  string
	layer int64 // bytes of the changed layers
	peers map[string]outcome
	ours  outcome
}

// patched is a change with the patch that was made for it.
type patched struct {
	change
	patch string
	made  made
	cost  cost
}

const sizeColumns = "%-17s %11s %11s %11s %11s %11s | %11s "

// deltas measures the engine and its peers on each pair.
func deltas(ctx context.Context, pairs []pair, work string, speed bool) error {
	k, err := newKeeper()
	if err != nil {
		return err
	}
	s := &sizes{keeper: k, ours: map[string]int64{}}
	fmt.Printf("\nbytes of the patches for all changed layers of a pair\n"+sizeColumns+"\n",
		"PAIR", "LAYERS", "zstd -19", "xdelta3 -9", "bsdiff", "casync", "SALLYPORT")
	for _, p := range pairs {
		dir := filepath.Join(work, "delta-"+p.name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if err := s.pair(ctx, p, dir, speed); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	fmt.Println(`Layers: as registries serve them. zstd: --long=31 --patch-from, xdelta3: -S lzma with the better of its own window and
one over the whole old file, casync: chunks that a store with the old tar lacks; all of them between plain tars.
sallyport: with the recipe that restores the compressed layer. A dash: the peer would need more memory than there is.`)
	fmt.Println(k.note())
	s.printCosts()
	if speed {
		s.printSpeeds()
	}
	return nil
}

func (s *sizes) pair(ctx context.Context, p pair, dir string, speed bool) error {
	changes, err := p.changes(ctx, dir)
	if err != nil {
		return err
	}
	row := sizeRow{pair: p.name, peers: map[string]outcome{}}
	var all []patched
	for i, c := range changes {
		x, err := diff(ctx, c, filepath.Join(dir, fmt.Sprintf("patch-%d", i)), "default")
		if err != nil {
			return err
		}
		all = append(all, x)
		row.layer += c.now.size
		row.ours.Bytes += x.made.Size
		row.ours.Cost.add(x.cost)
	}
	s.ours[p.name] = row.ours.Bytes
	if err := s.runPeers(ctx, changes, dir, &row); err != nil {
		return err
	}
	s.rows = append(s.rows, row)
	row.print(s.ours)
	if !speed || len(all) == 0 {
		return nil
	}
	for _, x := range all {
		if x.now.plainSize < 10<<20 {
			continue
		}
		r, err := measureSpeed(ctx, p.name, x, dir)
		if err != nil {
			return err
		}
		s.speeds = append(s.speeds, r)
	}
	return nil
}

// diff makes one patch in a process of its own.
func diff(ctx context.Context, c change, patch, effort string) (patched, error) {
	x := patched{change: c, patch: patch}
	var err error
	x.cost, err = engine(ctx, &x.made, "diff", "-temp", filepath.Dir(patch), "-in", c.now.blob, "-out", patch, "-olds", c.oldList(), "-effort", effort)
	return x, err
}

// runPeers adds up what the peers make of the changes. Of several ways to run one the smallest counts.
func (s *sizes) runPeers(ctx context.Context, changes []change, dir string, row *sizeRow) error {
	left := map[string]bool{}
	for _, c := range changes {
		best := map[string]outcome{}
		for _, p := range peers {
			if p.limit > 0 && c.was.plainSize > p.limit {
				left[p.name] = true
				continue
			}
			o, err := p.run(ctx, s.keeper, dir, c)
			if err != nil {
				return err
			}
			if b, ok := best[p.name]; !ok || o.Bytes < b.Bytes {
				best[p.name] = o
			}
		}
		for name, o := range best {
			sum := row.peers[name]
			sum.Bytes += o.Bytes
			sum.Cost.add(o.Cost)
			row.peers[name] = sum
		}
	}
	for name := range left {
		delete(row.peers, name)
	}
	return nil
}

func (r sizeRow) print(all map[string]int64) {
	cells := []any{r.pair, fmt.Sprint(r.layer)}
	for _, n := range peerNames {
		cell := "-"
		if o, ok := r.peers[n]; ok {
			cell = fmt.Sprint(o.Bytes)
		}
		cells = append(cells, cell)
	}
	line := fmt.Sprintf(sizeColumns, append(cells, fmt.Sprint(r.ours.Bytes))...)
	fmt.Println(line + targets[r.pair].judge(r.ours.Bytes, r.peers, all))
}

// printCosts tells what making the patches took.
func (s *sizes) printCosts() {
	const columns = "%-17s %-22s %-22s %-22s %-22s | %-22s\n"
	fmt.Printf("\nmaking them: processor/wall seconds, peak MiB\n"+columns, "PAIR", "zstd -19", "xdelta3 -9", "bsdiff", "casync", "SALLYPORT")
	for _, r := range s.rows {
		cells := []any{r.pair}
		for _, n := range peerNames {
			cell := "-"
			if o, ok := r.peers[n]; ok {
				cell = o.Cost.full()
			}
			cells = append(cells, cell)
		}
		fmt.Println(strings.TrimRight(fmt.Sprintf(columns, append(cells, r.ours.Cost.full())...), " \n"))
	}
}
