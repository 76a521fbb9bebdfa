package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// systemSize is how many bytes of this machine's programs make an operating system, where the corpus has none.
const systemSize = 170 << 20

// systems measures deltas between images of two versions of an operating system, and what is written of the new one to a slot that
// holds the old: a Debian point release, from the pair debian-base of the corpus, or else this machine's own programs and the same
// with every twentieth of them changed.
func systems(ctx context.Context, corpus, work string) error {
	dir := filepath.Join(work, "os")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	trees := [2]string{filepath.Join(dir, "old"), filepath.Join(dir, "new")}
	pair, what := filepath.Join(corpus, "debian-base"), "a Debian point release"
	_, err := os.Stat(pair)
	if err == nil {
		err = errors.Join(unpackImage(ctx, filepath.Join(pair, "old"), trees[0], dir), unpackImage(ctx, filepath.Join(pair, "new"), trees[1], dir))
	} else {
		what = "this machine's programs, a twentieth of them changed"
		err = errors.Join(programTree(trees[0], 0), programTree(trees[1], 20))
	}
	if err != nil {
		return err
	}
	fmt.Printf("\ndeltas of images of an operating system (%s): wall seconds, peak MiB\n", what)
	for _, kind := range []string{"ext4", "squashfs"} {
		if err := systemRow(ctx, kind, trees, dir); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

// unpackImage makes the tree of the one image of a layout.
func unpackImage(ctx context.Context, layout, tree, dir string) error {
	images, err := layersOf(layout)
	if err != nil {
		return err
	}
	if err := os.Mkdir(tree, 0o755); err != nil {
		return err
	}
	for _, name := range sortedNames(images) {
		for _, l := range images[name] {
			if err := l.expand(ctx, filepath.Join(dir, filepath.Base(l.blob))); err != nil {
				return err
			}
			if _, _, err := process(ctx, dir, nil, "tar", "-C", tree, "--numeric-owner", "-xpf", l.plain); err != nil {
				return err
			}
		}
	}
	return nil
}

// systemRow makes the two images, the delta between them, and applies it as a site does, beside sha256sum.
func systemRow(ctx context.Context, kind string, trees [2]string, dir string) error {
	var images [2]string
	for i, tree := range trees {
		images[i] = filepath.Join(dir, fmt.Sprintf("%s-%d", kind, i))
		if err := systemImage(ctx, kind, tree, images[i]); err != nil {
			return err
		}
	}
	st, err := os.Stat(images[1])
	if err != nil {
		return err
	}
	patch := filepath.Join(dir, "patch")
	var m made
	diff, err := engine(ctx, &m, "diff", "-in", images[1], "-olds", images[0], "-out", patch, "-temp", dir)
	if err != nil {
		return err
	}
	sum, err := fastest(ctx, runs, dir, "sha256sum", images[1])
	if err != nil {
		return err
	}
	var apply cost
	for i := range runs {
		var ok bool
		c, err := engine(ctx, &ok, "apply", "-in", patch, "-olds", images[0], "-size", fmt.Sprint(st.Size()), "-temp", dir)
		if err != nil {
			return err
		}
		if i == 0 || c.Wall < apply.Wall {
			apply = c
		}
	}
	speed := sum.Wall.Seconds() / apply.Wall.Seconds()
	fmt.Printf("  %-9s %.1f MB in %.2f MB; made in %s; applied in %s, %.2f x the speed of sha256sum, %s (limit %.1f): %s; memory: %s\n", kind,
		float64(st.Size())/1e6, float64(m.Size)/1e6, diff, apply, speed, sum, minApplySpeed, verdict(speed >= minApplySpeed), verdict(apply.RSS <= maxApplyRSS))
	return overOld(ctx, images, dir)
}

// overOld writes the new image to a device that holds the old one.
func overOld(ctx context.Context, images [2]string, dir string) error {
	disk := filepath.Join(dir, "disk")
	if _, _, err := process(ctx, dir, nil, "cp", images[0], disk); err != nil {
		return err
	}
	st, err := os.Stat(images[1])
	if err != nil {
		return err
	}
	if err := os.Truncate(disk, slotSize<<1); err != nil { // a slot has room for an image that has grown
		return err
	}
	device, done, err := loopDevice(ctx, disk, dir)
	if err != nil {
		return err
	}
	defer done()
	r, err := slotWrite(ctx, images[1], device)
	if err != nil {
		return err
	}
	fmt.Printf("            over the old one in a slot: %s, of %.1f MB\n", r, float64(st.Size())/1e6)
	return nil
}

// systemImage makes an image such that the same tree gives the same bytes.
func systemImage(ctx context.Context, kind, tree, image string) error {
	if kind == "squashfs" {
		_, _, err := process(ctx, "", nil, "mksquashfs", tree, image, "-comp", "zstd", "-noappend", "-quiet", "-no-progress", "-all-time", "0", "-mkfs-time", "0")
		return err
	}
	const id = "11111111-2222-3333-4444-555555555555"
	_, _, err := process(ctx, "", []string{"E2FSPROGS_FAKE_TIME=1700000000"}, "/usr/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-U", id,
		"-E", "root_owner=0:0,hash_seed="+id, "-m", "0", "-d", tree, image, fmt.Sprintf("%dm", 2*systemSize>>20))
	return err
}

// programTree copies programs of this machine; of every nth a few bytes are others, and some more come after them.
func programTree(dir string, nth int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	room, n := int64(systemSize), 0
	return filepath.WalkDir("/usr/bin", func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err != nil || info.Size() > room/4 {
			return err
		}
		if room -= info.Size(); room < 0 {
			return fs.SkipAll
		}
		n++
		return copyProgram(path, filepath.Join(dir, e.Name()), info.Size()/2, nth > 0 && n%nth == 0)
	})
}

// copyProgram copies a file piece by piece: what this program holds in memory counts for those that it starts.
func copyProgram(from, to string, middle int64, change bool) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	err = create(to, func(w io.Writer) error {
		if _, err := io.Copy(w, in); err != nil || !change {
			return err
		}
		_, err := io.WriteString(w, "another version")
		return err
	})
	if err != nil || !change {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = out.WriteAt([]byte("changed"), middle)
	return errors.Join(err, out.Close())
}
