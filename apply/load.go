package apply

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/bundle"
)

// load reads the bundle to its very last byte and leaves the mirror with everything in it.
func (r *run) load(ctx context.Context) (Phase, func(*journal), error) {
	if r.bundle == nil {
		return r.giveUp()
	}
	if err := r.remember(); err != nil {
		return "", nil, err
	}
	dir, err := r.temp()
	if err != nil {
		return "", nil, err
	}
	l := &loader{run: r, plan: r.plan, dir: dir, keep: keepers(r.plan.descriptor)}
	l.restorer = restorer{mirror: r.mirror, dir: dir, bases: r.plan.bases}
	defer l.restorer.close()
	if err := l.all(ctx); err != nil {
		return "", nil, err
	}
	if r.deps.SyncMirror != nil {
		if err := r.deps.SyncMirror(); err != nil {
			return "", nil, err
		}
	}
	r.say("loaded", "every byte was verified; the medium may be removed now")
	return Loaded, nil, nil
}

// giveUp ends a transaction whose bundle is not at hand any more; nothing that runs was touched.
func (r *run) giveUp() (Phase, func(*journal), error) {
	a := r.ended(resultInterrupted, "")
	if err := appendHistory(r.deps.Disk, r.historyPath(), a); err != nil {
		return "", nil, err
	}
	edit, err := r.given(a)
	return Idle, edit, err
}

// fill puts the release into the slot that does not run. A slot is filled in one step, so one that holds the release
// holds all of it.
func (r *run) fill(_ context.Context) (Phase, func(*journal), error) {
	staged := *r.journal.Staged
	if _, err := r.loadSlot(staged); err != nil {
		if r.bundle == nil {
			return r.giveUp()
		}
		rel, err := r.slotContent()
		if err != nil {
			return "", nil, err
		}
		if err := r.keepAside(staged.Slot); err != nil {
			return "", nil, err
		}
		if err := r.slots.Fill(staged.Slot, rel); err != nil {
			return "", nil, err
		}
	}
	slotTaken := func(j *journal) {
		if j.Previous != nil {
			j.Previous, j.Outgoing = nil, j.Previous
		}
	}
	if r.journal.Attempt.Verb != verbStage {
		return Written, slotTaken, nil
	}
	a := r.ended(ResultStaged, "")
	r.outcome = nil // the transaction goes on when the release is switched to
	if err := appendHistory(r.deps.Disk, r.historyPath(), a); err != nil {
		return "", nil, err
	}
	return Written, func(j *journal) {
		slotTaken(j)
		j.LastAttempted = &a
	}, nil
}

func (r *run) slotContent() (*slot.Release, error) {
	d := r.bundle.Descriptor()
	objects, err := r.spooled(d.Manifests.Digest)
	if err != nil {
		return nil, err
	}
	images, err := savedManifests(d.Images, r.spooled)
	if err != nil {
		return nil, err
	}
	report, err := json.Marshal(r.bundle.Report())
	if err != nil {
		return nil, err
	}
	return &slot.Release{Manifest: r.bundle.ManifestBytes(), Descriptor: r.bundle.DescriptorBytes(),
		Objects: objects, Images: images, Report: report}, nil
}

// spooled reads a small blob that load has kept.
func (r *run) spooled(d digest.Digest) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(r.tempPath(), d.Encoded()))
	if err != nil {
		return nil, stateError(err)
	}
	return b, nil
}

// keepers are the blobs of a bundle that are wanted again after it has been read: manifests and rendered objects.
func keepers(d *bundle.Descriptor) map[digest.Digest]bool {
	m := map[digest.Digest]bool{d.Manifests.Digest: true}
	for _, img := range d.Images {
		m[img.Digest] = true
		for _, im := range img.Manifests {
			m[im.Digest] = true
		}
		for _, a := range img.Attached {
			m[a.Digest] = true
		}
	}
	return m
}

// loader takes a bundle apart, blob by blob, in its order.
type loader struct {
	*run
	plan     *plan
	dir      string
	keep     map[digest.Digest]bool
	payload  map[digest.Digest]*blobPlan // by what travels
	restorer restorer

	total, done, told int64 // bytes of blobs that arrive
}

func (l *loader) all(ctx context.Context) error {
	l.payload = map[digest.Digest]*blobPlan{}
	for _, b := range l.plan.blobs {
		if b.Payload != nil {
			l.payload[b.Payload.Digest] = b
		}
		if len(b.missing) == 0 {
			l.bytes.Reused += b.Size
		}
	}
	l.total = l.plan.pushing
	for {
		entry, err := l.bundle.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := l.entry(ctx, entry); err != nil {
			return err
		}
	}
	if err := l.mountRest(ctx); err != nil {
		return err
	}
	return l.images(ctx)
}

