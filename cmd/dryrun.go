package cmd

import (
	"context"
	"strings"

	"github.com/sallyport-dev/sallyport/apply"
)

// dryRun says what applying a bundle would change.
func (p *program) dryRun(ctx context.Context, path string) error {
	s, err := p.openSite()
	if err != nil {
		return err
	}
	in, err := p.openBundle(path, "")
	if err != nil {
		return err
	}
	defer in.Close()
	f, err := s.DryRun(ctx, apply.Input{Name: in.Name(), Size: in.Size(), Reader: in})
	if err != nil {
		return err
	}
	if p.flags.json {
		return p.object(f)
	}
	site := s.Config().Metadata.Name
	if f.Runs {
		p.ui.fine("Nothing would be done: %s runs %s.\n", site, f.Release)
		return nil
	}
	from := "nothing"
	if f.Current != nil {
		from = f.Current.String()
	}
	p.ui.line("release", "%s -> %s", from, f.Release)
	for _, c := range f.Changes {
		p.ui.line(string(c.Action), "%s", c.ID)
		for _, field := range c.Fields {
			p.ui.line("", "  %s", field)
		}
		if c.Note != "" {
			p.ui.line("", "  (%s)", c.Note)
		}
	}
	p.ui.line("mirror", "%s to push, %s there already", size(f.Push), size(f.Reuse))
	if len(f.Checks) > 0 {
		p.ui.line("checks", "%s", strings.Join(f.Checks, ", "))
	}
	p.ui.fine("\nThis was a dry run: nothing has changed. To do it: sallyport apply %s\n", path)
	return nil
}
