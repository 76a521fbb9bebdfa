package sbom

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/anchore/stereoscope/pkg/file"
	"github.com/anchore/stereoscope/pkg/image"
	"github.com/anchore/syft/syft"
	"github.com/anchore/syft/syft/cataloging"
	"github.com/anchore/syft/syft/sbom"
	"github.com/anchore/syft/syft/source/stereoscopesource"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	_ "modernc.org/sqlite" // the RPM database of some images is SQLite
)

// The formats of a document, as the release descriptor spells them.
const (
	FormatSPDX      = "spdx"
	FormatCycloneDX = "cyclonedx"
)

// ErrNotContainer says that a manifest's layers are no file systems (a chart, a policy): it has no packages to list.
var ErrNotContainer = errors.New("not a container image")

// Image is an image for one platform.
type Image struct {
	// Repository is the image's name without tag or digest. The tag stays out of the documents, so that an image
	// that only got another tag keeps its documents.
	Repository string
	Manifest   []byte // verbatim
	Config     []byte // verbatim
	// Open gives a layer's bytes as the manifest names them, verified or not: syft reads what it gets.
	Open func(ctx context.Context, layer ocispec.Descriptor) (io.ReadCloser, error)

	digest digest.Digest   // by which the documents name it; empty: the manifest's
	unread func() []string // what else was not looked into, once the layers are read; nil: nothing
}

// id is the digest by which the documents name the image.
func (i Image) id() digest.Digest {
	if i.digest != "" {
		return i.digest
	}
	return digest.FromBytes(i.Manifest)
}

// Document is an SBOM of one image.
type Document struct {
	Format     string
	Compressed []byte // zstd
	Packages   int
	// Skipped tells what of the image was not looked into, and why: a line each. The document says it, too.
	Skipped []string
}

// Prepare reads the licence texts that those of packages are compared with, and returns a context with which Generate need
// not read them again. That takes about half a second of each call.
func Prepare(ctx context.Context) (context.Context, error) {
	return syft.SetContextLicenseScanner(ctx, config().Licenses)
}

// Generate makes the documents of an image: one SPDX, one CycloneDX. What cannot be read, or would take too much, is not
// looked into, and the documents say so: the image travels all the same. The expanded layers stay in a folder under
// tempDir ("" is os.TempDir) while it runs. It fails if a layer cannot be had.
func Generate(ctx context.Context, img Image, tempDir string) ([]Document, error) {
	return generate(ctx, img, tempDir, defaultLimits())
}

func generate(ctx context.Context, img Image, tempDir string, lim limits) (docs []Document, err error) {
	m, err := v1.ParseManifest(bytes.NewReader(img.Manifest))
	if err != nil {
		return nil, fmt.Errorf("reading the image manifest: %w", err)
	}
	if err := checkLayers(m); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(tempDir, "sbom-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for expanded layers: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	var left skipped
	files, err := unpack(ctx, m, img, dir, lim, &left)
	if err != nil {
		return nil, err
	}
	if img.unread != nil {
		for _, line := range img.unread() {
			left.addLine(line)
		}
	}
	found, err := search(ctx, m, img, files, dir, lim, &left)
	if err != nil {
		return nil, err
	}
	return documents(found, img, left.lines())
}

// unpack writes the layers of an image to files.
func unpack(ctx context.Context, m *v1.Manifest, img Image, dir string, lim limits, left *skipped) ([]string, error) {
	u := &unpacker{img: img, dir: dir, limits: lim, skipped: left}
	files := []string{}
	for k, l := range m.Layers {
		file := filepath.Join(dir, unpackedName(m, img.Config, k))
		if err := u.layer(ctx, l, file); err != nil {
			return nil, fmt.Errorf("reading the image's layers: %w", err)
		}
		files = append(files, file)
	}
	return files, nil
}

// search has syft look for packages. If it fails or takes too long, none are found, and that is said.
func search(ctx context.Context, m *v1.Manifest, img Image, files []string, dir string, lim limits, left *skipped) (*sbom.SBOM, error) {
	type result struct {
		found *sbom.SBOM
		err   error
	}
	limited, cancel := context.WithTimeout(ctx, lim.time)
	defer cancel()
	done := make(chan result, 1)
	go func() {
		found, err := catalogue(limited, m, img, files, dir)
		done <- result{found, err}
	}()
	select {
	case r := <-done:
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if r.err == nil {
			return r.found, nil
		}
		left.add("the image", "no packages are listed: %v", failure(r.err, lim))
	case <-limited.Done():
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		// Not all of syft listens: what still works on the image ends by itself, or with the program.
		left.add("the image", "no packages are listed: %v", failure(limited.Err(), lim))
	}
	return catalogue(ctx, m, img, nil, dir)
}

func failure(err error, lim limits) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("looking for them took more than %s", lim.time)
	}
	return err
}

// documents writes what was found in each format.
func documents(found *sbom.SBOM, img Image, left []string) (docs []Document, err error) {
	manifest := img.id()
	packages := found.Artifacts.Packages.PackageCount()
	for _, format := range []string{FormatSPDX, FormatCycloneDX} {
		raw, err := encode(format, found, manifest, createdTime(img.Config), left)
		if err != nil {
			return nil, fmt.Errorf("writing the %s document: %w", format, err)
		}
		compressed, err := compress(raw)
		if err != nil {
			return nil, err
		}
		docs = append(docs, Document{Format: format, Compressed: compressed, Packages: packages, Skipped: left})
	}
	return docs, nil
}

// catalogue has syft find the packages of an unpacked image. A panic of one of its many parsers becomes an error.
func catalogue(ctx context.Context, m *v1.Manifest, img Image, files []string, dir string) (found *sbom.SBOM, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("syft failed: %v", p)
		}
	}()
	core, err := newScanned(m, img, files)
	if err != nil {
		return nil, err
	}
	manifest := img.id()
	read := image.New(core, file.NewTempDirGenerator("sallyport"), dir,
		image.WithManifest(img.Manifest), image.WithManifestDigest(manifest.String()))
	if err := read.Read(ctx); err != nil {
		return nil, err
	}
	src := stereoscopesource.New(read, stereoscopesource.ImageConfig{Reference: img.Repository + "@" + manifest.String()})
	defer func() { err = errors.Join(err, src.Close()) }()

	found, err = syft.CreateSBOM(ctx, src, config())
	if err != nil {
		return nil, err
	}
	// Syft's tasks may end early without an error when the context does.
	return found, ctx.Err()
}

// config asks syft for packages and nothing else. Its defaults stay off the network. One task runs at a time, because
// several hold a whole program in memory; side by side they take a third more of it and are no faster.
func config() *syft.CreateSBOMConfig {
	return syft.DefaultCreateSBOMConfig().
		WithoutFiles().
		WithParallelism(1).
		WithRelationshipsConfig(cataloging.DefaultRelationshipsConfig().WithPackageFileOwnership(false))
}

// isFileSystem tells the media types of layers that are tars of files.
func isFileSystem(t types.MediaType) bool {
	return t.IsLayer() || t == image.BuildKitZstdCompressedLayer || t == image.BuildKitZstdCompressedLayerAlt
}

func checkLayers(m *v1.Manifest) error {
	for _, l := range m.Layers {
		if !isFileSystem(l.MediaType) {
			return fmt.Errorf("a layer of type %s: %w", l.MediaType, ErrNotContainer)
		}
	}
	return nil
}