// entry does with one blob of the bundle what the plan says. What it leaves unread, the bundle reads and verifies.
func (l *loader) entry(ctx context.Context, e *bundle.Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b := l.payload[e.Desc.Digest]
	wanted := b != nil && b.arrives()
	if l.keep[e.Desc.Digest] {
		if err := l.spool(ctx, e); err != nil {
			return err
		}
		if wanted {
			return l.pushSpooled(ctx, b)
		}
		return nil
	}
	if !wanted {
		return nil
	}
	if b.Form == bundle.FormFull {
		return l.stream(ctx, b, e)
	}
	return l.restore(ctx, b, e)
}

// spool keeps a small blob in the state folder.
func (l *loader) spool(ctx context.Context, e *bundle.Entry) error {
	f, err := os.OpenFile(filepath.Join(l.dir, e.Desc.Digest.Encoded()), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return stateError(err)
	}
	_, err = io.Copy(f, &cancelReader{ctx, e})
	return errors.Join(err, f.Close())
}

func (l *loader) pushSpooled(ctx context.Context, b *blobPlan) error {
	open := func() (io.ReadCloser, error) { return os.Open(filepath.Join(l.dir, b.Digest.Encoded())) }
	pushed, err := l.mirror.PushBlob(ctx, b.missing[0], descOf(b.Blob), open)
	if err != nil {
		return err
	}
	l.progress(b.Size)
	return l.arrived(ctx, b, pushed)
}

func (l *loader) stream(ctx context.Context, b *blobPlan, r io.Reader) error {
	pushed, err := l.mirror.StreamBlob(ctx, b.missing[0], descOf(b.Blob), &progressReader{r, l.progress})
	if err != nil {
		return err
	}
	return l.arrived(ctx, b, pushed)
}

// restore makes the original blob out of the patch and the old blobs, on its way to the mirror.
func (l *loader) restore(ctx context.Context, b *blobPlan, patch io.Reader) error {
	original, err := l.restorer.open(ctx, b.Blob, patch)
	if err != nil {
		return err
	}
	err = l.stream(ctx, b, original)
	return errors.Join(err, original.Close())
}

// arrived brings a blob from the first repository into the others that want it.
func (l *loader) arrived(ctx context.Context, b *blobPlan, pushed bool) error {
	if pushed {
		l.bytes.Pushed += b.Size
	} else {
		l.bytes.Reused += b.Size
	}
	b.from, b.missing = b.missing[0], b.missing[1:]
	return l.mount(ctx, b)
}

// mountRest brings the blobs that the mirror has elsewhere to where the release wants them.
func (l *loader) mountRest(ctx context.Context) error {
	for _, blob := range l.plan.descriptor.Blobs {
		b := l.plan.blobs[blob.Digest]
		if len(b.missing) == 0 {
			continue
		}
		if err := l.mount(ctx, b); err != nil {
			return err
		}
		l.bytes.Reused += b.Size
	}
	return nil
}

// mount makes a blob known in the repositories that lack it; a registry that cannot do so is sent the bytes that it
// has itself.
func (l *loader) mount(ctx context.Context, b *blobPlan) error {
	for len(b.missing) > 0 {
		to := b.missing[0]
		ok, err := l.mirror.Mount(ctx, b.from, to, b.Digest)
		if err != nil {
			return err
		}
		if !ok {
			open := func() (io.ReadCloser, error) { return l.mirror.OpenBlob(ctx, b.from, b.Digest) }
			if _, err := l.mirror.PushBlob(ctx, to, descOf(b.Blob), open); err != nil {
				return err
			}
		}
		b.missing = b.missing[1:]
	}
	return nil
}

// images pushes the manifests, now that everything they name is there. No tag that something runs by moves yet.
func (l *loader) images(ctx context.Context) error {
	for _, img := range l.plan.descriptor.Images {
		if _, err := l.mirror.PushImage(ctx, img, l.spooled); err != nil {
			return err
		}
	}
	return nil
}

// progress tells of n more bytes, in steps of a percent at most.
func (l *loader) progress(n int64) {
	l.done += n
	if l.total > 0 && (l.done >= l.told+l.total/100 || l.done == l.total) {
		l.told = l.done
		l.tell(Event{Label: "loading", Done: l.done, Total: l.total})
	}
}

func descOf(b bundle.Blob) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: b.MediaType, Digest: b.Digest, Size: b.Size}
}
