package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	storagedriver "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/google/uuid"
	"github.com/opencontainers/go-digest"
)

// The folder's layout is distribution's.
const (
	rootDir         = "docker/registry/v2"
	repositoriesDir = rootDir + "/repositories"
	blobsDir        = rootDir + "/blobs"
	uploadsDir      = "_uploads"
	tempSuffix      = ".tmp"
	linkFile        = "link" // holds a digest
)

// driver keeps distribution's files in a folder. A file gets its name only when its content is on the disk, except
// below _uploads: what is there does not outlive the process.
type driver struct{ root string }

var _ storagedriver.StorageDriver = (*driver)(nil)

func newDriver(root string) *driver { return &driver{root: root} }

// probe writes and deletes a file: better to fail now than in the middle of a load.
func (d *driver) probe() error {
	f, err := os.CreateTemp(d.root, "probe-*.tmp")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// blobFile is where a blob's bytes are.
func (d *driver) blobFile(dgst digest.Digest) string {
	hex := dgst.Encoded()
	return filepath.Join(d.root, blobsDir, string(dgst.Algorithm()), hex[:2], hex, "data")
}

// full turns distribution's path into one of the file system. Its paths are made of checked names and digests; that
// is not left to trust.
func (d *driver) full(p string) (string, error) {
	if p != "/" && !storagedriver.PathRegexp.MatchString(p) || path.Clean(p) != p {
		return "", storagedriver.InvalidPathError{Path: p, DriverName: d.Name()}
	}
	return filepath.Join(d.root, filepath.FromSlash(p)), nil
}

// Name identifies the driver in errors.
func (*driver) Name() string { return "sallyport" }

// notFound turns a missing file into distribution's error for it. A path below a file is missing too.
func notFound(err error, p string) error {
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return storagedriver.PathNotFoundError{Path: p, DriverName: "sallyport"}
	}
	return err
}

// GetContent reads a small file whole: a link, the state of an upload, or a manifest.
func (d *driver) GetContent(ctx context.Context, p string) ([]byte, error) {
	r, err := d.Reader(ctx, p, 0)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err == nil && len(b) > maxManifest {
		err = fmt.Errorf("%s is larger than %d bytes", p, maxManifest)
	}
	if err == nil && path.Base(p) == linkFile && digest.Digest(b).Validate() != nil {
		// Damaged, it counts as missing: then a push brings it anew.
		return nil, storagedriver.PathNotFoundError{Path: p, DriverName: d.Name()}
	}
	return b, err
}

// PutContent replaces a small file atomically.
func (d *driver) PutContent(ctx context.Context, p string, content []byte) error {
	full, err := d.full(p)
	if err != nil {
		return err
	}
	w, err := d.Writer(ctx, p+"."+uuid.NewString()+tempSuffix, false)
	if err != nil {
		return err
	}
	temp := w.(*fileWriter).file.Name()
	if _, err = w.Write(content); err == nil {
		err = w.Commit(ctx)
	}
	if err = errors.Join(err, w.Close()); err == nil {
		err = os.Rename(temp, full)
	}
	if err != nil {
		_ = os.Remove(temp)
	}
	return err
}

// Reader opens a file at an offset in bytes.
func (d *driver) Reader(_ context.Context, p string, offset int64) (io.ReadCloser, error) {
	full, err := d.full(p)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(full)
	if err != nil {
		return nil, notFound(err, p)
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		_ = f.Close()
		return nil, storagedriver.InvalidOffsetError{Path: p, Offset: offset, DriverName: d.Name()}
	}
	return f, nil
}

// Writer opens a file to write, from its end if it is to be appended to.
func (d *driver) Writer(_ context.Context, p string, appendTo bool) (storagedriver.FileWriter, error) {
	full, err := d.full(p)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		return nil, err
	}
	flags := os.O_WRONLY | os.O_CREATE
	if !appendTo {
		flags |= os.O_TRUNC
	}
	f, err := os.OpenFile(full, flags, 0o644)
	if err != nil {
		return nil, err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	upload := strings.Contains(p, "/"+uploadsDir+"/")
	// The bytes of a blob are flushed, although they are written below _uploads: next they are moved.
	return &fileWriter{file: f, size: size, flush: !upload || path.Base(p) == "data"}, nil
}

// Stat describes a file or folder.
func (d *driver) Stat(_ context.Context, p string) (storagedriver.FileInfo, error) {
	full, err := d.full(p)
	if err != nil {
		return nil, err
	}
	fi, err := os.Stat(full)
	if err != nil {
		return nil, notFound(err, p)
	}
	fields := storagedriver.FileInfoFields{Path: p, ModTime: fi.ModTime(), IsDir: fi.IsDir()}
	if !fi.IsDir() {
		fields.Size = fi.Size()
	}
	return storagedriver.FileInfoInternal{FileInfoFields: fields}, nil
}

// List names what is in a folder. Files that a crash left half made are nobody's.
func (d *driver) List(_ context.Context, p string) ([]string, error) {
	full, err := d.full(p)
	if err != nil {
		return nil, err
	}
	dir, err := os.Open(full)
	if err != nil {
		return nil, notFound(err, p)
	}
	defer dir.Close()
	entries, err := dir.ReadDir(0)
	if err != nil {
		return nil, notFound(err, p)
	}
	paths := make([]string, 0, len(entries))
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), tempSuffix) {
			paths = append(paths, path.Join(p, e.Name()))
		}
	}
	return paths, nil
}

// Move renames a file.
func (d *driver) Move(_ context.Context, from, to string) error {
	src, err := d.full(from)
	if err != nil {
		return err
	}
	dst, err := d.full(to)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
		return err
	}
	return notFound(os.Rename(src, dst), from)
}

// Delete removes a file, or a folder with everything in it.
func (d *driver) Delete(_ context.Context, p string) error {
	full, err := d.full(p)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(full); err != nil {
		return notFound(err, p)
	}
	return os.RemoveAll(full)
}

// RedirectURL returns none: we serve files ourselves.
func (*driver) RedirectURL(*http.Request, string) (string, error) { return "", nil }

// Walk visits everything below a folder. A folder that is missing is empty: distribution's garbage collection would
// otherwise stop at a repository that has an index but no layers.
func (d *driver) Walk(ctx context.Context, p string, f storagedriver.WalkFn, options ...func(*storagedriver.WalkOptions)) error {
	if _, err := d.Stat(ctx, p); errors.As(err, new(storagedriver.PathNotFoundError)) {
		return nil
	}
	return storagedriver.WalkFallback(ctx, d, p, f, options...)
}
