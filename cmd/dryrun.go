package cmd

import (
	"context"
	"strings"

	"github.com/sallyport-dev/sallyport/apply"
	"github.com/sallyport-dev/sallyport/apply/kube"
)

// dryRun says what applying a bundle would change.
func (p *program) dryRun(ctx context.Context, path string, o apply.Options) error {
	s, err := p.openSite()
	if err != nil {
		return err
	}
	in, err := p.openForSite(ctx, s, path, "", false)
	if err != nil {
		return err
	}
	defer in.Close()
	f, err := s.DryRun(ctx, apply.Input{Name: in.Name(), Size: in.Size(), Reader: in}, o)
	if exitCode(err) == exitUntrusted {
		err = in.blame(err)
	}
	if f == nil {
		return err
	}
	if p.flags.json {
		return p.objectWithError(forecastError{Forecast: f, Error: newErrorObject(err)}, err)
	}
	if f.Runs {
		p.ui.fine("Nothing would be done: %s runs %s.\n", s.Config().Metadata.Name, f.Release)
		return nil
	}
	p.forecast(f)
	if err != nil {
		p.ui.fine("\nThis was a dry run: nothing has changed, and sallyport apply would change nothing either.\n")
		return err
	}
	p.ui.fine("\nThis was a dry run: nothing has changed. To do it: sallyport apply %s\n", path)
	return nil
}

// forecastError is a forecast of a release that the target would refuse.
type forecastError struct {
	*apply.Forecast
	Error *errorObject `json:"error,omitempty"`
}

func (p *program) forecast(f *apply.Forecast) {
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
		if c.OneWay != "" {
			p.ui.line("", "  (no rollback can undo this%s: %s)", accepted(c), c.OneWay)
		}
		if c.Note != "" {
			p.ui.line("", "  (%s)", c.Note)
		}
	}
	p.ui.line("mirror", "%s to push, %s there already", size(f.Push), size(f.Reuse))
	if len(f.Checks) > 0 {
		p.ui.line("checks", "%s", strings.Join(f.Checks, ", "))
	}
}

// accepted says of a change that cannot be undone that the release allows it.
func accepted(c kube.Change) string {
	if c.Accepted {
		return ", and the release accepts that"
	}
	return ""
}
