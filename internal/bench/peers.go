package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// peer is another program that makes patches between plain files.
type peer struct {
	name string
	tool string // the program
	// args are its arguments for OLD, NEW and OUT, which stand for themselves in the key under which a result is kept.
	args []string
	// limit is how large an old file it can take here, in bytes; 0 is any.
	limit int64
	// chunks is for casync: OUT is a store that has the old file's chunks already.
	chunks bool
}

// peers are run with the arguments that make their patches smallest. xdelta3 looks at the last 64 MB of the old file only,
// unless told how much to keep in memory: it runs both ways and the better one counts.
var peers = []peer{
	{name: "zstd", tool: "zstd", args: []string{"-q", "-f", "-19", "--long=31", "--patch-from=OLD", "NEW", "-o", "OUT"}},
	{name: "xdelta3", tool: "xdelta3", args: []string{"-e", "-f", "-9", "-S", "lzma", "-s", "OLD", "NEW", "OUT"}},
	{name: "xdelta3", tool: "xdelta3", args: []string{"-e", "-f", "-9", "-S", "lzma", "-B", "SIZE", "-s", "OLD", "NEW", "OUT"}},
	{name: "bsdiff", tool: "bsdiff", args: []string{"OLD", "NEW", "OUT"}, limit: 200 << 20}, // 17 times as much memory
	{name: "casync", tool: "casync", args: []string{"make", "--store=OUT", "OUT.caibx", "NEW"}, chunks: true},
}

// peerNames are the columns.
var peerNames = []string{"zstd", "xdelta3", "bsdiff", "casync"}

// outcome is a peer's patch.
type outcome struct {
	Bytes int64
	Cost  cost
}

// run makes the patch, unless an earlier run did.
func (p peer) run(ctx context.Context, k *keeper, dir string, c change) (outcome, error) {
	return k.get(ctx, p, c, func() (outcome, error) { return p.measure(ctx, dir, c) })
}

func (p peer) measure(ctx context.Context, dir string, c change) (outcome, error) {
	out := filepath.Join(dir, "peer-"+p.name)
	defer os.RemoveAll(out)
	if !p.chunks {
		spent, _, err := process(ctx, dir, nil, p.tool, p.fill(c.was, c.now, out)...)
		if err != nil {
			return outcome{}, err
		}
		info, err := os.Stat(out)
		if err != nil {
			return outcome{}, err
		}
		return outcome{info.Size(), spent}, nil
	}
	if _, _, err := process(ctx, dir, nil, p.tool, p.fill(c.was, c.was, out)...); err != nil {
		return outcome{}, err
	}
	before, err := folderSize(out)
	if err != nil {
		return outcome{}, err
	}
	spent, _, err := process(ctx, dir, nil, p.tool, p.fill(c.was, c.now, out)...)
	if err != nil {
		return outcome{}, err
	}
	after, err := folderSize(out)
	return outcome{after - before, spent}, err
}

// fill puts files for the words that stand for them.
func (p peer) fill(was, now layer, out string) []string {
	args := make([]string, len(p.args))
	for i, a := range p.args {
		switch a {
		case "OLD":
			a = was.plain
		case "NEW":
			a = now.plain
		case "OUT":
			a = out
		case "SIZE":
			a = strconv.FormatInt(was.plainSize, 10)
		case "OUT.caibx":
			a = out + ".caibx"
		case "--store=OUT":
			a = "--store=" + out
		case "--patch-from=OLD":
			a = "--patch-from=" + was.plain
		}
		args[i] = a
	}
	return args
}

func folderSize(dir string) (int64, error) {
	var sum int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	return sum, nil
}
