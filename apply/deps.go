package apply

import (
	"context"
	"io"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/apply/check"
	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/verify"
)

// Deps are the parts of a site that lie outside its state folder. Open makes the real ones.
type Deps struct {
	// Disk writes the state.
	Disk durable.Disk
	// OpenMirror returns the mirror and what ends its use. It is called at most once in a verb, when it is needed.
	OpenMirror func(ctx context.Context) (Mirror, func() error, error)
	// LookAtMirror returns the mirror for reading only, which changes nothing, not even in the folder of an embedded one
	// that nobody serves. nil: OpenMirror.
	LookAtMirror func(ctx context.Context) (ImageStore, func() error, error)
	// SyncMirror, if set, makes what the mirror was given durable.
	SyncMirror func() error
	// Scrub reads all that releases need of the mirror and compares digests. Drop deletes what that found damaged, so that it
	// counts as lacking.
	Scrub func(ctx context.Context, m ImageStore, releases []*bundle.Descriptor) (*mirror.FsckReport, error)
	Drop  func(ctx context.Context, m Mirror, found *mirror.FsckReport) error
	// OpenTarget returns the target.
	OpenTarget func(ctx context.Context) (Target, error)
	// LoadTrust returns who may sign.
	LoadTrust func() (*verify.Trust, error)
	// Root is where the folders /etc and /var of the cluster's software are; empty is /.
	Root string
	// Host is the machine whose block devices and mounts the parts of an operating system are on; the zero value is this one.
	Host host.Host
	// Loader returns the boot loader; nil on a site whose operating system is not ours.
	Loader func() (slot.Loader, error)
	// BootID is different after each boot.
	BootID func() (string, error)
	// Uptime is the time since the boot; nil: it is not told.
	Uptime func() (time.Duration, error)
	// Reboot boots the machine; nil: people do.
	Reboot func(ctx context.Context) error
	// Watchdog leaves the hardware watchdog running, for about want and no less than least, and returns what it took; nil: nobody does.
	Watchdog func(want, least time.Duration) (took time.Duration, err error)
	// Data are the site's data; nil of a site that names none.
	Data Data
	// RunChecks decides a trial: check.Run.
	RunChecks func(context.Context, []bundle.Check, check.Env) ([]check.Result, bool, error)
	// Background puts the process behind others until what it returns is called; nil: nobody does.
	Background func() (back func())
	// Power says why the machine's power may not last; empty, and nil, is that it does as far as anybody knows. Memory is how many
	// bytes of it are free, if that is known; nil: it is not.
	Power  func() string
	Memory func() (bytes int64, known bool)
	// Workers is how many blobs are restored and pushed at once; 0: as many as the machine has processors, 2 at most.
	Workers int
	// ClockSynced tells whether somebody keeps the clock right; nil: it is not known.
	ClockSynced func() bool
	// Now is the clock.
	Now func() time.Time
	// Observe, if set, is told what happens. It is called by one goroutine at a time and must not block for long.
	Observe func(Event)
}

// Mirror is what the transaction asks of the site's mirror; *mirror.Client has it.
type Mirror interface {
	BlobStore
	ImageStore
}

// BlobStore holds blobs by repository and digest.
type BlobStore interface {
	StatBlob(ctx context.Context, repo string, d digest.Digest) (size int64, ok bool, err error)
	OpenBlob(ctx context.Context, repo string, d digest.Digest) (io.ReadCloser, error)
	PushBlob(ctx context.Context, repo string, desc ocispec.Descriptor, open mirror.Open) (pushed bool, err error)
	StreamBlob(ctx context.Context, repo string, desc ocispec.Descriptor, r io.Reader) (pushed bool, err error)
	Mount(ctx context.Context, from, to string, d digest.Digest) (bool, error)
}

// ImageStore is there, holds manifests, and answers for images by name.
type ImageStore interface {
	Ping(ctx context.Context) error
	Manifest(ctx context.Context, repo, ref string) (raw []byte, mediaType string, err error)
	PushImage(ctx context.Context, img bundle.Image, raw mirror.Raw) (pushed int, err error)
	TagImage(ctx context.Context, img bundle.Image, raw mirror.Raw) (pushed bool, err error)
	CheckImage(ctx context.Context, img bundle.Image, sizes map[digest.Digest]int64, raw mirror.Raw) error
	CheckTag(ctx context.Context, img bundle.Image) error
}

// Target is where a release's objects go; *kube.Cluster and *kube.Folder are targets.
type Target interface {
	// Ready tells whether objects could be put there now, and changes nothing. prev is what may be there because of us.
	Ready(ctx context.Context, prev kube.Inventory) (version string, err error)
	Inventory(ctx context.Context, want kube.Objects) (kube.Inventory, error)
	DryRun(ctx context.Context, want kube.Objects, prev kube.Inventory) ([]kube.Change, error)
	// MakeWay stops what left the release and holds what the release needs to start.
	MakeWay(ctx context.Context, want kube.Objects, prev kube.Inventory) ([]kube.Change, error)
	Apply(ctx context.Context, want kube.Objects, prev kube.Inventory) (kube.Inventory, []kube.Change, error)
	// Record writes down what is there of want and prev, before anything is changed; kube.ReadRecord reads it.
	Record(ctx context.Context, want kube.Objects, prev kube.Inventory, w io.Writer) error
	// Restore puts back what can be, and names the rest. before may be nil.
	Restore(ctx context.Context, want kube.Objects, prev kube.Inventory, before *kube.Record) (*kube.Restored, error)
	Prune(ctx context.Context, prev, keep kube.Inventory) ([]kube.Change, error)
	Health(ctx context.Context, want kube.Objects) ([]kube.ObjectStatus, error)
	// Undo runs a release's hooks for being rolled back, before ("pre") and after ("post") the former one is put back.
	Undo(ctx context.Context, of kube.Objects, when string) error
	// Drift tells what differs from objects that were applied, and changes nothing. Repair puts it right.
	Drift(ctx context.Context, want kube.Objects) ([]kube.Difference, error)
	Repair(ctx context.Context, want kube.Objects) (*kube.Repaired, error)
}
