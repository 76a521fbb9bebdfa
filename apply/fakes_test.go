package apply

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/apply/check"
	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/durable/durabletest"
)

func asReason(err error, r *interface{ Reason() string }) bool { return errors.As(err, r) }

// world is what lies outside the state folder, in memory. Each single change of it is a step that can fail.
type world struct {
	faults *durabletest.Faults

	mu        *sync.Mutex       // guards the mirror's maps: blobs come from several goroutines
	blobs     map[string][]byte // repo@digest
	manifests map[string][]byte // repo@digest
	tags      map[string]digest.Digest
	objects   map[kube.ID]string // what the cluster has, with the version that put it there

	pushes  int                       // blobs that were sent
	failing func(version string) bool // which release's checks fail
	down    bool                      // the cluster does not answer
	refuses string                    // the name of an object that the cluster refuses
	unready error                     // why the cluster cannot be written
	stuck   map[string]string         // why an object, by its name, cannot be put back
	held    map[string]string         // why an object, by its name, cannot be deleted
	foreign map[string]string         // why an object, by its name, is left to others
	jammed  error                     // why nothing can be put back

	machine *machine // nil: the site has no boot loader
}

func newWorld() *world {
	return &world{faults: neverFails(), mu: new(sync.Mutex), blobs: map[string][]byte{}, manifests: map[string][]byte{},
		tags: map[string]digest.Digest{}, objects: map[kube.ID]string{}, failing: func(string) bool { return false }}
}

// neverFails flushes nothing and fails nowhere.
func neverFails() *durabletest.Faults { return &durabletest.Faults{At: 1 << 30} }

func (w *world) clone() *world {
	c := *w
	c.mu = new(sync.Mutex)
	c.machine = w.machine.clone()
	c.blobs, c.manifests = maps.Clone(w.blobs), maps.Clone(w.manifests)
	c.tags, c.objects = maps.Clone(w.tags), maps.Clone(w.objects)
	return &c
}

func key(repo string, d digest.Digest) string { return repo + "@" + d.String() }

func (w *world) Ping(context.Context) error { return nil }

func (w *world) blob(repo string, d digest.Digest) ([]byte, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	b, ok := w.blobs[key(repo, d)]
	return b, ok
}

func (w *world) StatBlob(ctx context.Context, repo string, d digest.Digest) (int64, bool, error) {
	b, ok := w.blob(repo, d)
	return int64(len(b)), ok, ctx.Err()
}

func (w *world) OpenBlob(_ context.Context, repo string, d digest.Digest) (io.ReadCloser, error) {
	b, ok := w.blob(repo, d)
	if !ok {
		return nil, mirror.ErrNotFound
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func (w *world) PushBlob(ctx context.Context, repo string, desc ocispec.Descriptor, open mirror.Open) (bool, error) {
	r, err := open()
	if err != nil {
		return false, err
	}
	defer r.Close()
	return w.StreamBlob(ctx, repo, desc, r)
}

func (w *world) StreamBlob(ctx context.Context, repo string, desc ocispec.Descriptor, r io.Reader) (bool, error) {
	if _, ok := w.blob(repo, desc.Digest); ok {
		return false, nil
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return false, err
	}
	if digest.FromBytes(b) != desc.Digest || int64(len(b)) != desc.Size {
		return false, fmt.Errorf("blob %s came as %s", desc.Digest, digest.FromBytes(b))
	}
	return true, errors.Join(ctx.Err(), w.faults.Step("push", repo, func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.pushes++
		w.blobs[key(repo, desc.Digest)] = b
		return nil
	}))
}

func (w *world) Mount(_ context.Context, from, to string, d digest.Digest) (bool, error) {
	b, ok := w.blob(from, d)
	if !ok {
		return false, nil
	}
	return true, w.faults.Step("mount", to, func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.blobs[key(to, d)] = b
		return nil
	})
}

func (w *world) Manifest(_ context.Context, repo, ref string) ([]byte, string, error) {
	b, ok := w.manifests[repo+"@"+ref]
	if !ok {
		return nil, "", mirror.ErrNotFound
	}
	return b, ocispec.MediaTypeImageManifest, nil
}

func (w *world) PushImage(_ context.Context, img bundle.Image, raw mirror.Raw) (int, error) {
	name, err := mirror.Repository(img.Name)
	if err != nil {
		return 0, err
	}
	b, err := raw(img.Digest)
	if err != nil {
		return 0, err
	}
	for _, m := range img.Manifests {
		for _, d := range append([]digest.Digest{m.Config}, m.Layers...) {
			if _, ok := w.blobs[key(name.Repository, d)]; !ok {
				return 0, fmt.Errorf("manifest %s names blob %s, which %s lacks", m.Digest, d, name.Repository)
			}
		}
	}
	return 1, w.faults.Step("manifest", img.Name, func() error {
		w.manifests[key(name.Repository, img.Digest)] = b
		return nil
	})
}

