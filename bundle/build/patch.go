package build

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/delta"
)

// patch is a file that makes a layer out of olds.
type patch struct {
	path   string
	digest digest.Digest
	size   int64
	olds   []*old
	files  []bundle.FileCost // the dearest first
}

// diff makes the patch. No site has to expand olds that turned out to be of no use.
func (b *builder) diff(ctx context.Context, x *blob, file *os.File, olds []*old, workers int, advanced func(int64)) (p *patch, err error) {
	out, err := os.CreateTemp(b.patches(), "patch-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err = errors.Join(err, out.Close()); err != nil {
			err = errors.Join(err, os.Remove(out.Name()))
		}
	}()
	sum := digest.SHA256.Digester()
	w := bufio.NewWriterSize(io.MultiWriter(out, sum.Hash()), 256<<10)
	res, err := delta.Diff(ctx, w, file, x.desc.Size, deltaOlds(olds),
		delta.Options{Effort: b.effort, Workers: workers, TempDir: b.work, Advanced: advanced})
	if err != nil {
		return nil, err
	}
	if err := w.Flush(); err != nil {
		return nil, err
	}
	if got := digest.NewDigestFromBytes(digest.SHA256, res.Blob); got != x.desc.Digest {
		return nil, fmt.Errorf("its bytes changed while the bundle was built: their digest is %s now, not %s", short(got), short(x.desc.Digest))
	}
	if res.Failed != nil {
		b.say("note", "the patch of %v is larger than it has to be, which is a fault of this program: %v", x, res.Failed)
	}
	used := make([]*old, len(res.Used))
	for i, u := range res.Used {
		used[i] = olds[u]
	}
	return &patch{path: out.Name(), digest: sum.Digest(), size: res.Size, olds: used, files: fileCosts(res.Members)}, nil
}

func deltaOlds(olds []*old) []delta.Old {
	list := make([]delta.Old, len(olds))
	for i, o := range olds {
		list[i] = o.plain
	}
	return list
}

// usePatch lets the layer travel by a patch, which delta.Diff has proven: it applied the patch as a site does and
// compared what came out before it gave a byte of it away.
func (b *builder) usePatch(x *blob, p *patch) error {
	var bases []bundle.BaseBlob
	for _, o := range p.olds {
		bases = append(bases, bundle.BaseBlob{Digest: o.digest, Size: o.size, PlainSize: o.plain.Size})
	}
	if x.part == nil { // of a part the note says that another one had to do
		x.out.Note = ""
	}
	return b.travel(x, p, bases)
}

// travel lets the layer travel by a patch against the bases' blobs.
func (b *builder) travel(x *blob, p *patch, bases []bundle.BaseBlob) error {
	path := filepath.Join(b.patches(), p.digest.Encoded())
	if err := os.Rename(p.path, path); err != nil {
		return err
	}
	x.out.Form, x.out.Bases = bundle.FormRecompressed, bases
	if len(bases) > 0 {
		x.out.Form = bundle.FormDelta
	}
	needs, err := readNeeds(path)
	if err != nil {
		return fmt.Errorf("the patch was made and does not tell what it needs: %w", err)
	}
	x.out.Payload = &bundle.Payload{Digest: p.digest, Size: p.size, Scratch: needs.Scratch}
	x.files, x.out.Files = p.files, dearest(p.files, p.size)
	b.add(ocispec.Descriptor{Digest: p.digest, Size: p.size}, func() (io.ReadCloser, error) { return os.Open(path) })
	return nil
}
