package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/apply"
)

func (p *program) applyVerb() *cobra.Command {
	var dryRun, staged, now, retry, repair bool
	c := &cobra.Command{
		Use:   "apply BUNDLE [--dry-run] | --staged | --repair [BUNDLE]",
		Short: "Bring the site to the release in a bundle, or leave it as it was",
		Long: `Bring the site to the release in a bundle: verify it, load the mirror, fill the slot that does not run, switch, and run
the checks. If they pass the release is committed; if not, the previous release is put back and checked again.

Whatever happens on the way (a pulled stick, a power cut, Ctrl-C), the site runs the old release or the new one, and
the next sallyport finishes or undoes the work. On a site with a boot loader a release that brings another operating system
is armed: the next boot tries it, sallyport confirm decides then, and --reboot boots at once. A release that already runs is left alone; what is lost or damaged of
it here is brought back from the bundle, and what differs from it on the target is told. --repair puts that back, and runs
the release's checks: what people changed, took away or added there. What controllers of the cluster wrote stays.
A release that a person rolled back from comes again with --retry only.

Where site.yaml has windows, a switch to another release begins in one of them only, as long as enough of it is left for the checks
and a rollback; --now passes that. A frozen site (sallyport freeze) switches to nothing until sallyport unfreeze.

BUNDLE is a file, its first part (FILE.001), - for standard input, or a directory that holds bundles of one release:
then the smallest that fits this site is taken.`,
		Example: `  sallyport apply /media/stick
  sallyport apply --dry-run store-platform-2.4.0.tar`,
		RunE: func(c *cobra.Command, a []string) error {
			switch {
			case staged && (len(a) > 0 || dryRun || repair):
				return &usageError{"--staged takes no bundle, no --dry-run and no --repair", "sallyport apply --staged"}
			case repair && dryRun:
				return &usageError{"--repair takes no --dry-run", "sallyport status shows what it would put back"}
			case staged:
				return p.onSite(c.Context(), func(s *apply.Site) (*apply.Result, error) { return s.ApplyStaged(c.Context(), apply.Options{Now: now}) })
			case repair && len(a) == 0:
				return p.onSite(c.Context(), func(s *apply.Site) (*apply.Result, error) { return s.RepairTarget(c.Context()) })
			case len(a) != 1:
				return args("BUNDLE")(c, a)
			case dryRun:
				return p.dryRun(c.Context(), a[0], apply.Options{Retry: retry, Now: now})
			}
			return p.take(c.Context(), a[0], func(s *apply.Site, in apply.Input) (*apply.Result, error) {
				return s.Apply(c.Context(), in, apply.Options{Retry: retry, Repair: repair, Now: now})
			})
		},
	}
	c.Flags().BoolVar(&dryRun, "dry-run", false, "say what would change, and change nothing")
	c.Flags().BoolVar(&staged, "staged", false, "switch to the release that sallyport stage has brought")
	p.stallFlag(c)
	p.rebootFlag(c)
	c.Flags().BoolVar(&retry, "retry", false, "try a release again that failed here before, or that a person rolled back from")
	c.Flags().BoolVar(&repair, "repair", false, "put back what differs on the target from the release that runs; needs no bundle")
	c.Flags().BoolVar(&now, "now", false, "go on outside the site's windows and in its blackouts; a freeze holds all the same")
	return exits(c, ofSite...)
}

func (p *program) stageVerb() *cobra.Command {
	var retry bool
	c := &cobra.Command{
		Use:   "stage BUNDLE",
		Short: "Verify a bundle, load the mirror and fill the other slot; what runs stays",
		Long: `Verify a bundle, load the mirror and fill the slot that does not run. Nothing that runs changes.
sallyport apply --staged switches to it later.`,
		Example: "  sallyport stage /media/stick",
		Args:    args("BUNDLE"),
		RunE: func(c *cobra.Command, a []string) error {
			return p.take(c.Context(), a[0], func(s *apply.Site, in apply.Input) (*apply.Result, error) {
				return s.Stage(c.Context(), in, apply.Options{Retry: retry})
			})
		},
	}
	p.stallFlag(c)
	c.Flags().BoolVar(&retry, "retry", false, "take a release that failed here before")
	return exits(c, ofSite...)
}

