package mirror

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/sallyport-dev/sallyport/bundle"
)

// Problem is one thing that the mirror lacks or has damaged.
type Problem struct {
	Images     []string      `json:"images"` // that need it, by name, sorted
	Repository string        `json:"repository"`
	Digest     digest.Digest `json:"digest"`
	Manifest   bool          `json:"manifest"` // a manifest or index, otherwise a blob
	Damaged    bool          `json:"damaged"`  // there, but with other bytes; otherwise missing
	// Tag is set where a tag is missing or, if Damaged, leads to something else than the digest.
	Tag string `json:"tag,omitempty"`
}

// FsckReport is what Fsck found.
type FsckReport struct {
	Manifests int       `json:"manifests"` // read
	Blobs     int       `json:"blobs"`     // read, each content once
	Bytes     int64     `json:"bytes"`     // read
	Problems  []Problem `json:"problems"`  // sorted
}

// Fsck reads every manifest and blob that the releases need and checks their digests. It changes nothing. A blob that
// several repositories share is read once; in the others it must be there with the right size. The error tells that
// the check could not be made; what it finds is in the report.
func Fsck(ctx context.Context, c *Client, releases []*bundle.Descriptor) (*FsckReport, error) {
	f := &fsck{c: c, problems: make(map[content]*Problem)}
	for _, d := range releases {
		if err := f.plan(d); err != nil {
			return nil, err
		}
	}
	if err := f.run(ctx); err != nil {
		return nil, err
	}
	return f.report(), nil
}

// FsckTags adds to the report the tags that do not lead to what the release means by them. It is for the release whose
// tags the mirror has: the one that runs.
func FsckTags(ctx context.Context, c *Client, d *bundle.Descriptor, report *FsckReport) error {
	for _, img := range d.Images {
		err := c.CheckTag(ctx, img)
		if err == nil {
			continue
		}
		damaged := errors.Is(err, ErrDamaged)
		if !damaged && !errors.Is(err, ErrNotFound) {
			return err
		}
		name, bad := Repository(img.Name)
		if bad != nil {
			return bad
		}
		report.Problems = append(report.Problems, Problem{
			Images: []string{img.Name}, Repository: name.Repository, Digest: img.Digest, Manifest: true, Damaged: damaged, Tag: name.Tag,
		})
	}
	return nil
}

// DropDamaged deletes the damaged blobs of a report, so that the next load does not take them for present and brings
// them anew. Damaged manifests need nothing: they are compared whenever they are pushed.
func DropDamaged(ctx context.Context, c *Client, report *FsckReport) error {
	for _, p := range report.Problems {
		if !p.Damaged || p.Manifest {
			continue
		}
		if err := c.deleteBlob(ctx, p.Repository, p.Digest); err != nil {
			return err
		}
	}
	return nil
}

// content is one thing to look at: what, where.
type content struct {
	repo     string
	digest   digest.Digest
	manifest bool
}

type need struct {
	images []string
	size   int64 // of a blob; -1: any
	root   *bundle.Image
	within digest.Digest // of an index inside another: the image's
}

type fsck struct {
	c     *Client
	needs map[content]*need

	bytes, blobs, manifests atomic.Int64

	mu       sync.Mutex
	problems map[content]*Problem
}

// plan collects what a release needs.
func (f *fsck) plan(d *bundle.Descriptor) error {
	sizes := make(map[digest.Digest]int64, len(d.Blobs))
	for _, b := range d.Blobs {
		sizes[b.Digest] = b.Size
	}
	for i := range d.Images {
		img := &d.Images[i]
		name, err := Repository(img.Name)
		if err != nil {
			return err
		}
		f.add(content{name.Repository, img.Digest, true}, img.Name, -1).root = img
		for _, x := range img.Indexes {
			f.add(content{name.Repository, x.Digest, true}, img.Name, -1).within = img.Digest
		}
		for _, m := range img.Manifests {
			f.add(content{name.Repository, m.Digest, true}, img.Name, -1)
			f.addBlobs(name.Repository, img.Name, append([]digest.Digest{m.Config}, m.Layers...), sizes)
		}
		for _, a := range img.Attached {
			f.add(content{name.Repository, a.Digest, true}, img.Name, -1)
			f.addBlobs(name.Repository, img.Name, a.Blobs, sizes)
		}
	}
	return nil
}

