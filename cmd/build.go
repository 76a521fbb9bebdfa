//go:build !site

package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/build"
	"github.com/sallyport-dev/sallyport/bundle/inspect"
)

// buildFlags are build's own.
type buildFlags struct {
	spec      string
	bases     []string
	keys      []string
	platforms []string
	plain     bool
	split     string
	output    string
	effort    string
	cache     string
	perBase   bool
}

func (p *program) buildVerb() *cobra.Command {
	var f buildFlags
	c := &cobra.Command{
		Use:   "build [-f release.yaml] [--base REF]... [--key KEY]... [--effort fast|default|best] [--cache DIR] -o FILE",
		Short: "Pack a release into one signed file",
		Long: `Pack a release into one signed file: the images that its manifests name, the rendered manifests (plain YAML,
kustomizations, Helm charts) with overlays for some of the sites, SBOMs and provenance. Blobs that a base has are left out, and layers that resemble a base's travel as deltas, from which
the site restores the original layers bit for bit.

REF is a bundle, a folder of earlier bundles, an OCI layout, a registry reference, or a bundle's FILE.lock.json (then
the layers come from the images' own registries). FILE.lock.json is written beside FILE: it names every image and
layer by digest. The same inputs give the same bytes, signatures apart; SOURCE_DATE_EPOCH sets the release's time.

With several bases the bundle serves a site that holds any of them: it relies only on what all of them have. With
--per-base there is a bundle for each, smaller as a rule: store-2.4.0.tar becomes store-2.4.0.from-2.3.0.tar.

--effort trades the time of the build for the size of deltas; any site applies all of them. With --cache a layer
that was worked on before, against the same layers and at the same effort, is read from DIR.`,
		Example: `  sallyport build -f release.yaml --key release.key -o store-platform-2.3.0.tar
  sallyport build --base store-platform-2.3.0.tar --key release.key -o store-platform-2.4.0.tar
  sallyport build --base 2.2.0.tar --base 2.3.0.tar --per-base --cache ~/.cache/sallyport --key release.key -o 2.4.0.tar`,
		Args: args(),
		RunE: func(c *cobra.Command, _ []string) error { return p.build(c.Context(), f) },
	}
	fl := c.Flags()
	fl.StringVarP(&f.spec, "file", "f", "release.yaml", "what to pack")
	fl.StringArrayVar(&f.bases, "base", nil, "a release that the sites hold; may be given several times")
	fl.StringArrayVar(&f.keys, "key", nil, "sign with this private key; may be given several times")
	fl.StringArrayVar(&f.platforms, "platform", nil, "OS/ARCH, in place of those in release.yaml; may be given several times")
	fl.BoolVar(&f.plain, "plain", false, "ship every blob in its original form, so that stock tools can copy images out")
	fl.StringVar(&f.split, "split", "", "write parts FILE.001, FILE.002, … of at most this size, such as 4GB")
	fl.StringVar(&f.effort, "effort", "default", "how hard to work for small deltas: fast, default or best")
	fl.StringVar(&f.cache, "cache", "", "a folder that keeps deltas from build to build")
	fl.BoolVar(&f.perBase, "per-base", false, "write one bundle for each --base, with .from-VERSION in its name")
	fl.StringVarP(&f.output, "output", "o", "", "the bundle to write")
	return exits(c, exit{exitUntrusted, "a base is not as it was built"}, exit{exitNotApplicable, "a newer sallyport made a base"})
}

// buildMemory is how much memory the garbage collector lets the heap have for each processor, in bytes, before it works
// harder. $GOMEMLIMIT goes before it.
const buildMemory = 900 << 20

func (p *program) build(ctx context.Context, f buildFlags) error {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(buildMemory * int64(runtime.GOMAXPROCS(0)))
	}
	if f.output == "" {
		return &usageError{"no output file", "name one: -o store-platform-2.4.0.tar"}
	}
	cfg, err := p.buildConfig(f)
	if err != nil {
		return err
	}
	if !f.perBase {
		res, err := build.Run(ctx, cfg)
		if err != nil {
			return err
		}
		built, err := p.built(res)
		if err != nil {
			return err
		}
		return p.told(built, []builtBundle{built}, f.keys)
	}
	results, err := build.RunPerBase(ctx, cfg)
	if err != nil {
		return err
	}
	var all []builtBundle
	for _, res := range results {
		built, err := p.built(res)
		if err != nil {
			return err
		}
		all = append(all, built)
	}
	return p.told(struct {
		APIVersion string        `json:"apiVersion"`
		Kind       string        `json:"kind"`
		Bundles    []builtBundle `json:"bundles"`
	}{bundle.APIVersion, "Bundles", all}, all, f.keys)
}

