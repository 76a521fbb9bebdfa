package cmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/apply"
	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/apply/mirror/embedded"
	"github.com/sallyport-dev/sallyport/bundle"
)

func (p *program) mirrorVerb() *cobra.Command {
	return group(&cobra.Command{
		Use:     "mirror",
		Short:   "Serve, check, clean and announce the site's mirror",
		Long:    "The mirror is the registry from which the site's container runtime pulls.",
		Example: "  sallyport mirror fsck",
	}, p.mirrorServeVerb(), p.mirrorFsckVerb(), p.mirrorGCVerb(), p.mirrorConfigVerb())
}

func (p *program) mirrorServeVerb() *cobra.Command {
	var remote bool
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve the mirror's folder as a registry, until stopped",
		Long: `Serve the folder that site.yaml names under spec.mirror.dir as a registry at spec.mirror.listen, until stopped.
Run it as a service: containers are pulled from it at any time. Anybody may pull. Pushes, deletes and tag moves need the
secret that the first verb which pushes writes into the state folder, as mirror.secret; only the user who runs
sallyport can read it, and it has to be the same user who runs this.`,
		Example: "  sallyport mirror serve",
		Args:    args(),
		RunE:    func(c *cobra.Command, _ []string) error { return p.mirrorServe(c.Context(), remote) },
	}
	c.Flags().BoolVar(&remote, "remote-writes", false, "let other machines push and delete, too, if they know the secret")
	return exits(c)
}

func (p *program) mirrorServe(ctx context.Context, remote bool) error {
	frugal()
	cfg, err := apply.LoadConfig(p.flags.site)
	if err != nil {
		return err
	}
	m := cfg.Spec.Mirror
	if !m.Embedded() {
		return &usageError{fmt.Sprintf("%s has a mirror of its own at %s", cfg.Metadata.Name, m.URL), "set spec.mirror.dir and spec.mirror.listen to let sallyport be the mirror"}
	}
	level := slog.LevelInfo
	if p.flags.quiet {
		level = slog.LevelWarn
	}
	log := slog.New(slog.NewTextHandler(p.err, &slog.HandlerOptions{Level: level}))
	if p.flags.logFormat == "json" {
		log = jsonLog(p.err, level)
	}
	p.ui.say("serving", "%s at http://%s, until stopped", m.Dir, m.Listen)
	served := cfg.ServedMirror()
	served.RemoteWrites, served.Log = remote, log
	return embedded.Serve(ctx, served, m.Listen)
}

func (p *program) mirrorFsckVerb() *cobra.Command {
	var repair string
	c := &cobra.Command{
		Use:   "fsck [--repair BUNDLE]",
		Short: "Read all that the current and the previous release need, and compare digests",
		Long: `Read every manifest and blob that the current, the previous and a staged release need from the mirror, and compare
digests; and see that the tags lead to the images of the release that runs. Nothing is changed without --repair.

--repair BUNDLE deletes what is damaged first, and brings what is missing from a bundle of the current, the previous or
the staged release. A bundle that was built against a base needs that base in the mirror.`,
		Example: `  sallyport mirror fsck
  sallyport mirror fsck --repair store-platform-2.4.0.tar`,
		Args: args(),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := p.openSite()
			if err != nil {
				return err
			}
			if repair != "" {
				if err := p.mirrorRepair(c.Context(), s, repair); err != nil {
					return err
				}
			}
			return p.mirrorFsck(c.Context(), s)
		},
	}
	p.stallFlag(c)
	c.Flags().StringVar(&repair, "repair", "", "a bundle from which to bring what is missing or damaged")
	return exits(c, exit{exitUntrusted, "the bundle to repair from is not trusted"}, exit{exitNotApplicable, "the bundle does not fit, or there is no room"},
		exit{exitPerson, "something is missing or damaged"}, exit{exitLocked, ""})
}

// mirrorRepair deletes what is damaged and brings what is missing from a bundle.
func (p *program) mirrorRepair(ctx context.Context, s *apply.Site, path string) error {
	in, err := p.openForSite(ctx, s, path, "", apply.ForRepair)
	if err != nil {
		return err
	}
	defer in.Close()
	p.ui.say("bundle", "%s", in.Name())
	res, err := s.Repair(ctx, apply.Input{Name: in.Name(), Size: in.Size(), Reader: in}, func(ctx context.Context, releases []*bundle.Descriptor) error {
		client, done, err := s.OpenMirror(ctx)
		if err != nil {
			return err
		}
		report, err := mirror.Fsck(ctx, client, releases)
		if err == nil {
			err = mirror.DropDamaged(ctx, client, report)
		}
		return errors.Join(err, done())
	})
	if err != nil {
		if exitCode(err) == exitUntrusted {
			err = in.blame(err)
		}
		return err
	}
	p.ui.say("mended", "%s pushed to the mirror", size(res.Bytes.Pushed))
	return nil
}

