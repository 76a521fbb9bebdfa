package kube

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	recordKind    = "Record"
	maxRecord     = 64 << 20  // bytes of a file, compressed
	maxRecordRead = 512 << 20 // bytes of a file, expanded
	maxRecorded   = 8 << 20   // bytes of one object
)

// Record is what objects were before a release changed them. Restore makes them so again.
type Record struct {
	objects map[ID][]byte // deflated: there may be thousands, and few are needed at a time
	// Left are objects for which there was no room.
	Left []ID
}

// recordLine is one line of a record: the first has the kind, each other one an object, or the name of one that was left
// out.
type recordLine struct {
	APIVersion string         `json:"apiVersion,omitempty"`
	Kind       string         `json:"kind,omitempty"`
	Object     map[string]any `json:"object,omitempty"`
	Left       *ID            `json:"left,omitempty"`
}

// Record writes down what is there of a release's objects and of what this site may have on the target, before the first
// write. It has the values of Secrets: whoever keeps it keeps it from others. It is bounded in size; what no longer fits
// is named in it.
func (c *Cluster) Record(ctx context.Context, want Objects, prev Inventory, w io.Writer) error {
	inventory, err := c.Inventory(ctx, want)
	if err != nil {
		return err
	}
	r, err := newRecorder(w)
	if err != nil {
		return err
	}
	ids := inventory.Union(prev).IDs()
	objs := make([]*unstructured.Unstructured, len(ids))
	for i, id := range ids {
		objs[i] = id.object()
	}
	if err := c.learnKinds(ctx, objs); err != nil {
		return err
	}
	unlisted, err := c.eachLive(ctx, want.Release, objs, func(_ context.Context, _ int, live *unstructured.Unstructured) error {
		return r.add(live)
	})
	if err != nil {
		return err
	}
	if err := c.recordEach(ctx, r, ids, unlisted); err != nil {
		return err
	}
	return r.close()
}

// recordEach looks for objects one by one. What is said to be in a namespace that is not there needs no look.
func (c *Cluster) recordEach(ctx context.Context, r *recorder, ids []ID, which []int) error {
	var found []ID // in the version that the server has; the mapper learns in one goroutine only
	missing := map[string]bool{}
	for _, i := range which {
		id := ids[i]
		if _, asked := missing[id.Namespace]; !asked && id.Namespace != "" {
			u, err := c.get(ctx, ID{Version: "v1", Kind: "Namespace", Name: id.Namespace})
			missing[id.Namespace] = u == nil && err == nil // who may not read namespaces looks at each object
		}
		if missing[id.Namespace] {
			continue
		}
		version, ok, err := c.learnAny(ctx, id.gvk())
		switch {
		case err != nil:
			if err := c.unreadable(ctx, r, id, err); err != nil {
				return err
			}
		case ok:
			id.Version = version
			found = append(found, id)
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(c.config.Workers)
	for _, id := range found {
		g.Go(func() error {
			live, err := c.get(ctx, id)
			if err != nil {
				return c.unreadable(ctx, r, id, err)
			}
			if live == nil {
				return nil
			}
			return r.add(live)
		})
	}
	return g.Wait()
}

// unreadable names an object in the record that cannot be read. The error is the target's.
func (c *Cluster) unreadable(ctx context.Context, r *recorder, id ID, err error) error {
	if isTargetError(ctx, err) {
		return c.failed("look at "+id.String(), err)
	}
	return r.leave(id)
}

// recorder writes a record.
type recorder struct {
	mu   sync.Mutex
	size counter
	gzip *gzip.Writer
}

// counter counts what is written through it.
type counter struct {
	io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n += int64(n)
	return n, err
}

func newRecorder(w io.Writer) (*recorder, error) {
	r := &recorder{size: counter{Writer: w}}
	r.gzip = gzip.NewWriter(&r.size)
	return r, r.line(recordLine{APIVersion: apiVersion, Kind: recordKind})
}

func (r *recorder) line(l recordLine) error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	_, err = r.gzip.Write(append(b, '\n'))
	return err
}

func (r *recorder) add(u *unstructured.Unstructured) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	u = u.DeepCopy()
	unstructured.RemoveNestedField(u.Object, "status")
	b, err := json.Marshal(recordLine{Object: u.Object})
	if err != nil {
		return err
	}
	id := idOf(u)
	if len(b) > maxRecorded || r.size.n+int64(len(b)) > maxRecord { // as if it could not be compressed
		return r.line(recordLine{Left: &id})
	}
	_, err = r.gzip.Write(append(b, '\n'))
	return err
}

func (r *recorder) leave(id ID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.line(recordLine{Left: &id})
}

func (r *recorder) close() error { return r.gzip.Close() }

// ReadRecord reads what Record has written.
func ReadRecord(r io.Reader) (*Record, error) {
	z, err := gzip.NewReader(io.LimitReader(r, maxRecord+1<<20))
	if err != nil {
		return nil, fmt.Errorf("not a record: %w", err)
	}
	lines := bufio.NewScanner(io.LimitReader(z, maxRecordRead))
	lines.Buffer(make([]byte, 64<<10), maxRecorded+64<<10)
	out := &Record{objects: map[ID][]byte{}}
	first := true
	for ; lines.Scan(); first = false {
		var l recordLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("not a record: %w", err)
		}
		if first != (l.APIVersion == apiVersion && l.Kind == recordKind) {
			return nil, fmt.Errorf("not a record: it says %q %q", l.APIVersion, l.Kind)
		}
		if err := out.take(l); err != nil {
			return nil, err
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the record: %w", err)
	}
	if first {
		return nil, errors.New("not a record: it is empty")
	}
	return out, nil
}

func (r *Record) take(l recordLine) error {
	switch {
	case l.Left != nil:
		r.Left = append(r.Left, *l.Left)
	case l.Object != nil:
		id := idOf(&unstructured.Unstructured{Object: l.Object})
		if id.Kind == "" || id.Name == "" {
			return errors.New("not a record: an object has no kind or no name")
		}
		b, err := deflate(l.Object)
		if err != nil {
			return err
		}
		r.objects[id.key()] = b
	}
	return nil
}

func deflate(m map[string]any) ([]byte, error) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	err = errors.Join(json.NewEncoder(w).Encode(m), w.Close())
	return b.Bytes(), err
}

// object returns what an object was, nil if it was not there or is not known. Numbers are what they are in objects that
// the server sends.
func (r *Record) object(id ID) *unstructured.Unstructured {
	if r == nil {
		return nil
	}
	b, ok := r.objects[id.key()]
	if !ok {
		return nil
	}
	plain, err := io.ReadAll(flate.NewReader(bytes.NewReader(b)))
	if err != nil {
		return nil
	}
	u := &unstructured.Unstructured{}
	if u.UnmarshalJSON(plain) != nil {
		return nil
	}
	return u
}
