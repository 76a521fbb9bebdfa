package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
)

// releasesPath holds the descriptor of every release of which the mirror may hold something, the loads that broke off
// included: garbage collection has to know what once came.
func (s *Site) releasesPath() string { return s.path("releases") }

func (s *Site) releasePath(d digest.Digest) string {
	return filepath.Join(s.releasesPath(), d.Encoded()+".json")
}

// remember keeps the descriptor of the release that is about to be loaded.
func (r *run) remember() error {
	if err := r.deps.Disk.MkdirAll(r.releasesPath(), 0o755); err != nil {
		return stateError(err)
	}
	path := r.releasePath(r.bundle.ReleaseDigest())
	if err := r.deps.Disk.WriteFile(path, r.bundle.DescriptorBytes(), 0o644); err != nil {
		return stateError(err)
	}
	return nil
}

// Collect calls collect, under the site's lock, with the releases that the slots hold and with those that once came
// and are in no slot. If collect succeeds and forget is set, the latter are not told again.
func (s *Site) Collect(ctx context.Context, forget bool, collect func(ctx context.Context, keep, drop []*bundle.Descriptor) error) (err error) {
	r, err := s.beginKnown("mirror gc")
	if err != nil {
		return err
	}
	defer func() { err = r.end(err) }()
	if err := r.resume(ctx); err != nil {
		return err
	}
	keep, kept, err := r.inSlots()
	if err != nil {
		return err
	}
	drop, paths, err := r.formerReleases(kept)
	if err != nil {
		return err
	}
	if err := collect(ctx, keep, drop); err != nil || !forget {
		return err
	}
	for _, path := range paths {
		err = errors.Join(err, r.deps.Disk.Remove(path))
	}
	return err
}

// inSlots returns the releases that the journal knows to be in slots or kept aside.
func (r *run) inSlots() (keep []*bundle.Descriptor, kept map[digest.Digest]bool, err error) {
	kept = map[digest.Digest]bool{}
	keep, err = r.Releases()
	for _, rel := range []*Release{r.journal.Current, r.journal.Previous, r.journal.Staged, r.journal.Trial, r.journal.Outgoing} {
		if rel != nil {
			kept[rel.Digest] = true
		}
	}
	return keep, kept, err
}

func (r *run) formerReleases(kept map[digest.Digest]bool) (drop []*bundle.Descriptor, paths []string, err error) {
	entries, err := os.ReadDir(r.releasesPath())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, stateError(err)
	}
	for _, e := range entries {
		hex, ok := strings.CutSuffix(e.Name(), ".json")
		d := digest.NewDigestFromEncoded(digest.SHA256, hex)
		if !ok || d.Validate() != nil || kept[d] {
			continue
		}
		path := r.releasePath(d)
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, nil, stateError(err)
		}
		desc, err := bundle.ParseDescriptor(b)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		drop, paths = append(drop, desc), append(paths, path)
	}
	return drop, paths, nil
}