func (p *program) mirrorFsck(ctx context.Context, s *apply.Site) error {
	releases, err := s.Releases()
	if err != nil {
		return err
	}
	tagged, err := s.Tagged()
	if err != nil {
		return err
	}
	client, done, err := s.OpenMirror(ctx)
	if err != nil {
		return err
	}
	report, err := mirror.Fsck(ctx, client, releases)
	if err == nil && tagged != nil {
		err = mirror.FsckTags(ctx, client, tagged, report)
	}
	if err = errors.Join(err, done()); err != nil {
		return err
	}
	problems := len(report.Problems)
	var failed error
	if problems > 0 {
		failed = &fsckError{problems}
	}
	if p.flags.json {
		out := struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
			*mirror.FsckReport
			Error *errorObject `json:"error,omitempty"`
		}{bundle.APIVersion, "Fsck", report, nil}
		if failed != nil {
			out.Error = newErrorObject(failed)
			failed = &printedError{failed}
		}
		if err := p.object(out); err != nil {
			return err
		}
		return failed
	}
	for _, problem := range report.Problems {
		if problem.Tag != "" {
			p.sayTag(problem)
			continue
		}
		state, what := "missing", "blob"
		if problem.Damaged {
			state = "damaged"
		}
		if problem.Manifest {
			what = "manifest"
		}
		p.ui.line(state, "%s %s of %s, which %s needs", what, short(problem.Digest, false), problem.Repository, strings.Join(problem.Images, ", "))
	}
	p.ui.fine("%s read: %s and %s; %s.\n", size(report.Bytes), plural(report.Manifests, "manifest"), plural(report.Blobs, "blob"),
		plural(problems, "problem"))
	return failed
}

// sayTag tells of a tag that does not lead where it should.
func (p *program) sayTag(problem mirror.Problem) {
	state := "missing"
	if problem.Damaged {
		state = "moved"
	}
	p.ui.say(state, "tag %s of %s, which must lead to %s for %s", problem.Tag, problem.Repository, short(problem.Digest, false), strings.Join(problem.Images, ", "))
}

// fsckError tells that the mirror is not whole.
type fsckError struct{ problems int }

func (e *fsckError) Error() string {
	return fmt.Sprintf("the mirror lacks or has damaged %s that a release of this site needs", plural(e.problems, "thing"))
}
func (*fsckError) Reason() string { return "person" }
func (*fsckError) Hint() string {
	return "check the mirror's disk, then: sallyport mirror fsck --repair BUNDLE, with a full bundle of the release"
}

func (p *program) mirrorGCVerb() *cobra.Command {
	var dryRun bool
	c := &cobra.Command{
		Use:   "gc",
		Short: "Remove what neither slot's release needs",
		Long: `Remove from the mirror what releases of the past brought and neither slot needs. What others pushed stays. On an
embedded mirror this frees the disk; another registry wants its own garbage collection afterwards.`,
		Example: "  sallyport mirror gc --dry-run",
		Args:    args(),
		RunE:    func(c *cobra.Command, _ []string) error { return p.mirrorGC(c.Context(), dryRun) },
	}
	c.Flags().BoolVar(&dryRun, "dry-run", false, "say what would be removed, and remove nothing")
	return exits(c, exit{exitLocked, ""})
}

func (p *program) mirrorGC(ctx context.Context, dryRun bool) error {
	s, err := p.openSite()
	if err != nil {
		return err
	}
	report, err := collect(ctx, s, dryRun)
	if err != nil {
		return err
	}
	if p.flags.json {
		return p.object(struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
			*gcReport
		}{bundle.APIVersion, "GC", report})
	}
	verb := "removed"
	if dryRun {
		verb = "would go"
	}
	for _, m := range report.Manifests {
		p.ui.say(verb, "%s of %s", short(m.Digest, false), m.Repository)
	}
	told := p.ui.print
	if len(report.Manifests) == 0 && report.Freed == 0 {
		told = p.ui.fine
	}
	told("%s: %s, %s freed on disk.\n", verb, plural(len(report.Manifests), "manifest"), size(report.Freed))
	return nil
}

// gcReport is what mirror gc removed.
type gcReport struct {
	Manifests []mirror.Place `json:"manifests"`
	Freed     int64          `json:"freed"` // bytes on an embedded mirror's disk
}

