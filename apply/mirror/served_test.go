package mirror_test

import (
	"errors"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/bundle"
)

// The check before the switch looks at what the switch will push, whatever a registry thinks of an index of which it lacks
// parts: distribution/distribution#3628, regclient/regclient#836. What the objects name by digest does not depend on tags.
func TestCheckBeforeTheTag(t *testing.T) {
	const name = "registry.example.com/app:1"
	kinds := map[string]func(t *testing.T) *image{
		"one image":       func(t *testing.T) *image { return newImage(t, name, "base", "") },
		"one of two":      func(t *testing.T) *image { return newImage(t, name, "base", "").sparse(t) },
		"two of three":    func(t *testing.T) *image { return newImage(t, name, "a", "").joined(t, newImage(t, name, "b", "")) },
		"an index inside": func(t *testing.T) *image { return newImage(t, name, "base", "").attest(t).nest(t) },
		"two, inside": func(t *testing.T) *image {
			return newImage(t, name, "a", "").joined(t, newImage(t, name, "b", "")).nest(t)
		},
		"with an attestation": func(t *testing.T) *image { return newImage(t, name, "base", "").attest(t) },
		"an attestation is lost": func(t *testing.T) *image {
			img := newImage(t, name, "base", "").attest(t)
			img.Attached = nil
			return img
		},
	}
	for kind, make := range kinds {
		for _, pinned := range []bool{false, true} {
			t.Run(kind, func(t *testing.T) {
				onEach(t, func(t *testing.T, _, url string) {
					img := make(t)
					if pinned {
						img.pin(t)
					}
					checkBeforeTag(t, client(t, url), img)
				})
			})
		}
	}
}

func checkBeforeTag(t *testing.T, c *mirror.Client, img *image) {
	t.Helper()
	ctx := t.Context()
	for _, b := range img.blobs {
		if _, err := c.PushBlob(ctx, "app", b.Descriptor, b.open); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.PushImage(ctx, img.Image, img.raw); err != nil {
		t.Fatal(err)
	}
	if err := c.CheckImage(ctx, img.Image, nil, img.raw); err != nil {
		t.Errorf("before the switch: %v", err)
	}
	if _, err := c.TagImage(ctx, img.Image, img.raw); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Manifest(ctx, "app", "1"); err != nil {
		t.Error(err)
	}
	if report, err := mirror.Fsck(ctx, c, releases(img)); err != nil || len(report.Problems) > 0 {
		t.Errorf("fsck says %+v, %v", report, err)
	}
	load(t, c, newImage(t, img.Name, "other", "other")) // moves the tag
	if img.Pinned == "" {
		return
	}
	if _, _, err := c.Manifest(ctx, "app", img.Pinned.String()); err != nil {
		t.Errorf("after the tag has moved: %v", err)
	}
	if err := c.CheckImage(ctx, img.Image, nil, img.raw); err != nil {
		t.Errorf("after the tag has moved: %v", err)
	}
	if _, err := mirror.GC(ctx, c, mirror.GCConfig{Drop: releases(img)}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Manifest(ctx, "app", img.Pinned.String()); !errors.Is(err, mirror.ErrNotFound) {
		t.Errorf("after GC the mirror still has %s: %v", img.Pinned, err)
	}
}

// Objects that name what the release does not carry are found when it is loaded.
func TestWrongPin(t *testing.T) {
	onEach(t, func(t *testing.T, _, url string) {
		img := newImage(t, "registry.example.com/app:1", "a", "").joined(t, newImage(t, "registry.example.com/app:1", "b", ""))
		img.Pinned = digest.FromString("something else")
		c := client(t, url)
		for _, b := range img.blobs {
			if _, err := c.PushBlob(t.Context(), "app", b.Descriptor, b.open); err != nil {
				t.Fatal(err)
			}
		}
		var e *bundle.NameError
		if _, err := c.PushImage(t.Context(), img.Image, img.raw); !errors.As(err, &e) {
			t.Errorf("got %v", err)
		}
	})
}
