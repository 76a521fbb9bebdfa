package cmd

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/apply"
	"github.com/sallyport-dev/sallyport/apply/inbox"
)

func (p *program) runVerb() *cobra.Command {
	var from []string
	c := &cobra.Command{
		Use:   "run",
		Short: "Do what is due, unattended: for cron and timers",
		Long: `One unattended pass, safe to start every minute. It finishes what was under way, looks into the inboxes of site.yaml, stages
the bundle that moves this site furthest, at any time and behind everything else that the machine does, and switches to it once
a window is open and the site's own moment in it has come. Where a release requires another one first, it goes through that.

A site that is frozen, a release that holds for a person (sallyport approve), and a machine on a battery that is nearly
empty do not switch. A release that failed here is left alone; what failed for other reasons is tried again, at growing
intervals of up to an hour. A file that is still being copied waits until it is whole.

Where there is nothing to do, or not now, or another sallyport is at work, it says nothing and the exit status is 0;
with --json "why" tells.`,
		Example: "  sallyport run",
		Args:    args(),
		RunE: func(c *cobra.Command, _ []string) error {
			p.media, p.forward = from, true
			return p.onSite(c.Context(), func(s *apply.Site) (*apply.Result, error) {
				inboxes, err := s.Inboxes()
				if err != nil {
					return nil, err
				}
				for _, more := range from {
					inboxes = append(inboxes, inbox.Folder(filepath.Clean(more)))
				}
				res, err := s.Run(c.Context(), inboxes)
				if err == nil && res.Result == apply.ResultNothing {
					p.ui.silent = true
				}
				return res, err
			})
		},
	}
	c.Flags().StringArrayVar(&from, "inbox", nil, "look into this `FOLDER` too, such as where a stick is mounted; may be repeated")
	p.rebootFlag(c)
	return exits(c, append(ofSite[:len(ofSite)-1:len(ofSite)-1], exit{exitDone, "done, or there was nothing to do, or not now"})...)
}