func (w *world) TagImage(_ context.Context, img bundle.Image, raw mirror.Raw) (bool, error) {
	b, err := raw(img.Digest)
	if err != nil {
		return false, err
	}
	if digest.FromBytes(b) != img.Digest {
		return false, errors.New("the wrong manifest")
	}
	if w.tags[img.Name] == img.Digest {
		return false, nil
	}
	return true, w.faults.Step("tag", img.Name, func() error {
		w.tags[img.Name] = img.Digest
		return nil
	})
}

func (w *world) CheckTag(_ context.Context, img bundle.Image) error {
	if w.tags[img.Name] != img.Digest {
		return fmt.Errorf("tag of %s: %w", img.Name, mirror.ErrNotFound)
	}
	return nil
}

func (w *world) CheckImage(_ context.Context, img bundle.Image, sizes map[digest.Digest]int64, _ mirror.Raw) error {
	name, err := mirror.Repository(img.Name)
	if err != nil {
		return err
	}
	if _, ok := w.manifests[key(name.Repository, img.Digest)]; !ok {
		return fmt.Errorf("%s: manifest %w", img.Name, mirror.ErrNotFound)
	}
	for _, m := range img.Manifests {
		for _, d := range append([]digest.Digest{m.Config}, m.Layers...) {
			if b, ok := w.blobs[key(name.Repository, d)]; !ok || int64(len(b)) != sizes[d] {
				return fmt.Errorf("%s: blob %s %w", img.Name, d, mirror.ErrNotFound)
			}
		}
	}
	return nil
}

// cluster is the world as a target; its methods would clash with those of the mirror.
type cluster struct{ *world }

var errDown = &kube.TargetError{Target: "https://cluster", Doing: "answer", Err: errors.New("connection refused")}

var errUnready = &kube.TargetError{Target: "https://cluster", Doing: "be used", Err: errors.New("permission denied"), Word: "unusable"}

func (c cluster) String() string { return "https://cluster" }

func (c cluster) Ready(context.Context, kube.Inventory) (string, error) {
	if c.down {
		return "", errDown
	}
	return "v1.36.3", c.unready
}

// parseObjects reads what configMaps has written, and what is picked of that.
func parseObjects(o kube.Objects) (ids []kube.ID, version string) {
	for _, line := range strings.Split(string(o.YAML), "\n") {
		if rest, ok := strings.CutPrefix(line, "metadata: {name: "); ok {
			name, _, _ := strings.Cut(rest, ",")
			ids = append(ids, kube.ID{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: name})
		}
		if name, ok := strings.CutPrefix(line, "  name: "); ok {
			ids = append(ids, kube.ID{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: name})
		}
		if v, ok := strings.CutPrefix(line, "  version: "); ok {
			version = v
		}
		if rest, ok := strings.CutPrefix(line, "data: {version: "); ok {
			version = strings.Trim(rest, `"}`)
		}
	}
	return ids, version
}

func (c cluster) Inventory(_ context.Context, want kube.Objects) (kube.Inventory, error) {
	if c.down {
		return kube.Inventory{}, errDown
	}
	ids, _ := parseObjects(want)
	return kube.NewInventory(ids...), nil
}

func (c cluster) DryRun(_ context.Context, want kube.Objects, prev kube.Inventory) ([]kube.Change, error) {
	if c.down {
		return nil, errDown
	}
	ids, _ := parseObjects(want)
	var changes []kube.Change
	for _, id := range ids {
		action := kube.Configured
		if id.Name == c.refuses {
			action = kube.Conflict
		}
		changes = append(changes, kube.Change{ID: id, Action: action})
	}
	for _, id := range prev.Minus(kube.NewInventory(ids...)).IDs() {
		changes = append(changes, kube.Change{ID: id, Action: kube.Pruned})
	}
	return changes, nil
}

func (c cluster) MakeWay(context.Context, kube.Objects, kube.Inventory) ([]kube.Change, error) {
	return nil, nil
}

func (c cluster) Apply(ctx context.Context, want kube.Objects, _ kube.Inventory) (kube.Inventory, []kube.Change, error) {
	if c.down {
		return kube.Inventory{}, nil, errDown
	}
	ids, version := parseObjects(want)
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return kube.Inventory{}, nil, err
		}
		err := c.faults.Step("object", id.Name, func() error {
			c.objects[id] = version
			return nil
		})
		if err != nil {
			return kube.Inventory{}, nil, err
		}
	}
	return kube.NewInventory(ids...), nil, nil
}

