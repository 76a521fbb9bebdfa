package mirror_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// registries are the kinds of registry that a mirror may be, each of another maker or generation.
func registries(t *testing.T) map[string]func(t *testing.T) string {
	ggcr := func(options ...registry.Option) func(t *testing.T) string {
		return func(t *testing.T) string {
			s := httptest.NewServer(registry.New(append(options, registry.Logger(log.New(io.Discard, "", 0)))...))
			t.Cleanup(s.Close)
			return s.URL
		}
	}
	return map[string]func(t *testing.T) string{
		"embedded":               func(t *testing.T) string { url, _ := serveEmbedded(t); return url },
		docker:                   func(t *testing.T) string { return testtools.DockerRegistry(t) },
		"ggcr":                   ggcr(),
		"ggcr, which lists refs": ggcr(registry.WithReferrersSupport(true)),
	}
}

// What apply asks of a mirror, every registry does: an update, its rollback, a second load that pushes nothing, and care.
func TestEveryRegistryServesReleases(t *testing.T) {
	for kind, start := range registries(t) {
		t.Run(kind, func(t *testing.T) {
			ctx, c := t.Context(), client(t, start(t))
			old := newImage(t, "registry.example.com/team/app:1", "base", "old").sign(t, "", "old")
			latest := newImage(t, "registry.example.com/team/app:1", "base2", "new").sign(t, "", "new").sign(t, "new.sig", "tagged")
			many := newImage(t, "registry.example.com/team/many:1", "base", "many").sparse(t)
			for _, img := range []*image{old, latest, many} {
				load(t, c, img)
				if err := served(ctx, c, img); err != nil {
					t.Fatal(err)
				}
			}
			if pushed, err := c.PushImage(ctx, latest.Image, latest.raw); err != nil || pushed != 0 {
				t.Errorf("a second load pushed %d, %v", pushed, err)
			}
			if pushed, err := c.TagImage(ctx, old.Image, old.raw); err != nil || !pushed { // a rollback
				t.Errorf("the tag moved: %v, %v", pushed, err)
			}
			if err := served(ctx, c, old); err != nil {
				t.Error(err)
			}
			if refs, err := c.Referrers(ctx, "team/app", latest.Digest); err != nil || len(refs) != 1 {
				t.Errorf("referrers %v, %v", refs, err)
			}
			layer := old.blobs[1].Descriptor
			ok, err := c.Mount(ctx, "team/app", "other/app", layer.Digest)
			if err != nil {
				t.Error(err)
			}
			if _, there, err := c.StatBlob(ctx, "other/app", layer.Digest); err != nil || ok && !there {
				t.Errorf("mounted: %v, there: %v, %v", ok, there, err)
			}
			if report, err := mirror.Fsck(ctx, c, releases(old, latest, many)); err != nil || len(report.Problems) != 0 {
				t.Errorf("fsck finds %+v, %v", report, err)
			}
			if _, err := mirror.GC(ctx, c, mirror.GCConfig{Keep: releases(old, many), Drop: releases(latest)}); err != nil {
				t.Error(err)
			}
			if err := served(ctx, c, old); err != nil {
				t.Errorf("after the collection: %v", err)
			}
		})
	}
}

// served asks for an image as check and runtime do.
func served(ctx context.Context, c *mirror.Client, img *image) error {
	sizes := make(map[digest.Digest]int64)
	for _, b := range img.blobs {
		sizes[b.Digest] = b.Size
	}
	if err := c.CheckImage(ctx, img.Image, sizes, img.raw); err != nil {
		return err
	}
	name, err := mirror.Repository(img.Name)
	if err != nil {
		return err
	}
	if _, _, err := c.Manifest(ctx, name.Repository, name.Tag); err != nil {
		return fmt.Errorf("by its tag: %w", err)
	}
	return nil
}

// A tag that somebody moved, or took away, is found, and put back by tagging again.
func TestFsckFindsMovedTags(t *testing.T) {
	for kind, start := range registries(t) {
		t.Run(kind, func(t *testing.T) {
			ctx, c := t.Context(), client(t, start(t))
			ours, other := newImage(t, "registry.example.com/team/app:1", "base", "ours"), newImage(t, "registry.example.com/team/app:1", "base2", "other")
			many := newImage(t, "registry.example.com/team/many:1", "base", "many").sparse(t)
			load(t, c, ours)
			load(t, c, many)
			release := ours.descriptor()
			release.Images = append(release.Images, many.Image)
			find := func() []mirror.Problem {
				report := new(mirror.FsckReport)
				if err := mirror.FsckTags(ctx, c, release, report); err != nil {
					t.Fatal(err)
				}
				return report.Problems
			}
			if got := find(); len(got) != 0 {
				t.Fatalf("nothing is wrong, and it finds %+v", got)
			}
			load(t, c, other)
			got := find()
			if len(got) != 1 || got[0].Tag != "1" || !got[0].Damaged || got[0].Digest != ours.Digest || got[0].Repository != "team/app" {
				t.Errorf("after the move it finds %+v", got)
			}
			if _, err := c.TagImage(ctx, ours.Image, ours.raw); err != nil {
				t.Fatal(err)
			}
			if got := find(); len(got) != 0 {
				t.Errorf("after the repair it finds %+v", got)
			}
			lost := *release
			lost.Images = []bundle.Image{newImage(t, "registry.example.com/team/app:2", "base", "lost").Image}
			report := new(mirror.FsckReport)
			if err := mirror.FsckTags(ctx, c, &lost, report); err != nil || len(report.Problems) != 1 || report.Problems[0].Damaged {
				t.Errorf("of a tag that is not there it says %+v, %v", report.Problems, err)
			}
		})
	}
}
