package build

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"sigs.k8s.io/yaml"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/manifest"
	"github.com/sallyport-dev/sallyport/internal/strictyaml"
)

// defaultPlatform is what a release is for if it does not say.
const defaultPlatform = "linux/amd64"

// Spec is a release.yaml that was read and found valid.
type Spec struct {
	Name      string
	Version   string
	Sequence  uint64 // 0: one more than the bases'
	Platforms []ocispec.Platform
	Images    []ImageSpec
	// ImageFields are fields of custom resources that hold image references.
	ImageFields []manifest.ImageField
	// Pin puts digests beside the tags in the rendered objects.
	Pin       bool
	Manifests []manifest.Source
	Checks    []bundle.Check
	Requires  *bundle.Requires
	CatchUp   string
	Expires   *time.Time
	// OneWay are the objects of which a change that no rollback can undo is accepted.
	OneWay []bundle.ObjectRef
	// Roll restarts workloads whose ConfigMaps or Secrets alone changed.
	Roll bool
	// Overlays change the objects for some sites; Labels are the labels that sites have, each with its values, nil if nothing
	// is said of them.
	Overlays []manifest.OverlaySource
	// OS is nil of a release that leaves the operating system as it is.
	OS     *OSSpec
	Labels map[string][]string

	// File is the path it was read from, Dir the folder that its relative paths start from.
	File, Dir string
	// JSON is the file's content as a JSON object.
	JSON []byte

	pos *strictyaml.Positions
}

// ImageSpec is an entry of spec.images.
type ImageSpec struct {
	Name   bundle.Reference
	Source string // where its bytes are; empty: its registry. See package image.
	Key    string // path of the public key that the image must be signed by; empty: none
	// Place is where it is named.
	manifest.Place
}

// document is release.yaml as it is written. Fields that this version does not support are here so that they are
// refused by name and line.
type document struct {
	APIVersion string   `yaml:"apiVersion"`
	Kind       string   `yaml:"kind"`
	Metadata   metadata `yaml:"metadata"`
	Spec       body     `yaml:"spec"`
}

type metadata struct {
	Name string `yaml:"name"`
}

type body struct {
	Version     string                `yaml:"version"`
	Sequence    *uint64               `yaml:"sequence"`
	Platforms   []string              `yaml:"platforms"`
	Images      []imageEntry          `yaml:"images"`
	ImageFields []manifest.ImageField `yaml:"imageFields"`
	Pin         *bool                 `yaml:"pin"`
	Manifests   []manifestEntry       `yaml:"manifests"`
	Checks      []checkEntry          `yaml:"checks"`
	Requires    *bundle.Requires      `yaml:"requires"`
	CatchUp     string                `yaml:"catchUp"`
	Expires     *time.Time            `yaml:"expires"`
	OneWay      []bundle.ObjectRef    `yaml:"oneWay"`
	Roll        *bool                 `yaml:"roll"`

	Sites  []siteEntry         `yaml:"sites"`
	Labels map[string][]string `yaml:"labels"`

	OS *osEntry `yaml:"os"`
}

type imageEntry struct {
	Name   string `yaml:"name"`
	Source string `yaml:"source"`
	Key    string `yaml:"key"`
}

type manifestEntry struct {
	Path string     `yaml:"path"`
	Helm *helmEntry `yaml:"helm"`
}

// helmEntry is how a chart is rendered.
type helmEntry struct {
	Release     string                       `yaml:"release"`
	Namespace   string                       `yaml:"namespace"`
	Values      []string                     `yaml:"values"`
	Set         map[string]strictyaml.Scalar `yaml:"set"`
	KubeVersion string                       `yaml:"kubeVersion"`
	APIVersions []string                     `yaml:"apiVersions"`
}

type checkEntry struct {
	bundle.Check

	Prometheus        any `yaml:"prometheus"`
	Job               any `yaml:"job"`
	SuccessCondition  any `yaml:"successCondition"`
	FailureCondition  any `yaml:"failureCondition"`
	InconclusiveLimit any `yaml:"inconclusiveLimit"`
}

// Load reads and validates a release.yaml. Errors of the file have the Reason "spec", the line and the field.
func Load(file string) (*Spec, error) {
	raw, err := readLimited(file, strictyaml.MaxSize)
	if err != nil {
		return nil, fmt.Errorf("reading the spec: %w", err)
	}
	return parseSpec(file, raw)
}

func parseSpec(file string, raw []byte) (*Spec, error) {
	var doc document
	pos, err := strictyaml.Decode(file, raw, &doc)
	if err != nil {
		return nil, err
	}
	s := &Spec{File: file, Dir: filepath.Dir(file), pos: pos}
	if s.JSON, err = yaml.YAMLToJSON(raw); err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	c := &checker{doc: &doc, pos: pos, spec: s}
	if err := c.run(); err != nil {
		return nil, err
	}
	return s, nil
}

// readLimited reads a small file. One byte more than limit is kept, so that the reader's own check of the size fails.
func readLimited(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit+1))
}

// path makes a path of the spec relative to the spec's folder.
func (s *Spec) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(s.Dir, p)
}

// fail is an error about a field of the spec that shows only later.
func (s *Spec) fail(path, hint, problem string) error { return s.pos.Error(path, problem, hint) }