func (c cluster) Record(context.Context, kube.Objects, kube.Inventory, io.Writer) error { return nil }

func (c cluster) Restore(ctx context.Context, want kube.Objects, prev kube.Inventory, _ *kube.Record) (*kube.Restored, error) {
	if c.down {
		return nil, errDown
	}
	if c.jammed != nil {
		return nil, c.jammed
	}
	ids, version := parseObjects(want)
	r := &kube.Restored{Inventory: kube.NewInventory(ids...)}
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		if why, ok := c.stuck[id.Name]; ok && c.objects[id] != version {
			r.Left = append(r.Left, kube.Change{ID: id, Action: kube.Conflict, Note: why})
			continue
		}
		err := c.faults.Step("restore", id.Name, func() error {
			c.objects[id] = version
			return nil
		})
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

func (c cluster) Drift(ctx context.Context, want kube.Objects) ([]kube.Difference, error) {
	if c.down {
		return nil, errDown
	}
	ids, version := parseObjects(want)
	var drift []kube.Difference
	for _, id := range ids {
		switch has, there := c.objects[id]; {
		case !there:
			drift = append(drift, kube.Difference{ID: id, Missing: true})
		case has != version:
			drift = append(drift, kube.Difference{ID: id, Fields: []kube.FieldDrift{{Path: "data.version",
				Lines: []string{fmt.Sprintf("data.version: %s -> %s", version, has)}, Manager: "kubectl-edit"}}})
		}
	}
	return drift, ctx.Err()
}

func (c cluster) Repair(ctx context.Context, want kube.Objects) (*kube.Repaired, error) {
	drift, err := c.Drift(ctx, want)
	if err != nil {
		return nil, err
	}
	_, version := parseObjects(want)
	r := &kube.Repaired{}
	for _, d := range drift {
		if why, ok := c.stuck[d.Name]; ok {
			r.Left = append(r.Left, kube.Change{ID: d.ID, Action: kube.Conflict, Note: why})
			continue
		}
		err := c.faults.Step("repair", d.Name, func() error {
			c.objects[d.ID] = version
			return nil
		})
		if err != nil {
			return r, err
		}
		r.Changes = append(r.Changes, kube.Change{ID: d.ID, Action: kube.Configured})
	}
	return r, nil
}

func (c cluster) Prune(_ context.Context, prev, keep kube.Inventory) ([]kube.Change, error) {
	if c.down {
		return nil, errDown
	}
	var changes []kube.Change
	for _, id := range prev.Minus(keep).IDs() {
		if why, ok := c.held[id.Name]; ok {
			changes = append(changes, kube.Change{ID: id, Action: kube.Leaving, Note: why})
			continue
		}
		if why, ok := c.foreign[id.Name]; ok {
			changes = append(changes, kube.Change{ID: id, Action: kube.GivenUp, Note: why})
			continue
		}
		err := c.faults.Step("prune", id.Name, func() error {
			delete(c.objects, id)
			return nil
		})
		if err != nil {
			return changes, err
		}
		changes = append(changes, kube.Change{ID: id, Action: kube.Pruned})
	}
	return changes, nil
}

func (c cluster) Undo(context.Context, kube.Objects, string) error { return nil }

func (c cluster) Health(context.Context, kube.Objects) ([]kube.ObjectStatus, error) { return nil, nil }

// runChecks judges what the cluster has of the release on trial, by its version.
func (w *world) runChecks(ctx context.Context, checks []bundle.Check, env check.Env) ([]check.Result, bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	if err := w.faults.Step("check", "", func() error { return nil }); errors.Is(err, durabletest.ErrCrashed) {
		return nil, false, err
	}
	if err := env.Images(ctx); err != nil {
		return []check.Result{{Name: "images", Verdict: check.Fail, Message: err.Error(), Required: true}}, false, nil
	}
	for _, version := range slices.Sorted(maps.Values(w.objects)) {
		if w.failing(version) && slices.Contains(env.Environ, "SALLYPORT_VERSION="+version) {
			return []check.Result{{Name: "sample", Verdict: check.Fail, Message: version + " answers 500", Required: true}}, false, nil
		}
	}
	return []check.Result{{Name: "sample", Verdict: check.Pass, Required: true}}, true, nil
}

// interruptedChecks are checks in the middle of which somebody presses Ctrl-C.
func interruptedChecks(cancel func()) func(context.Context, []bundle.Check, check.Env) ([]check.Result, bool, error) {
	return func(ctx context.Context, _ []bundle.Check, _ check.Env) ([]check.Result, bool, error) {
		cancel()
		return nil, false, ctx.Err()
	}
}
