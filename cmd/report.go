package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/bundle"
)

func (p *program) reportVerb() *cobra.Command {
	export := exits(&cobra.Command{
		Use:   "export DIR",
		Short: "Write all receipts that this site holds into a folder",
		Long: `Write the signed receipts that this site holds into a folder, with the enrolment of its key and how the site is now, and
read them back. Each apply leaves its receipt on the stick that the bundle came from; this is for another way to carry them.
The folder may hold receipts of other sites too.`,
		Example: "  sallyport report export /media/stick/receipts",
		Args:    args("DIR"),
		RunE:    func(c *cobra.Command, a []string) error { return p.reportExport(c.Context(), a[0]) },
	}, exit{exitLocked, "another sallyport writes receipts"})
	return group(&cobra.Command{
		Use:     "report",
		Short:   "What sites did, by their signed receipts",
		Long:    "What sites did, by the signed receipts that they send back.",
		Example: "  sallyport report export /media/stick/receipts",
	}, append([]*cobra.Command{export}, p.reportShowVerbs()...)...)
}

func (p *program) reportExport(ctx context.Context, dir string) error {
	s, err := p.openSite()
	if err != nil {
		return err
	}
	rs, err := s.OpenReceipts(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = rs.Close() }() // it only gives a lock back
	put, err := rs.Export(ctx, dir)
	if err != nil {
		return err
	}
	if p.flags.json {
		return p.object(struct {
			APIVersion string   `json:"apiVersion"`
			Kind       string   `json:"kind"`
			Site       string   `json:"site"`
			Receipts   []string `json:"receipts"`
		}{bundle.APIVersion, "ReportExport", s.Config().Metadata.Name, append([]string{}, put...)})
	}
	p.ui.print("%s of %s in %s. sallyport report show, at the factory, reads them.\n", plural(len(put), "receipt"), s.Config().Metadata.Name, dir)
	return nil
}
