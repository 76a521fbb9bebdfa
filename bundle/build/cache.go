package build

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/delta"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// patchCache keeps what was decided on layers in a folder, from build to build: a file for each layer, what it could be made
// from, and the engine. A file is the SHA-256 of all that follows in hexadecimal, a line with an entry as JSON, and the
// patch. A patch was proven before it was kept, so its digest proves it again. Whatever is wrong with the folder costs time,
// never a build.
type patchCache struct {
	dir    string
	engine string
	hits   atomic.Int64
	failed atomic.Bool // it cannot be used, which was said
}

// cacheRules changes with the rules by which a build chooses olds and forms.
const cacheRules = 1

// maxEntry bounds the JSON of a file.
const maxEntry = 1 << 20

// entry is what is known of a layer.
type entry struct {
	Key   string            `json:"key"`
	Patch *bundle.Payload   `json:"patch,omitempty"` // nil: the layer travels as it is
	Bases []bundle.BaseBlob `json:"bases,omitempty"`
	Note  string            `json:"note,omitempty"`
	Files []bundle.FileCost `json:"files,omitempty"`
}

// newPatchCache uses a folder for one engine; no folder is no cache.
func newPatchCache(dir, effort, program string) *patchCache {
	if dir == "" {
		return nil
	}
	if effort == "" {
		effort = "default"
	}
	return &patchCache{dir: dir, engine: fmt.Sprintf("rules %d, engine %s, program %s, effort %s", cacheRules, delta.Version, program, effort)}
}

// key names all that decides how a layer travels.
func (c *patchCache) key(x *blob) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", c.engine, x.desc.Digest)
	for _, d := range x.olds {
		fmt.Fprintln(h, d)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (c *patchCache) path(key string) string { return filepath.Join(c.dir, key+".patch") }

// recall lets a layer travel as an earlier build decided, if one did.
func (b *builder) recall(x *blob) error {
	if b.cache == nil || x.desc.Size < tiny {
		return nil
	}
	key := b.cache.key(x)
	path := b.cache.path(key)
	e, p, err := readEntry(path, key, b.patches())
	if err == nil && p != nil {
		if _, needs := readNeeds(p.path); needs != nil {
			err = errDamaged // whole, and of another format
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, errDamaged):
		b.say("note", "%s is damaged: the layer is worked on again", path)
		return nil
	case err != nil:
		b.cache.fail(b, err)
		return nil
	}
	b.cache.hits.Add(1)
	x.decided, x.out.Note = true, e.Note
	// Whoever clears out the folder goes by the time of the last use; a time that cannot be set is no loss.
	now := time.Now()
	_ = os.Chtimes(path, now, now)
	if p == nil {
		return nil
	}
	p.files = e.Files
	return b.travel(x, p, e.Bases)
}

// errDamaged says that a file of the cache is not what was written.
var errDamaged = errors.New("damaged")

// readEntry reads a file and copies its patch to a file of dir.
func readEntry(path, key, dir string) (*entry, *patch, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	sum := sha256.New()
	in := bufio.NewReader(f)
	want := make([]byte, 2*sha256.Size)
	if _, err := io.ReadFull(in, want); err != nil {
		return nil, nil, errDamaged
	}
	rest := bufio.NewReader(io.TeeReader(in, sum))
	line, err := readLine(rest)
	if err != nil {
		return nil, nil, errDamaged
	}
	var e entry
	if json.Unmarshal(line, &e) != nil || e.Key != key {
		return nil, nil, errDamaged
	}
	p, err := savePatch(rest, dir)
	if err != nil {
		return nil, nil, err
	}
	whole := hex.EncodeToString(sum.Sum(nil)) == string(want)
	if whole && e.Patch == nil && p.size == 0 {
		return &e, nil, os.Remove(p.path)
	}
	if !whole || e.Patch == nil || p.digest != e.Patch.Digest || p.size != e.Patch.Size {
		return nil, nil, errors.Join(errDamaged, os.Remove(p.path))
	}
	return &e, p, nil
}

// readLine reads the line of an entry.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull) || len(line) > maxEntry:
			return nil, err
		}
	}
}

// savePatch copies a patch to a new file of dir.
func savePatch(r io.Reader, dir string) (*patch, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	out, err := os.CreateTemp(dir, "patch-")
	if err != nil {
		return nil, err
	}
	sum := digest.SHA256.Digester()
	n, err := io.Copy(io.MultiWriter(out, sum.Hash()), r)
	if err = errors.Join(err, out.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(out.Name()))
	}
	return &patch{path: out.Name(), digest: sum.Digest(), size: n}, nil
}

// remember keeps what was decided on a layer.
func (b *builder) remember(x *blob) {
	c := b.cache
	if c == nil || x.partial || x.desc.Size < tiny {
		return
	}
	e := entry{Key: c.key(x), Patch: x.out.Payload, Bases: x.out.Bases, Note: x.out.Note, Files: x.files}
	if err := c.write(e, b.patches()); err != nil {
		c.fail(b, err)
	}
}

// fail says once that the folder cannot be used.
func (c *patchCache) fail(b *builder, err error) {
	if !c.failed.Swap(true) {
		b.say("note", "the cache cannot be used: %v", err)
	}
}

func (c *patchCache) write(e entry, patches string) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	sum := sha256.New()
	sum.Write(line)
	parts := []io.Reader{nil, bytes.NewReader(line)}
	if e.Patch != nil {
		f, err := os.Open(filepath.Join(patches, e.Patch.Digest.Encoded()))
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := io.Copy(sum, f); err != nil {
			return err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		parts = append(parts, f)
	}
	parts[0] = bytes.NewReader(hex.AppendEncode(nil, sum.Sum(nil)))
	if err := durable.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	_, err = durable.WriteFrom(c.path(e.Key), io.MultiReader(parts...), 0o600)
	return err
}

// tellCache says what the cache was good for and how large it has become.
func (b *builder) tellCache(layers int) {
	c := b.cache
	if c == nil {
		return
	}
	files, err := filepath.Glob(filepath.Join(c.dir, "*.patch"))
	if err != nil {
		return // a pattern in the folder's own name
	}
	var size int64
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			size += info.Size()
		}
	}
	b.say("cache", "%d of %s read from %s, which holds %s in %s", c.hits.Load(), count(layers, "layer"), c.dir,
		humanize.Bytes(uint64(size)), count(len(files), "file"))
}