// collect removes, under the site's lock, what no slot needs.
func collect(ctx context.Context, s *apply.Site, dryRun bool) (*gcReport, error) {
	report := &gcReport{Manifests: []mirror.Place{}}
	cfg := s.Config().Spec.Mirror
	err := s.Collect(ctx, !dryRun, func(ctx context.Context, keep, drop []*bundle.Descriptor) error {
		client, done, err := s.OpenMirror(ctx)
		if err != nil {
			return err
		}
		gone, err := mirror.GC(ctx, client, mirror.GCConfig{Keep: keep, Drop: drop, DryRun: dryRun})
		report.Manifests = append(report.Manifests, gone...)
		if err == nil && cfg.Embedded() && !dryRun {
			var freed embedded.Freed
			freed, err = embedded.Sweep(ctx, cfg.Dir, nil)
			report.Freed = freed.Bytes
		}
		return errors.Join(err, done())
	})
	return report, err
}

func (p *program) mirrorConfigVerb() *cobra.Command {
	var f mirrorConfigFlags
	c := &cobra.Command{
		Use:   "config (--containerd DIR | --k3s FILE)",
		Short: "Make containerd or k3s ask the mirror for original image names",
		Long: `Write the settings that make the site's container runtime ask the mirror for images by their original names: a
hosts.toml a registry host below DIR, or k3s' registries.yaml. The hosts are those of the releases in the slots; name
more, or those of a first release, by --registry. Files that somebody else wrote are kept unless --force is given.`,
		Example: `  sallyport mirror config --containerd /etc/containerd/certs.d --registry registry.example.com
  sallyport mirror config --k3s /etc/rancher/k3s/registries.yaml --registry registry.example.com`,
		Args: args(),
		RunE: func(*cobra.Command, []string) error { return p.mirrorConfig(f) },
	}
	c.Flags().StringVar(&f.containerd, "containerd", "", "containerd's config_path")
	c.Flags().StringVar(&f.k3s, "k3s", "", "k3s' registries.yaml")
	c.Flags().StringArrayVar(&f.registries, "registry", nil, "a registry host in image names; may be given several times")
	c.Flags().BoolVar(&f.force, "force", false, "replace files that somebody else wrote")
	return exits(c)
}

type mirrorConfigFlags struct {
	containerd, k3s string
	registries      []string
	force           bool
}

func (p *program) mirrorConfig(f mirrorConfigFlags) error {
	if f.containerd == "" && f.k3s == "" {
		return &usageError{"nothing to write", "name containerd's folder (--containerd DIR) or k3s' file (--k3s FILE)"}
	}
	s, err := p.openSite()
	if err != nil {
		return err
	}
	hosts, err := registryHosts(s)
	if err != nil {
		return err
	}
	hosts = append(hosts, f.registries...)
	if len(hosts) == 0 {
		return &usageError{"this site has no release yet, so the registries are not known", "name them: --registry registry.example.com"}
	}
	files := map[string][]byte{}
	if f.containerd != "" {
		dir, err := filepath.Abs(f.containerd)
		if err != nil {
			return err
		}
		if files, err = mirror.ContainerdHosts(dir, endpoint(s), hosts); err != nil {
			return err
		}
	}
	if f.k3s != "" {
		if files[f.k3s], err = mirror.K3sRegistries(endpoint(s), hosts); err != nil {
			return err
		}
	}
	changed, err := mirror.WriteFiles(files, f.force)
	if err != nil {
		return err
	}
	if p.flags.json {
		return p.object(map[string]any{"apiVersion": bundle.APIVersion, "kind": "MirrorConfig", "files": changed})
	}
	for _, file := range changed {
		p.ui.say("wrote", "%s", file)
	}
	told := p.ui.print
	if len(changed) == 0 {
		told = p.ui.fine
	}
	told("%d of %s changed. %s\n", len(changed), plural(len(files), "file"), readAgain(f))
	return nil
}

// registryHosts are those in the image names of the releases that the site holds.
func registryHosts(s *apply.Site) ([]string, error) {
	releases, err := s.Releases()
	if err != nil {
		return nil, err
	}
	var images []bundle.Image
	for _, d := range releases {
		images = append(images, d.Images...)
	}
	return mirror.Hosts(images)
}

// endpoint is the mirror as the container runtime of this machine reaches it.
func endpoint(s *apply.Site) mirror.Endpoint {
	cfg := s.Config()
	return cfg.MirrorEndpoint()
}

func readAgain(f mirrorConfigFlags) string {
	if f.k3s != "" {
		return "k3s reads its file when it starts: restart it."
	}
	return "containerd reads them at the next pull."
}