func (p *program) confirmVerb() *cobra.Command {
	var overdue bool
	c := &cobra.Command{
		Use:   "confirm",
		Short: "Finish what was under way when the machine stopped",
		Long: `Finish what was under way when the machine or a sallyport stopped: run the checks of a release on trial and commit it or
put the previous one back. Does nothing where nothing was under way. Run it at boot.`,
		Example: "  sallyport confirm",
		Args:    args(),
		RunE: func(c *cobra.Command, _ []string) error {
			return p.onSite(c.Context(), func(s *apply.Site) (*apply.Result, error) {
				if overdue {
					return s.Overdue(c.Context())
				}
				return s.Confirm(c.Context())
			})
		},
	}
	c.Flags().BoolVar(&p.rebootBack, "reboot", false, "reboot this machine if the way back takes that; one that leads to a trial is left to people")
	c.Flags().BoolVar(&overdue, "deadline", false, "end a trial that nobody has confirmed by now, and go back to the slot that ran before")
	return exits(c, exit{exitRolledBack, ""}, exit{exitPerson, ""}, exit{exitLocked, ""})
}

func (p *program) rollbackVerb() *cobra.Command {
	var o apply.RollbackOptions
	c := &cobra.Command{
		Use:   "rollback",
		Short: "Go back to the previous release",
		Long: `Go back to the release that ran before the current one: it is in the other slot, and its images are in the mirror.
Its checks decide as in apply. Where it runs with another operating system, the next boot takes it, and --reboot boots at once.
If the site's data have changed since it ran, say what becomes of them.`,
		Example: "  sallyport rollback",
		Args:    args(),
		RunE: func(c *cobra.Command, _ []string) error {
			if o.KeepData && o.RestoreData {
				return &usageError{"--keep-data and --restore-data exclude each other", "keep the data, or put back what was saved"}
			}
			if o.RestoreData && !p.reboot {
				return &usageError{"--restore-data takes --reboot: what works on the data is stopped until the boot", "sallyport rollback --restore-data --reboot"}
			}
			return p.onSite(c.Context(), func(s *apply.Site) (*apply.Result, error) { return s.Rollback(c.Context(), o) })
		},
	}
	p.rebootFlag(c)
	c.Flags().BoolVar(&o.KeepData, "keep-data", false, "go back although the site's data have changed, and leave them as they are")
	c.Flags().BoolVar(&o.RestoreData, "restore-data", false, "put back the data that were saved when that release was left, and lose what was written since")
	return exits(c, exit{exitNotApplicable, "there is nothing to go back to"}, exit{exitRolledBack, ""}, exit{exitPerson, ""}, exit{exitLocked, ""})
}

// openSite reads site.yaml.
func (p *program) openSite() (*apply.Site, error) {
	frugal()
	cfg, err := apply.LoadConfig(p.flags.site)
	if err != nil {
		return nil, err
	}
	return apply.Open(cfg, func(e apply.Event) { p.event(e.Label, e.Text, e.Done, e.Total) }), nil
}

// take opens a bundle and hands it to a verb of the site.
func (p *program) take(ctx context.Context, path string, verb func(*apply.Site, apply.Input) (*apply.Result, error)) error {
	return p.onSite(ctx, func(s *apply.Site) (*apply.Result, error) {
		if err := p.heed(ctx, s, path); err != nil {
			return nil, err
		}
		in, err := p.openForSite(ctx, s, path, "reading", false)
		if err != nil {
			return nil, err
		}
		defer in.Close()
		p.ui.say("bundle", "%s", in.Name())
		if medium := s.Medium(path, in.Name()); medium != "" {
			p.media = []string{medium}
		}
		res, err := verb(s, apply.Input{Name: in.Name(), Size: in.Size(), Reader: in})
		if exitCode(err) == exitUntrusted {
			err = in.blame(err)
		}
		return res, err
	})
}

// heed has the site take the freeze notices that lie in a folder, such as a stick.
func (p *program) heed(ctx context.Context, s *apply.Site, path string) error {
	_, err := patiently(ctx, p.stall, path, func() (struct{}, error) {
		if st, err := os.Stat(path); err != nil || !st.IsDir() {
			return struct{}{}, nil // opening it tells
		}
		return struct{}{}, s.TakeNotices(ctx, path)
	})
	return err
}

// onSite runs a verb of the site and tells how it ended. A rollback has a result as well as an error.
func (p *program) onSite(ctx context.Context, verb func(*apply.Site) (*apply.Result, error)) error {
	s, err := p.openSite()
	if err != nil {
		return err
	}
	res, err := verb(s)
	if p.boots(res, err) {
		defer p.bootAgain(ctx, s, err)
	}
	told := p.tellResult(s, res, err)
	if exitCode(err) != exitUsage {
		p.receipts(ctx, s)
		p.metrics(s)
	}
	return told
}

// tellResult says how a verb of the site ended.
func (p *program) tellResult(s *apply.Site, res *apply.Result, err error) error {
	switch {
	case res == nil:
		return err
	case p.flags.json:
		return p.objectWithError(resultError{Result: res, Error: newErrorObject(err)}, err)
	}
	p.closing(s, res, err)
	return err
}

