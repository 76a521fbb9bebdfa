package cmd

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/apply"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

func (p *program) siteVerb() *cobra.Command {
	var force, state bool
	var boot string
	init := &cobra.Command{
		Use:   "init",
		Short: "Write a commented site.yaml",
		Long: `Write a commented site.yaml to the place that --site names (default /etc/sallyport/site.yaml). Edit it, put the
factory's public key where it says, and ask sallyport doctor what is missing.

--state makes the state folder that an existing site.yaml names, with a marker in it, and notes beside site.yaml where its
disk is mounted: an empty folder in its place is then not taken for a new site. The first apply does the same. Run it
by hand where the state of a site is lost for good and a new disk takes its place.

--boot grub has GRUB boot the slots that an existing site.yaml describes (spec.slots): it writes sallyport.cfg into GRUB's folder,
the state of the slots into GRUB's environment block, and what has update-grub read the one. The slot that runs is good
from then on, the other one bad. A state that is there stays, unless --force asks for a new one.`,
		Example: "  sallyport site init --site /etc/sallyport/site.yaml\n  sallyport site init --boot grub",
		Args:    args(),
		RunE: func(*cobra.Command, []string) error {
			switch {
			case boot != "" && state:
				return &usageError{"--boot and --state exclude each other", "run one after the other"}
			case boot != "":
				return p.siteInitBoot(boot, force)
			case state:
				return p.siteInitState()
			}
			return p.siteInit(force)
		},
	}
	init.Flags().BoolVar(&state, "state", false, "make the state folder of a site.yaml that is there")
	init.Flags().StringVar(&boot, "boot", "", "set up this boot `LOADER` for the slots of a site.yaml that is there: grub")
	init.Flags().BoolVar(&force, "force", false, "replace a file that is there; with --boot, the state of the slots")
	return group(&cobra.Command{
		Use:     "site",
		Short:   "Set up this machine as a site",
		Long:    "Set up this machine as a site.",
		Example: "  sallyport site init",
	}, exits(init))
}

func (p *program) siteInit(force bool) error {
	file := p.flags.site
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) && !force {
		return &usageError{file + " is there already", "edit it, or replace it with --force"}
	}
	if err := durable.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := durable.WriteFile(file, []byte(apply.ConfigTemplate), 0o644); err != nil {
		return err
	}
	if p.flags.json {
		return p.object(map[string]string{"apiVersion": bundle.APIVersion, "kind": "SiteInit", "file": file})
	}
	p.ui.print("%s written. Edit it, then: sallyport doctor\n", file)
	return nil
}

// siteInitState says that the state folder of site.yaml is the site's from now on.
func (p *program) siteInitState() error {
	s, err := p.openSite()
	if err != nil {
		return err
	}
	if err := s.InitState(); err != nil {
		return err
	}
	dir := s.Config().Spec.State
	if p.flags.json {
		return p.object(map[string]string{"apiVersion": bundle.APIVersion, "kind": "SiteInit", "state": dir})
	}
	p.ui.print("%s is the state folder of %s.\n", dir, s.Config().Metadata.Name)
	return nil
}

// siteInitBoot has a boot loader boot the slots of site.yaml.
func (p *program) siteInitBoot(loader string, force bool) error {
	cfg, err := apply.LoadConfig(p.flags.site)
	if err != nil {
		return err
	}
	done, err := cfg.SetUpBoot(loader, force)
	if err != nil {
		return err
	}
	if p.flags.json {
		return p.object(struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
			*apply.BootSetup
		}{bundle.APIVersion, "SiteInit", done})
	}
	for _, file := range done.Files {
		p.ui.print("%s written.\n", file)
	}
	for i, step := range done.Next {
		p.ui.print("%-7s %s\n", []string{"Next:", "Then:"}[min(i, 1)], step)
	}
	return nil
}

func (p *program) doctorVerb() *cobra.Command {
	var push bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this site lacks for an update, and how to mend it",
		Long: `Look at everything that an update needs (state, room, trust, clock, mirror, what the site has of its releases, target,
checks, container runtime) and say how to mend what is missing. Nothing is written, unless --push is given.`,
		Example: "  sallyport doctor",
		Args:    args(),
		RunE:    func(c *cobra.Command, _ []string) error { return p.doctor(c.Context(), push) },
	}
	c.Flags().BoolVar(&push, "push", false, "push a few bytes to the mirror, to see whether it takes them")
	return exits(c, exit{exitUnexpected, "something has to be mended"})
}

func (p *program) doctor(ctx context.Context, push bool) error {
	s, err := p.openSite()
	if err != nil {
		return err
	}
	findings := s.Doctor(ctx, push)
	var ill int
	for _, f := range findings {
		if !f.OK {
			ill++
		}
	}
	var failed error
	if ill > 0 {
		failed = &doctorError{ill}
	}
	if p.flags.json {
		out := struct {
			APIVersion string          `json:"apiVersion"`
			Kind       string          `json:"kind"`
			Site       string          `json:"site"`
			Findings   []apply.Finding `json:"findings"`
			Error      *errorObject    `json:"error,omitempty"`
		}{bundle.APIVersion, "Doctor", s.Config().Metadata.Name, findings, nil}
		if failed != nil {
			out.Error = newErrorObject(failed)
			failed = &printedError{failed}
		}
		if err := p.object(out); err != nil {
			return err
		}
		return failed
	}
	for _, f := range findings {
		told, state := p.ui.fine, verdict("ok")
		if !f.OK {
			told, state = p.ui.print, "FAILED"
		}
		told("%-9s %s%*s  %s\n", f.Name, state, len("FAILED")-len(state), "", f.Message)
		if f.Mend != "" {
			told("%-9s %-6s  -> %s\n", "", "", f.Mend)
		}
	}
	return failed
}

// doctorError tells that something has to be mended.
type doctorError struct{ ill int }

func (e *doctorError) Error() string { return plural(e.ill, "thing") + " to mend before an update" }
func (*doctorError) Reason() string  { return "unexpected" }
func (*doctorError) Hint() string {
	return "do what stands behind the arrows, then run sallyport doctor again"
}
