package sbom

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

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
}

// Document is an SBOM of one image.
type Document struct {
	Format     string
	Compressed []byte // zstd
	Packages   int
}

// Prepare reads the licence texts that those of packages are compared with, and returns a context with which Generate need
// not read them again. That takes about half a second of each call.
func Prepare(ctx context.Context) (context.Context, error) {
	return syft.SetContextLicenseScanner(ctx, config().Licenses)
}

// Generate makes the documents of an image: one SPDX, one CycloneDX. The expanded layers stay in a folder under
// tempDir ("" is os.TempDir) while it runs.
func Generate(ctx context.Context, img Image, tempDir string) (docs []Document, err error) {
	dir, err := os.MkdirTemp(tempDir, "sbom-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for expanded layers: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	found, err := catalogue(ctx, img, dir)
	if err != nil {
		return nil, err
	}
	manifest := digest.FromBytes(img.Manifest)
	created, err := createdTime(img.Config)
	if err != nil {
		return nil, err
	}
	packages := found.Artifacts.Packages.PackageCount()
	for _, format := range []string{FormatSPDX, FormatCycloneDX} {
		raw, err := encode(format, found, manifest, created)
		if err != nil {
			return nil, fmt.Errorf("writing the %s document: %w", format, err)
		}
		compressed, err := compress(raw)
		if err != nil {
			return nil, err
		}
		docs = append(docs, Document{Format: format, Compressed: compressed, Packages: packages})
	}
	return docs, nil
}

// catalogue has syft find the packages of img. A panic of one of its many parsers becomes an error.
func catalogue(ctx context.Context, img Image, dir string) (found *sbom.SBOM, err error) {
	core, err := newImageCore(ctx, img)
	if err != nil {
		return nil, err
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("listing packages: syft failed: %v", p)
		}
	}()
	manifest := digest.FromBytes(img.Manifest)
	read := image.New(core, file.NewTempDirGenerator("sallyport"), dir,
		image.WithManifest(img.Manifest), image.WithManifestDigest(manifest.String()))
	if err := read.Read(ctx); err != nil {
		return nil, fmt.Errorf("reading the image's layers: %w", err)
	}
	src := stereoscopesource.New(read, stereoscopesource.ImageConfig{Reference: img.Repository + "@" + manifest.String()})
	defer func() { err = errors.Join(err, src.Close()) }()

	found, err = syft.CreateSBOM(ctx, src, config())
	if err != nil {
		return nil, fmt.Errorf("listing packages: %w", err)
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