// rebootFlag lets the verb reboot the machine.
func (p *program) rebootFlag(c *cobra.Command) {
	c.Flags().BoolVar(&p.reboot, "reboot", false, "reboot this machine if the next step takes that")
}

// boots tells whether the verb is to reboot the machine: only that leads on, and its flag allows it.
func (p *program) boots(res *apply.Result, err error) bool {
	if err != nil {
		return (p.reboot || p.rebootBack) && reason(err) == "reboot"
	}
	return p.reboot && res != nil && res.Result == apply.ResultArmed
}

// bootAgain reboots the machine. Where that fails, the loader's next boot does the same.
func (p *program) bootAgain(ctx context.Context, s *apply.Site, err error) {
	if err != nil {
		p.ui.say("failed", "%s", message(err))
	}
	if err := s.Reboot(ctx); err != nil && ctx.Err() == nil {
		p.ui.say("note", "%s", message(err))
	}
}

// resultError is a failure that came with a result: with --json both are one object.
type resultError struct {
	*apply.Result
	Error *errorObject `json:"error,omitempty"`
}

// objectWithError prints an object that tells of err too, if there is one, and ends as err does.
func (p *program) objectWithError(out any, err error) error {
	if printed := p.object(out); printed != nil {
		return printed
	}
	if err != nil {
		return &printedError{err}
	}
	return nil
}

// closing tells what changed and what to do next.
func (p *program) closing(s *apply.Site, res *apply.Result, err error) {
	site := s.Config().Metadata.Name
	release := "no release"
	if res.Release != nil {
		release = res.Release.String()
	}
	was := ""
	if res.Previous != nil && res.Release != nil && res.Previous.Version != res.Release.Version {
		was = fmt.Sprintf(" (was %s)", res.Previous.Version)
	}
	took := span(time.Duration(res.Seconds * float64(time.Second)))
	switch {
	case err != nil && errors.Is(err, context.Canceled):
	case err != nil && exitCode(err) == exitRolledBack:
		p.failedUpdate(s, res)
	case err != nil:
	case res.Result == apply.ResultCommitted:
		p.loaded(res)
		p.ui.closing("%s now runs %s%s. It took %s.", site, release, was, took)
	case res.Result == apply.ResultStaged:
		p.loaded(res)
		p.ui.closing("%s is ready on %s; nothing that runs has changed. Switch to it: sallyport apply --staged", release, site)
	case res.Result == apply.ResultArmed && res.Phase == apply.RollingBack:
		p.ui.closing("%s goes back to %s at the next boot: reboot this machine.", site, release)
	case res.Result == apply.ResultArmed:
		p.loaded(res)
		p.ui.closing("%s is armed on %s: the next boot tries it, sallyport confirm decides then, and what runs now comes back by itself if it fails. Reboot this machine.", release, site)
	case res.Result == apply.ResultRolledBack:
		p.ui.closing("%s was rolled back: %s.", release, s.Runs())
	case res.Result == apply.ResultRecovered:
		p.ui.closing("%s is whole again and runs %s. It took %s.", site, release, took)
	case len(res.Mended) > 0:
		p.ui.closing("%s is whole again and runs %s. Brought back: %s.", site, release, strings.Join(res.Mended, "; "))
	case len(res.Drift) > 0:
		p.ui.say("objects", "%s", differ(len(res.Drift)))
		p.differences(res.Drift)
		p.ui.closing("There was nothing to do: %s runs %s. But %s: sallyport apply --repair puts them back.", site, release, differ(len(res.Drift)))
	case res.Release == nil:
		p.ui.fine("\nThere was nothing to do: %s runs no release yet.\n", site)
	default:
		p.ui.fine("\nThere was nothing to do: %s runs %s.\n", site, release)
	}
}

// failedUpdate tells what runs after a rollback, and what that has not brought back.
func (p *program) failedUpdate(s *apply.Site, res *apply.Result) {
	if len(res.Left)+len(res.Leaving) == 0 {
		p.ui.closing("The update failed and %s. Nothing was lost.", s.RunsAgain())
		return
	}
	p.ui.closing("The update failed and %s, but not all of it is as it was. Each later verb tries the rest again.", s.RunsAgain())
	p.left(res.Left, res.Leaving)
}

// left lists objects that are not as they should be.
func (p *program) left(left, leaving []apply.Left) {
	for _, l := range left {
		p.ui.line("left", "%s: %s", l.ID, l.Why)
	}
	for _, l := range leaving {
		p.ui.line("leaving", "%s: %s", l.ID, l.Why)
	}
}

func (p *program) loaded(res *apply.Result) {
	if res.Bytes.Read > 0 {
		p.ui.say("moved", "%s read, %s pushed to the mirror, %s were there", size(res.Bytes.Read), size(res.Bytes.Pushed), size(res.Bytes.Reused))
	}
}
