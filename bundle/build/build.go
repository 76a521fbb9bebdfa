package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/image"
	"github.com/sallyport-dev/sallyport/bundle/inspect"
	"github.com/sallyport-dev/sallyport/bundle/sign"
	"github.com/sallyport-dev/sallyport/delta"
)

// Config is what Run needs to know.
type Config struct {
	Spec *Spec
	// Bases name releases, one of which a site holds: the bundle relies on nothing that any of them lacks. Each is a bundle
	// (or the first of its parts), a folder of earlier bundles (the newest of the same release counts), a lock file, an
	// OCI layout or a release in a registry.
	Bases []string
	// Effort is how hard to work for small patches: fast, default or best. Empty is default.
	Effort string
	// Cache is a folder where patches are kept from build to build, by what they are made of; empty is none. What is in it
	// is trusted like the program itself.
	Cache string
	// Signers sign the release and its provenance. Without any the bundle is unsigned, and no site takes it before
	// somebody has signed it.
	Signers []*sign.Signer
	// Platforms, if there are any, go before the spec's.
	Platforms []ocispec.Platform
	// Plain ships every blob in its original form.
	Plain bool
	// Split is the size of a part in bytes; 0 is one file.
	Split int64
	// Output is the bundle's path. The lock file goes beside it.
	Output string
	// Workers bounds what runs in parallel; 0 is the number of processors.
	Workers int
	// TempDir is where layers are worked on; empty is $TMPDIR, or else the folder of Output.
	TempDir string
	// Created is the release's time; nil is the newest creation time of its images.
	Created *time.Time
	// Version is the program's version and Invocation the URL of the CI job, for the provenance. Both may be empty.
	Version, Invocation string
	// Images is how images are reached. Its Platforms and Dir are set by Run.
	Images image.Config
	// Observe is told what happens, one call at a time; may be nil.
	Observe func(Event)
	// atLeast is the least sequence of a release of which other bundles serve other bases.
	atLeast uint64
}

// Event is one thing that happened, or with a Total, how far a phase is.
type Event struct {
	Label       string // release, chart, images, pinned, verified, deltas, cache, sbom, signed, unsigned, writing, note
	Text        string
	Done, Total int64 // bytes
}

// Result is what Run did.
type Result struct {
	Descriptor *bundle.Descriptor
	Digest     digest.Digest // of the release
	File       string        // the bundle, or the first of its parts
	Parts      []string      // with Config.Split: the parts and their list
	Lock       string
	Size       int64 // bytes of the bundle
	Payload    int64 // of these, bytes of layers
	Delivers   int64 // bytes of the layers that it delivers, in their original form
	Signers    []Signer
	Images     []ImageLine
	Packages   int
	// Warnings are what whoever built this should know before it travels, a sentence each.
	Warnings []string
	// NotPacked are images that the objects seem to name and the release does not carry, a thousand at most.
	NotPacked []NotPacked
	Seconds   float64
	PeakRSS   int64 // bytes; 0 if the system does not tell
}

// Signer is a key that signed.
type Signer struct{ KeyID, Name string }

// SourceDate reads SOURCE_DATE_EPOCH, https://reproducible-builds.org/specs/source-date-epoch/. It is nil if that is not set.
func SourceDate() (*time.Time, error) {
	text, ok := os.LookupEnv("SOURCE_DATE_EPOCH")
	if !ok || text == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	t := time.Unix(n, 0).UTC()
	if err != nil || n < 0 || t.Year() > 9999 {
		return nil, &Error{reason: "usage", text: fmt.Sprintf("SOURCE_DATE_EPOCH is %q, not a time", text), hint: "write seconds since 1970, or unset it"}
	}
	return &t, nil
}

// builder is one run.
type builder struct {
	Config
	started time.Time
	spec    *Spec
	work    string // the temporary folder
	images  *image.Resolver
	mu      sync.Mutex // for Observe, told and parts

	release   *gathered
	notPacked []NotPacked // those of them that the release does not carry
	bases     *bases
	staged    *staged
	told      map[digest.Digest]bool // olds that were said to be lost
	warned    []string
	olds      *oldBlobs
	cache     *patchCache // nil: none
	effort    delta.Effort
	blobs     []*blob
	sboms     []bundle.SBOM
	listing   *inspect.Listing // of the sboms that this bundle carries
	objects   []byte
	// overlays describe the overlays, overlayDocs are their edits.
	overlays    []bundle.Overlay
	overlayDocs [][]byte
	parts       map[digest.Digest]bundle.Part
}

