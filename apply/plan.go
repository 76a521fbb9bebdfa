package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/bundle"
)

// askers is how many questions the mirror is asked at once.
const askers = 8

// plan says, before the first byte of payload, what has to happen to every blob of the release.
type plan struct {
	descriptor *bundle.Descriptor
	blobs      map[digest.Digest]*blobPlan
	// bases are the old blobs that patches of missing blobs address, and a repository that has each.
	bases map[digest.Digest]string
	// boot is the boot slot in which the release is to run; None on a site without a boot loader.
	boot slot.Name
	// pushing is how many bytes of blobs the mirror lacks.
	pushing int64
}

// blobPlan is a blob of the release and where it is missing.
type blobPlan struct {
	bundle.Blob
	// repos are all the repositories in which the release's images want it; missing are those that lack it.
	repos, missing []string
	// from is a repository that has it; empty if none is known to.
	from string
}

// arrives tells whether the blob's bytes have to come from the bundle.
func (b *blobPlan) arrives() bool { return len(b.missing) > 0 && b.from == "" }

// total is how many bytes of blobs the release has for the mirror.
func (p *plan) total() (n int64) {
	for _, b := range p.descriptor.Blobs {
		if b.MediaType != bundle.MediaTypePart {
			n += b.Size
		}
	}
	return n
}

// newPlan asks the mirror for every blob. The error's reason is "base" if the bundle relies on one that is not there.
func (r *run) newPlan(ctx context.Context, d *bundle.Descriptor) (*plan, error) {
	if err := bundle.CheckNames(d.Images); err != nil {
		return nil, err
	}
	p := &plan{descriptor: d, blobs: map[digest.Digest]*blobPlan{}, bases: map[digest.Digest]string{}}
	for _, b := range d.Blobs {
		p.blobs[b.Digest] = &blobPlan{Blob: b}
	}
	known, err := r.knownRepos()
	if err != nil {
		return nil, err
	}
	if err := wants(d, func(repo string, dgst digest.Digest) {
		if b := p.blobs[dgst]; b != nil && !slices.Contains(b.repos, repo) {
			b.repos = append(b.repos, repo)
		}
	}); err != nil {
		return nil, err
	}
	if err := r.findBlobs(ctx, p, known); err != nil {
		return nil, err
	}
	return p, r.findBases(ctx, p, known)
}

// wants calls f for each repository of the release and each blob that it must hold.
func wants(d *bundle.Descriptor, f func(repo string, dgst digest.Digest)) error {
	for _, img := range d.Images {
		name, err := mirror.Repository(img.Name)
		if err != nil {
			return err
		}
		for _, m := range img.Manifests {
			f(name.Repository, m.Config)
			for _, l := range m.Layers {
				f(name.Repository, l)
			}
		}
		for _, a := range img.Attached {
			for _, l := range a.Blobs {
				f(name.Repository, l)
			}
		}
	}
	return nil
}

// knownRepos tells which repositories should hold which blobs, by what the slots say.
func (r *run) knownRepos() (map[digest.Digest][]string, error) {
	known := map[digest.Digest][]string{}
	for _, rel := range []*Release{r.journal.Current, r.journal.Previous} {
		if rel == nil {
			continue
		}
		l, err := r.loadSlot(*rel)
		if err != nil {
			continue // it is a hint only, and what mends the slot must not need it
		}
		err = wants(l.descriptor, func(repo string, dgst digest.Digest) {
			if !slices.Contains(known[dgst], repo) {
				known[dgst] = append(known[dgst], repo)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return known, nil
}

// findBlobs fills in where each blob is and where it is missing.
func (r *run) findBlobs(ctx context.Context, p *plan, known map[digest.Digest][]string) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(askers)
	for _, b := range p.blobs {
		g.Go(func() error { return r.findBlob(ctx, b, known[b.Digest]) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, b := range p.descriptor.Blobs {
		bp := p.blobs[b.Digest]
		switch {
		case bp.arrives() && b.Form == bundle.FormReuse:
			return r.baseError(p.descriptor, b.Digest)
		case bp.arrives():
			p.pushing += b.Size
		}
	}
	return nil
}

func (r *run) findBlob(ctx context.Context, b *blobPlan, known []string) error {
	for _, repo := range b.repos {
		has, err := r.hasBlob(ctx, repo, b.Digest, b.Size)
		switch {
		case err != nil:
			return err
		case !has:
			b.missing = append(b.missing, repo)
		case b.from == "":
			b.from = repo
		}
	}
	if !b.arrives() {
		return nil
	}
	for _, repo := range known {
		if slices.Contains(b.repos, repo) {
			continue
		}
		has, err := r.hasBlob(ctx, repo, b.Digest, b.Size)
		if err != nil {
			return err
		}
		if has {
			b.from = repo
			return nil
		}
	}
	return nil
}

// hasBlob asks for a blob of that very size: a mirror whose disk was full may hold a stump.
func (r *run) hasBlob(ctx context.Context, repo string, d digest.Digest, size int64) (bool, error) {
	have, ok, err := r.mirror.StatBlob(ctx, repo, d)
	return ok && have == size, err
}

// findBases looks for the old blobs that the patches of missing blobs address.
func (r *run) findBases(ctx context.Context, p *plan, known map[digest.Digest][]string) error {
	for _, b := range p.descriptor.Blobs {
		if !p.blobs[b.Digest].arrives() {
			continue
		}
		for _, base := range b.Bases {
			if err := r.findBase(ctx, p, base, known); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) findBase(ctx context.Context, p *plan, base bundle.BaseBlob, known map[digest.Digest][]string) error {
	if p.bases[base.Digest] != "" {
		return nil
	}
	repos := known[base.Digest]
	if b := p.blobs[base.Digest]; b != nil {
		repos = append(slices.Clone(repos), b.repos...)
	}
	// A mirror that was filled by other means, or before the slots were lost, is asked by the images' names.
	for _, img := range p.descriptor.Images {
		name, err := mirror.Repository(img.Name)
		if err != nil {
			return err
		}
		if !slices.Contains(repos, name.Repository) {
			repos = append(repos[:len(repos):len(repos)], name.Repository)
		}
	}
	for _, repo := range repos {
		has, err := r.hasBlob(ctx, repo, base.Digest, base.Size)
		if err != nil {
			return err
		}
		if has {
			p.bases[base.Digest] = repo
			return nil
		}
	}
	return r.baseError(p.descriptor, base.Digest)
}

// isBaseError tells whether err says that a base is not there.
func isBaseError(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Word == "base"
}

// baseError says which release the bundle is built against and which one runs here.
func (r *run) baseError(d *bundle.Descriptor, missing digest.Digest) error {
	var bases string
	for i, b := range d.Bases {
		if i > 0 {
			bases += " or "
		}
		bases += fmt.Sprintf("%s %s", b.Name, b.Version)
	}
	here := "runs nothing yet"
	hint := "ask for a full bundle"
	if c := r.journal.Current; c != nil {
		here = "runs " + c.String()
		hint = fmt.Sprintf("ask for a bundle built against %s, or for a full one", c)
	}
	return errorf("base", hint, "the bundle of %s %s is built against %s; this site %s, and its mirror lacks blob %.19s",
		d.Name, d.Version, bases, here, missing)
}
