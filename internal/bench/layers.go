package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// layer is a layer of a pair and its plain bytes.
type layer struct {
	blob      string // file
	size      int64
	plain     string // file
	plainSize int64
}

// change is a new layer that the old side has not.
type change struct {
	now  layer
	was  layer    // that stands in its place: peers are given nothing else
	olds []string // all layers of the old image: their blobs, or plain files
}

func (c change) oldList() string { return strings.Join(c.olds, ":") }

// asPlain is the same change between plain tars.
func (c change) asPlain(dir string) change {
	c.now.blob, c.now.size = c.now.plain, c.now.plainSize
	olds := make([]string, len(c.olds))
	for i, o := range c.olds {
		olds[i] = plainOld(dir, o)
	}
	c.olds = olds
	return c
}

func plainOld(dir, blob string) string { return filepath.Join(dir, "old-"+filepath.Base(blob)) }

// side is the layers of one image by its name, without the tag.
type side map[string][]layer

// layersOf lists the layers of a layout's images.
func layersOf(layout string) (side, error) {
	var in index
	if err := readJSON(filepath.Join(layout, "index.json"), &in); err != nil {
		return nil, err
	}
	images := side{}
	for _, m := range in.Manifests {
		var manifest struct {
			Layers []struct {
				Digest string
				Size   int64
			}
		}
		if err := readJSON(blob(layout, m.Digest), &manifest); err != nil {
			return nil, err
		}
		name := m.Annotations["org.opencontainers.image.ref.name"]
		name = name[:max(0, strings.LastIndexByte(name, ':'))]
		for _, l := range manifest.Layers {
			images[name] = append(images[name], layer{blob: blob(layout, l.Digest), size: l.Size})
		}
	}
	return images, nil
}

// changes lists the pair's changed layers and expands them and what they are made from into dir.
func (p pair) changes(ctx context.Context, dir string) ([]change, error) {
	was, err := layersOf(filepath.Join(p.dir, "old"))
	if err != nil {
		return nil, err
	}
	now, err := layersOf(filepath.Join(p.dir, "new"))
	if err != nil {
		return nil, err
	}
	var list []change
	done := map[string]bool{} // by digest: also those that the old side has
	for _, layers := range was {
		for _, l := range layers {
			done[filepath.Base(l.blob)] = true
		}
	}
	for _, name := range sortedNames(now) {
		for i, l := range now[name] {
			if done[filepath.Base(l.blob)] {
				continue
			}
			done[filepath.Base(l.blob)] = true
			c, err := expandChange(ctx, dir, l, was[name], i)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			list = append(list, c)
		}
	}
	return list, nil
}

func sortedNames(s side) []string {
	var names []string
	for n := range s {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// expandChange makes the plain files of a new layer, the i-th of its image, and of the old image's layers.
func expandChange(ctx context.Context, dir string, now layer, was []layer, i int) (change, error) {
	c := change{now: now}
	if err := c.now.expand(ctx, filepath.Join(dir, "new-"+filepath.Base(now.blob))); err != nil {
		return c, err
	}
	for j, l := range was {
		if err := l.expand(ctx, plainOld(dir, l.blob)); err != nil {
			return c, err
		}
		c.olds = append(c.olds, l.blob)
		if j <= i {
			c.was = l
		}
	}
	return c, nil
}

func (l *layer) expand(ctx context.Context, to string) error {
	l.plain = to
	if info, err := os.Stat(to); err == nil {
		l.plainSize = info.Size()
		return nil
	}
	_, err := engine(ctx, &l.plainSize, "expand", "-in", l.blob, "-out", to)
	return err
}
