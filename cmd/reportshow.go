//go:build !site

package cmd

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	fleet "github.com/sallyport-dev/sallyport/apply/receipt/report"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// showOptions are the flags of report show.
type showOptions struct {
	trust            string
	csv, openMetrics bool
	html             string
	offline          time.Duration
}

func (p *program) reportShowVerbs() []*cobra.Command {
	var o showOptions
	c := &cobra.Command{
		Use:   "show DIR",
		Short: "Tell what sites did, by a folder of their receipts",
		Long: `Read every receipt in a folder and below it, check its signature and that each site's receipts follow each other, and tell of each
site, by region and ring (its labels of these names): what it runs, when it was last seen, applied a release and tried to, and whether it
is ok, not due, held, offline, failed, or needs a person. Offline is a site of which nothing was heard for longer than --offline-after.

What does not fit stands apart by name: wrong signatures and chains, two machines with one key, a site with a new key.
Whose key it is, the enrolments say that sites send with their receipts; --trust names those that you have accepted, and only
these count then.`,
		Example: "  sallyport report show receipts --trust enrolments\n  sallyport report show receipts --html fleet.html",
		Args:    args("DIR"),
		RunE:    func(c *cobra.Command, a []string) error { return p.reportShow(c.Context(), a[0], o) },
	}
	c.Flags().StringVar(&o.trust, "trust", "", "believe only the enrolments in this `FILE` or folder")
	c.Flags().BoolVar(&o.csv, "csv", false, "print comma-separated values, one line a site")
	c.Flags().BoolVar(&o.openMetrics, "openmetrics", false, "print OpenMetrics text")
	c.Flags().StringVar(&o.html, "html", "", "write one page that needs nothing else into this `FILE`")
	c.Flags().DurationVar(&o.offline, "offline-after", 7*24*time.Hour, "a site that was not heard of for so long is offline")
	return []*cobra.Command{exits(c)}
}

func (p *program) reportShow(ctx context.Context, dir string, o showOptions) error {
	forms := 0
	for _, chosen := range []bool{p.flags.json, o.csv, o.openMetrics} {
		if chosen {
			forms++
		}
	}
	if forms > 1 {
		return &usageError{"--json, --csv and --openmetrics exclude each other", "choose one of them; --html goes with each"}
	}
	for _, path := range []string{dir, o.trust} {
		if _, err := os.Stat(path); path != "" && errors.Is(err, fs.ErrNotExist) {
			return &usageError{"there is no " + path, "name a folder of receipts, such as those of the sticks that came back"}
		}
	}
	f, err := fleet.Read(ctx, dir, fleet.Options{Trust: o.trust, OfflineAfter: o.offline, Now: time.Now().UTC()})
	if err != nil {
		return err
	}
	if o.html != "" {
		var page bytes.Buffer
		if err := f.HTML(&page); err != nil {
			return err
		}
		if err := durable.WriteFile(o.html, page.Bytes(), 0o644); err != nil {
			return err
		}
	}
	switch {
	case p.flags.json:
		return p.object(f)
	case o.csv:
		return f.CSV(p.out)
	case o.openMetrics:
		return f.OpenMetrics(p.out)
	}
	p.printFleet(f)
	return nil
}

func (p *program) printFleet(f *fleet.Fleet) {
	t := p.ui.table(2)
	t.row("REGION\tRING\tSITE\tSTATE\tRUNS\tLAST SEEN\tLAST APPLIED\tLAST ATTEMPT\tREAD")
	for _, s := range f.Sites {
		runs := "nothing"
		if s.Runs != nil {
			runs = s.Runs.Name + " " + s.Runs.Version
		}
		t.row("%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", dash(s.Region), dash(s.Ring), s.Name, s.State, runs,
			stamped(s.Seen), stamped(s.Applied), lastAttempt(s), size(s.Bytes.Read))
	}
	t.print()
	for _, s := range f.Sites {
		if s.Why != "" {
			p.ui.print("%s %s: %s\n", s.Name, s.State, s.Why)
		}
	}
	for _, a := range f.Apart {
		p.ui.print("%s\n", apartWords(a))
	}
	if f.More > 0 {
		p.ui.print("and %s that stand apart.\n", plural(f.More, "more thing"))
	}
	for _, v := range f.Versions {
		p.ui.line("runs", "%s %s: %s", v.Name, v.Version, plural(v.Sites, "site"))
	}
	p.ui.line("total", "%s, %s, %s read", plural(len(f.Sites), "site"), plural(f.Receipts, "receipt"), size(f.Bytes.Read))
}

// apartWords tell of something that stands apart, by name.
func apartWords(a fleet.Apart) string {
	text := "apart: "
	for _, name := range []string{a.Site, a.File} {
		if name != "" {
			text += name + ": "
		}
	}
	return text + a.Text
}

func lastAttempt(s fleet.Site) string {
	if s.Attempted.IsZero() {
		return "-"
	}
	return outcome(s.Result) + " " + stamped(s.Attempted)
}

// dash stands for nothing in a table.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func stamped(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return clock(t)
}