func (f *fsck) addBlobs(repo, image string, blobs []digest.Digest, sizes map[digest.Digest]int64) {
	for _, b := range blobs {
		size, ok := sizes[b]
		if !ok {
			size = -1
		}
		f.add(content{repo, b, false}, image, size)
	}
}

func (f *fsck) add(what content, image string, size int64) *need {
	if f.needs == nil {
		f.needs = make(map[content]*need)
	}
	n := f.needs[what]
	if n == nil {
		n = &need{size: size}
		f.needs[what] = n
	}
	if !slices.Contains(n.images, image) {
		n.images = append(n.images, image)
	}
	return n
}

// run looks at everything: each blob in one repository at least, and in the others once it is known to be good.
func (f *fsck) run(ctx context.Context) error {
	read := make(map[digest.Digest]bool)
	var shared []content
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(f.c.workers)
	for what := range f.needs {
		if !what.manifest && read[what.digest] {
			shared = append(shared, what)
			continue
		}
		read[what.digest] = read[what.digest] || !what.manifest
		g.Go(func() error { return f.note(what, f.look(gctx, what)) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	g, gctx = errgroup.WithContext(ctx)
	g.SetLimit(f.c.workers)
	for _, what := range shared {
		g.Go(func() error { return f.note(what, f.lookShared(gctx, what)) })
	}
	return g.Wait()
}

// look reads one manifest or blob to its end.
func (f *fsck) look(ctx context.Context, what content) error {
	n := f.needs[what]
	if !what.manifest {
		if err := f.c.checkSize(ctx, what.repo, what.digest, n.sizes(what.digest)); err != nil {
			return err
		}
		size, err := f.c.countBlob(ctx, what.repo, what.digest)
		f.bytes.Add(size)
		f.blobs.Add(1)
		return err
	}
	f.manifests.Add(1)
	if n.root != nil {
		name, err := Repository(n.root.Name)
		if err != nil {
			return err
		}
		return f.c.checkNamed(ctx, name, *n.root)
	}
	if n.within != "" {
		return f.c.checkInner(ctx, what.repo, what.digest, n.within)
	}
	raw, _, err := f.c.Manifest(ctx, what.repo, what.digest.String())
	f.bytes.Add(int64(len(raw)))
	return err
}

// lookShared looks at a blob whose content has been read by way of another repository. If that was damaged, so is it.
func (f *fsck) lookShared(ctx context.Context, what content) error {
	f.mu.Lock()
	damaged := false
	for other, p := range f.problems {
		damaged = damaged || other.digest == what.digest && !other.manifest && p.Damaged
	}
	f.mu.Unlock()
	if damaged {
		return ErrDamaged
	}
	if missing := f.c.checkSize(ctx, what.repo, what.digest, f.needs[what].sizes(what.digest)); missing != nil {
		return missing
	}
	return nil
}

func (n *need) sizes(d digest.Digest) map[digest.Digest]int64 {
	if n.size < 0 {
		return nil
	}
	return map[digest.Digest]int64{d: n.size}
}

// note files a finding. Errors that are none end the check.
func (f *fsck) note(what content, err error) error {
	damaged := errors.Is(err, ErrDamaged)
	if !damaged && !errors.Is(err, ErrNotFound) {
		return err
	}
	images := slices.Sorted(slices.Values(f.needs[what].images))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.problems[what] = &Problem{
		Images: images, Repository: what.repo, Digest: what.digest, Manifest: what.manifest, Damaged: damaged,
	}
	return nil
}

func (f *fsck) report() *FsckReport {
	r := &FsckReport{
		Manifests: int(f.manifests.Load()), Blobs: int(f.blobs.Load()), Bytes: f.bytes.Load(), Problems: []Problem{},
	}
	for _, p := range f.problems {
		r.Problems = append(r.Problems, *p)
	}
	slices.SortFunc(r.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Repository, b.Repository), cmp.Compare(a.Digest, b.Digest))
	})
	return r
}
