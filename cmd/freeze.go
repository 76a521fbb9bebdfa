package cmd

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/apply"
	"github.com/sallyport-dev/sallyport/bundle"
)

func (p *program) freezeVerb() *cobra.Command {
	var reason, until string
	notices := &noticeOptions{}
	c := &cobra.Command{
		Use:   "freeze",
		Short: "Hold every switch to another release until it is lifted",
		Long: `Hold every switch of this site to another release: neither a window nor apply --now overrides it. It counts at once, also for
an apply that is at work and has not switched yet. Staging goes on, and so do what is on trial already, confirm and rollback.

Without --until it lasts until sallyport unfreeze. A second freeze takes the place of the first one.`,
		Example: `  sallyport freeze --reason "stocktaking" --until 2027-01-07T06:00:00+01:00`,
		Args:    args(),
		RunE: func(c *cobra.Command, _ []string) error {
			if notices.asked() {
				return p.writeNotice(c.Context(), notices, reason, until)
			}
			return p.freeze(reason, until)
		},
	}
	p.noticeFlags(c, notices)
	c.Flags().StringVar(&reason, "reason", "", "why, for those who ask sallyport status")
	c.Flags().StringVar(&until, "until", "", "when it ends by itself: a `TIME` such as 2027-01-07T06:00:00+01:00, or how long it lasts, such as 36h")
	return exits(c)
}

func (p *program) unfreezeVerb() *cobra.Command {
	return exits(&cobra.Command{
		Use:   "unfreeze",
		Short: "Lift a freeze",
		Long: `Lift what sallyport freeze holds. Where the site is not frozen it does nothing. A notice that the factory has signed stays:
what ends it, sallyport status says.`,
		Example: "  sallyport unfreeze",
		Args:    args(),
		RunE:    func(*cobra.Command, []string) error { return p.unfreeze() },
	}, exit{exitNotApplicable, "a notice that the factory has signed holds the site"})
}

// freezing is what freeze and unfreeze tell scripts.
type freezing struct {
	APIVersion string        `json:"apiVersion"`
	Kind       string        `json:"kind"`
	Site       string        `json:"site"`
	Frozen     bool          `json:"frozen"`
	Freeze     *apply.Freeze `json:"freeze"`
}

func (p *program) freeze(reason, until string) error {
	s, err := p.openSite()
	if err != nil {
		return err
	}
	end, length, err := moment(until)
	if err != nil {
		return err
	}
	f, err := s.Freeze(reason, end, length)
	if err != nil {
		return err
	}
	p.metrics(s)
	name := s.Config().Metadata.Name
	if p.flags.json {
		return p.object(freezing{bundle.APIVersion, "Freezing", name, true, f})
	}
	p.ui.closing("%s is frozen %s. sallyport unfreeze lifts it.", name, f)
	return nil
}

// moment reads when something ends: a time, or how long it lasts. Empty is neither.
func moment(text string) (at *time.Time, length time.Duration, err error) {
	if text == "" {
		return nil, 0, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return nil, d, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, 0, &usageError{fmt.Sprintf("--until %q is neither a time nor how long it lasts", text), "write 2027-01-07T06:00:00+01:00, or 36h"}
	}
	return &t, 0, nil
}

func (p *program) unfreeze() error {
	s, err := p.openSite()
	if err != nil {
		return err
	}
	was, err := s.Unfreeze()
	if err != nil {
		return err
	}
	p.metrics(s)
	name := s.Config().Metadata.Name
	switch {
	case p.flags.json:
		return p.object(freezing{bundle.APIVersion, "Freezing", name, false, nil})
	case was:
		p.ui.closing("%s is not frozen any more.", name)
	default:
		p.ui.fine("%s was not frozen.\n", name)
	}
	return nil
}

func (p *program) approveVerb() *cobra.Command {
	return exits(&cobra.Command{
		Use:   "approve [VERSION]",
		Short: "Let sallyport run switch to a release that holds for a person",
		Long: `Let sallyport run switch to the release that is staged, although it says catchUp: hold. It does so in the next window.
With VERSION that has to be the staged release's: nothing else is approved by mistake.`,
		Example: "  sallyport approve 2.4.0",
		Args: func(c *cobra.Command, got []string) error {
			if len(got) > 1 {
				return args("VERSION")(c, got)
			}
			return nil
		},
		RunE: func(_ *cobra.Command, a []string) error { return p.approve(append(a, "")[0]) },
	})
}

func (p *program) approve(version string) error {
	s, err := p.openSite()
	if err != nil {
		return err
	}
	r, err := s.Approve(version)
	if err != nil {
		return err
	}
	p.metrics(s)
	if p.flags.json {
		return p.object(struct {
			APIVersion string         `json:"apiVersion"`
			Kind       string         `json:"kind"`
			Site       string         `json:"site"`
			Release    *apply.Release `json:"release"`
		}{bundle.APIVersion, "Approval", s.Config().Metadata.Name, r})
	}
	p.ui.closing("%s is approved: sallyport run switches to it when it may.", r)
	return nil
}