// builtBundle is what build prints of a bundle with --json.
type builtBundle struct {
	*inspect.Inspection
	File  string   `json:"file"`
	Parts []string `json:"parts,omitempty"`
	Lock  string   `json:"lock"`
	// Warnings are what to know before the bundle travels, a sentence each.
	Warnings []string `json:"warnings"`
	// NotPacked are images that the objects seem to name and the bundle does not carry.
	NotPacked []build.NotPacked `json:"notPacked"`
	Seconds   float64           `json:"seconds"`
	PeakRSS   int64             `json:"peakRSS"`
	res       *build.Result
}

// built looks at a bundle as anybody sees it.
func (p *program) built(res *build.Result) (builtBundle, error) {
	in, err := p.inspectFile(res.File)
	if err != nil {
		return builtBundle{}, err
	}
	for i := range in.Signatures {
		for _, s := range res.Signers {
			if s.KeyID == in.Signatures[i].KeyID {
				in.Signatures[i].Signer = s.Name
			}
		}
	}
	return builtBundle{in, res.File, res.Parts, res.Lock, append([]string{}, res.Warnings...), res.NotPacked, res.Seconds, res.PeakRSS, res}, nil
}

// told prints the object, or for people each of the bundles. Warnings come last, where they are seen.
func (p *program) told(object any, all []builtBundle, keys []string) error {
	if p.flags.json {
		if err := p.object(object); err != nil {
			return err
		}
	}
	for _, b := range all {
		if !p.flags.json {
			p.buildSummary(b.Inspection, b.res, keys)
		}
		for _, w := range b.Warnings {
			p.ui.warn("%s", w)
		}
	}
	return nil
}

func (p *program) buildConfig(f buildFlags) (build.Config, error) {
	cfg := build.Config{Bases: f.bases, Plain: f.plain, Output: f.output, Effort: f.effort, Cache: f.cache, Version: version,
		Observe: func(e build.Event) { p.event(e.Label, forPeople(e.Text), e.Done, e.Total) }}
	var err error
	if cfg.Spec, err = build.Load(f.spec); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = &usageError{"there is no " + f.spec, "name the file that says what to pack: -f release.yaml"}
		}
		return cfg, err
	}
	if cfg.Platforms, err = platforms(f.platforms); err != nil {
		return cfg, err
	}
	if f.split != "" {
		n, err := humanize.ParseBytes(f.split)
		if err != nil || n < 1_000_000 || n > 1<<62 {
			return cfg, &usageError{fmt.Sprintf("--split %q is not a size of at least 1MB", f.split), "write 4GB, or 700MB"}
		}
		cfg.Split = int64(n)
	}
	if cfg.Created, err = build.SourceDate(); err != nil {
		return cfg, err
	}
	cfg.Signers, err = p.signers(f.keys)
	return cfg, err
}

func platforms(names []string) ([]ocispec.Platform, error) {
	var out []ocispec.Platform
	for _, n := range names {
		platform, err := bundle.ParsePlatform(n)
		if err != nil {
			return nil, &usageError{fmt.Sprintf("--platform: %v", err), "write linux/amd64, linux/arm64 or linux/arm/v7"}
		}
		out = append(out, platform)
	}
	return out, nil
}

// inspectFile reads the front of a bundle.
func (p *program) inspectFile(path string) (*inspect.Inspection, error) {
	f, err := bundle.OpenFile(path, p.stdin)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := bundle.NewReader(f)
	if err != nil {
		return nil, blame(f.Name(), err)
	}
	return inspect.Inspect(r), nil
}

func (p *program) buildSummary(in *inspect.Inspection, res *build.Result, keys []string) {
	if p.flags.quiet {
		p.ui.print("%s %d\n", res.File, res.Size)
		return
	}
	p.ui.print("\n%s   %s   (%s it delivers: %s, %s)\n", res.File, size(res.Size), delivered(in), size(res.Delivers), percent(res.Size, res.Delivers))
	p.printImages(in, false)
	if len(res.Parts) > 0 {
		p.ui.say("parts", "%s", strings.Join(res.Parts, " "))
	}
	p.ui.say("lock", "%s", res.Lock)
	check := "Sign it before it goes anywhere: sallyport sign " + res.File + " --key KEY"
	if len(keys) > 0 {
		check = fmt.Sprintf("Check it anywhere: sallyport verify %s --key %s.pub", res.File, strings.TrimSuffix(keys[0], ".key"))
	}
	p.ui.say("done", "%s, %s peak. %s", span(time.Duration(res.Seconds*float64(time.Second))), size(res.PeakRSS), check)
}
