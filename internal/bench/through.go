package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// passage is a pair's way through the program: built full and as a delta, applied into embedded mirrors.
type passage struct {
	full, patch         int64 // bytes of payload, as inspect tells
	unchanged           int64 // of these, for images that did not change
	buildFull, build    cost
	applyFull, apply    cost
	blobs               int // compared in each mirror
	fullWrong, newWrong error
}

const passageColumns = "%-17s %11s %11s %11s | %-18s %-18s %-18s %-18s | %s\n"

func printPassageHead() {
	fmt.Printf(`
through the program: payload bytes as inspect tells, processor/wall seconds, peak MiB. Unchanged: what images cost that the
old side has. Build makes SBOMs and signatures too; apply runs the embedded mirror.
`+passageColumns,
		"PAIR", "FULL", "DELTA", "UNCHANGED", "BUILD FULL", "BUILD DELTA", "APPLY FULL", "APPLY DELTA", "MIRRORS")
}

func (p passage) print(name string) {
	mirrors := fmt.Sprintf("%d blobs equal", p.blobs)
	if err := errors.Join(p.fullWrong, p.newWrong); err != nil {
		mirrors = "FAIL: " + err.Error()
	}
	small := p.apply.RSS <= maxApplyRSS && p.applyFull.RSS <= maxApplyRSS
	fmt.Printf(passageColumns, name, fmt.Sprint(p.full), fmt.Sprint(p.patch), fmt.Sprint(p.unchanged), p.buildFull.full(), p.build.full(),
		p.applyFull.full(), p.apply.full(), mirrors+", memory: "+verdict(small))
}

// through applies the bundles that were built into sites with embedded mirrors, and compares these with the images.
func (b *bench) through(ctx context.Context, platform string, r *row) error {
	p := &r.passage
	p.buildFull, p.build = r.buildFull, r.buildDelta
	var err error
	if p.full, _, err = b.payload(ctx, "full.tar"); err != nil {
		return err
	}
	if p.patch, p.unchanged, err = b.payload(ctx, "delta.tar"); err != nil {
		return err
	}
	if p.applyFull, err = b.embedded(ctx, platform, "full.tar"); err != nil {
		return err
	}
	p.blobs, p.fullWrong = b.compareMirror()
	if p.apply, err = b.embedded(ctx, platform, "old.tar", "delta.tar"); err != nil {
		return err
	}
	_, p.newWrong = b.compareMirror()
	return nil
}

// payload asks inspect what the layers cost, and of these the layers of images that the old side has.
func (b *bench) payload(ctx context.Context, bundle string) (all, unchanged int64, err error) {
	_, out, err := b.sallyport(ctx, "inspect", bundle, "--json")
	if err != nil {
		return 0, 0, err
	}
	var in struct {
		Bytes  struct{ Payload int64 }
		Images []struct {
			Name    string
			Payload int64
		}
	}
	if err := json.Unmarshal(out, &in); err != nil {
		return 0, 0, err
	}
	old, _, err := b.images("old")
	if err != nil {
		return 0, 0, err
	}
	for _, im := range in.Images {
		for _, n := range old {
			if n == im.Name {
				unchanged += im.Payload
			}
		}
	}
	return in.Bytes.Payload, unchanged, nil
}

// embedded applies bundles to a fresh site that is its own mirror, and tells what the last one cost.
func (b *bench) embedded(ctx context.Context, platform string, bundles ...string) (c cost, err error) {
	for _, name := range []string{"state", "site-manifests", "embedded"} {
		if err := os.RemoveAll(filepath.Join(b.dir, name)); err != nil {
			return c, err
		}
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return c, err
	}
	mirror := fmt.Sprintf("{dir: %s, listen: %q}", filepath.Join(b.dir, "embedded"), address)
	if err := b.writeSite(mirror, platform); err != nil {
		return c, err
	}
	for _, bundle := range bundles {
		if c, _, err = b.exec(ctx, b.site, "apply", bundle, "--quiet"); err != nil {
			return c, err
		}
	}
	return c, nil
}

// compareMirror compares every blob of the new images with the mirror's, byte for byte.
func (b *bench) compareMirror() (int, error) {
	originals, err := filepath.Glob(filepath.Join(b.pair.dir, "new", "blobs", "sha256", "*"))
	if err != nil || len(originals) == 0 {
		return 0, errors.Join(err, errors.New("no blobs in "+b.pair.dir))
	}
	for _, f := range originals {
		hex := filepath.Base(f)
		held := filepath.Join(b.dir, "embedded", "docker", "registry", "v2", "blobs", "sha256", hex[:2], hex, "data")
		if err := sameBytes(f, held); err != nil {
			return 0, fmt.Errorf("blob %.12s: %w", strings.TrimSpace(hex), err)
		}
	}
	return len(originals), nil
}

func sameBytes(x, y string) error {
	a, err := os.Open(x)
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := os.Open(y)
	if err != nil {
		return err
	}
	defer b.Close()
	p, q := make([]byte, 256<<10), make([]byte, 256<<10)
	for {
		n, err := io.ReadFull(a, p)
		m, err2 := io.ReadFull(b, q)
		if n != m || !bytes.Equal(p[:n], q[:m]) {
			return errors.New("the mirror has other bytes")
		}
		if err != nil || err2 != nil {
			if ends(err) && ends(err2) {
				return nil
			}
			return errors.Join(err, err2)
		}
	}
}

func ends(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
