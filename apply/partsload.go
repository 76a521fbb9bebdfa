package apply

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/apply/slot/part"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/delta"
)

// partLoader writes the parts of a release to their places while its bundle is read. What it reads and writes is large, and goes
// through memory a piece at a time; one part is written at once.
type partLoader struct {
	*run
	plan *partsPlan
	dir  string // for what a patch needs beside

	spoiled     bool // the slot was given up: it may be written to
	told        int64
	done, total int64 // bytes of parts to write and to read back
	written     part.Written
}

// newPartLoader returns nil if the run is to write no parts.
func (r *run) newPartLoader(dir string) *partLoader {
	p, staged := r.parts, r.journal.Staged
	if p == nil || r.plan.descriptor != p.descriptor || r.journal.Phase != Verified || staged.Boot != p.boot {
		return nil
	}
	l := &partLoader{run: r, plan: p, dir: dir}
	for _, o := range p.descriptor.OS.Parts {
		l.total += 2 * o.Size
	}
	return l
}

// wants tells whether a blob is a part that is to be written.
func (l *partLoader) wants(b bundle.Blob) bool { return l != nil && len(l.plan.names[b.Digest]) > 0 }

// load writes a part that travels in the bundle, by what travels of it.
func (l *partLoader) load(ctx context.Context, b bundle.Blob, payload io.Reader) error {
	payload = &cancelReader{ctx, payload}
	if b.Form == bundle.FormFull {
		return l.write(ctx, b, payload)
	}
	olds, done, err := l.olds(b)
	if err != nil {
		return errors.Join(err, done())
	}
	image := restoreBlob(ctx, b, payload, olds, l.dir)
	return errors.Join(l.write(ctx, b, image), image.Close(), done())
}

// olds opens what a patch addresses. Nothing of it is copied: it is read where it is.
func (l *partLoader) olds(b bundle.Blob) (olds []delta.Old, done func() error, err error) {
	var open []*part.Base
	done = func() (err error) {
		for _, o := range open {
			err = errors.Join(err, o.Close())
		}
		return err
	}
	for _, base := range b.Bases {
		o, err := l.source(base.Digest, base.Size)
		if err != nil {
			return nil, done, err
		}
		open = append(open, o)
		var sum [sha256.Size]byte
		if _, err := hex.Decode(sum[:], []byte(base.Digest.Encoded())); err != nil {
			return nil, done, err
		}
		olds = append(olds, delta.Known(o, base.Size, sum))
	}
	return olds, done, nil
}

// source opens bytes that were found at this site.
func (l *partLoader) source(d digest.Digest, size int64) (*part.Base, error) {
	from := l.plan.from[d]
	if from == l.copyPath(d) {
		return part.OpenBase(host.Host{}, from, size)
	}
	return part.OpenBase(l.deps.Host, from, size)
}

// rest writes the parts that do not travel: the slot that runs has them.
func (l *partLoader) rest(ctx context.Context) error {
	if l == nil {
		return nil
	}
	for _, b := range l.plan.descriptor.Blobs {
		if !l.wants(b) || b.Form != bundle.FormReuse {
			continue
		}
		from, err := l.source(b.Digest, b.Size)
		if err != nil {
			return err
		}
		if err := errors.Join(l.write(ctx, b, &cancelReader{ctx, from}), from.Close()); err != nil {
			return err
		}
	}
	l.bytes.Written, l.bytes.Zeroed, l.bytes.Skipped = l.written.Bytes, l.written.Zeroed, l.written.Skipped
	l.say("written", "boot slot %s: %s, %s of it written (the rest was the same), read back and right",
		l.plan.boot, size(l.total/2), size(l.written.Bytes+l.written.Zeroed))
	return nil
}

// write brings an image to all places that want it, and reads it back there.
func (l *partLoader) write(ctx context.Context, b bundle.Blob, image io.Reader) (err error) {
	if err := l.giveUpSlot(ctx); err != nil {
		return err
	}
	var outs []io.Writer
	var places []*part.Writer
	for _, name := range l.plan.names[b.Digest] {
		w, err := l.plan.target.Open(ctx, l.deps.Disk, name, b.Size, b.Digest)
		if err != nil {
			return err
		}
		w.Advanced = l.progress
		defer func() { err = errors.Join(err, w.Close()) }()
		places, outs = append(places, w), append(outs, w)
	}
	var kept *partCopy
	if l.plan.copying[b.Digest] {
		if kept, err = l.newCopy(b.Digest); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, kept.close()) }()
		outs = append(outs, kept)
	}
	advanced := func(n int64) { l.progress(n * int64(len(places))) }
	n, err := io.CopyBuffer(io.MultiWriter(outs...), struct{ io.Reader }{&progressReader{image, advanced}}, make([]byte, 256<<10))
	if err != nil {
		return err
	}
	if n != b.Size {
		return fmt.Errorf("part %s came with %d bytes, not %d", l.plan.names[b.Digest][0], n, b.Size)
	}
	return l.finish(ctx, places, kept)
}

// finish makes everything durable that an image was written to.
func (l *partLoader) finish(ctx context.Context, places []*part.Writer, kept *partCopy) error {
	for _, w := range places {
		done, err := w.Finish(ctx)
		if err != nil {
			return err
		}
		l.written.Bytes += done.Bytes
		l.written.Skipped += done.Skipped
		l.written.Zeroed += done.Zeroed
	}
	if kept == nil {
		return nil
	}
	return kept.commit()
}

// giveUpSlot makes sure, once, that nobody boots what is about to be written.
func (l *partLoader) giveUpSlot(ctx context.Context) error {
	if l.spoiled {
		return nil
	}
	if err := l.spoil(ctx); err != nil {
		return err
	}
	l.spoiled, l.sums = true, nil
	return nil
}

// progress tells of n more bytes, in steps of a percent at most.
func (l *partLoader) progress(n int64) {
	l.done += n
	if l.done >= l.told+l.total/100 || l.done == l.total {
		l.told = l.done
		l.tell(Event{Label: "writing", Text: "written and read back", Done: min(l.done, l.total), Total: l.total})
	}
}