// Run builds a bundle. Errors that the caller can mend have a Reason, most of them "spec", "image", "manifest" or "usage".
func Run(ctx context.Context, cfg Config) (res *Result, err error) {
	b := &builder{Config: cfg, started: time.Now(), spec: cfg.Spec, parts: make(map[digest.Digest]bundle.Part),
		told: make(map[digest.Digest]bool), listing: inspect.NewListing()}
	if err := b.prepare(); err != nil {
		return nil, err
	}
	if b.work, err = os.MkdirTemp(b.TempDir, "sallyport-build-"); err != nil {
		return nil, fmt.Errorf("making a folder to work in: %w", err)
	}
	defer func() { err = errors.Join(err, b.close()) }()

	for _, step := range []func(context.Context) error{b.openBases, b.head, b.gather, b.announce, b.planBlobs, b.encode, b.writeSBOMs} {
		if err := step(ctx); err != nil {
			return nil, interrupted(ctx, err)
		}
	}
	res, err = b.finish(ctx)
	return res, interrupted(ctx, err)
}

// interrupted gives the context's error where a consequence of it would hide it.
func interrupted(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		return fmt.Errorf("%w (%w)", ctx.Err(), err)
	}
	return err
}

func (b *builder) prepare() error {
	if b.Spec == nil || b.Output == "" {
		return &Error{reason: "usage", text: "a build needs a spec and an output file"}
	}
	if b.Workers <= 0 {
		b.Workers = runtime.NumCPU()
	}
	if b.TempDir == "" {
		if b.TempDir = os.Getenv("TMPDIR"); b.TempDir == "" {
			b.TempDir = filepath.Dir(b.Output)
		}
	}
	if err := b.checkOutput(); err != nil {
		return err
	}
	if len(b.Platforms) == 0 {
		b.Platforms = b.Spec.Platforms
	}
	var err error
	if b.effort, err = parseEffort(b.Effort); err != nil {
		return err
	}
	b.cache = newPatchCache(b.Cache, b.Effort, b.Version)
	b.Images.Platforms, b.Images.Dir = b.Platforms, b.Spec.Dir
	b.images = image.NewResolver(b.Images)
	return nil
}

func parseEffort(name string) (delta.Effort, error) {
	switch name {
	case "", "default":
		return delta.EffortDefault, nil
	case "fast":
		return delta.EffortFast, nil
	case "best":
		return delta.EffortBest, nil
	}
	return 0, &Error{reason: "usage", text: fmt.Sprintf("there is no effort %q", name), hint: "write fast, default or best"}
}

// checkOutput refuses early what would fail only after all the work.
func (b *builder) checkOutput() error {
	if b.Split < 0 {
		return &Error{reason: "usage", text: fmt.Sprintf("a part cannot have %d bytes", b.Split), hint: "name a size such as 4GB"}
	}
	if st, err := os.Stat(b.Output); err == nil && st.IsDir() {
		return &Error{reason: "usage", text: b.Output + " is a folder",
			hint: "name the file to write, such as " + filepath.Join(b.Output, b.Spec.Name+"-"+b.Spec.Version+".tar")}
	}
	if _, err := os.Stat(filepath.Dir(b.Output)); err != nil {
		return &Error{reason: "usage", text: fmt.Sprintf("the output's folder cannot be used: %v", err), hint: "make the folder first", cause: err}
	}
	return nil
}

// close removes what the run has left but its results.
func (b *builder) close() error {
	var errs []error
	if b.release != nil {
		errs = append(errs, b.release.close())
	}
	if b.olds != nil {
		errs = append(errs, b.olds.close())
	}
	if b.bases != nil {
		errs = append(errs, b.bases.close())
	}
	return errors.Join(append(errs, os.RemoveAll(b.work))...)
}

func (b *builder) observe(e Event) {
	if b.Observe == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Observe(e)
}

func (b *builder) say(label, format string, args ...any) {
	b.observe(Event{Label: label, Text: fmt.Sprintf(format, args...)})
}

// warn keeps for the end what must not be missed among the lines of a long build.
func (b *builder) warn(format string, args ...any) {
	b.warned = append(b.warned, fmt.Sprintf(format, args...))
}
