// Package cmd is sallyport's command line: verbs, flags, help and output. What a verb does lives in the packages
// below it.
package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// version is set when the program is linked.
var version = "dev"

// commonFlags are the flags of every verb.
type commonFlags struct {
	site      string
	json      bool
	quiet     bool
	logFormat string
	progress  string
}

// program is one run of the command line.
type program struct {
	flags    commonFlags
	stdin    io.Reader
	out, err io.Writer
	ui       *ui
	stall    time.Duration // --stall-timeout, of the verbs that read a bundle
	reboot   bool          // --reboot, of the verbs after which a reboot may be due
	// rebootBack is --reboot of confirm: a unit that runs it must not begin what somebody has armed for later.
	rebootBack bool
	media      []string // the folders that are to get receipts: the one that the bundle came from
	forward    bool     // send receipts over a link, too
	failed     error    // of help, which cobra lets return none
}

// Main runs the command line args, without the program's name, and returns the exit status.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := untilSignal()
	defer stop()
	out := &output{Writer: stdout}
	p := &program{stdin: stdin, out: out, err: stderr}
	root := p.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(out)
	root.SetErr(stderr)
	c, err := root.ExecuteContextC(ctx)
	if err == nil {
		err = p.failed
	}
	err = withHelp(c, err)
	if p.ui != nil {
		p.ui.end()
	}
	if err == nil && out.err != nil {
		err = fmt.Errorf("writing to standard output: %w", out.err)
	}
	if err == nil {
		return exitDone
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = &interruptedError{err}
	}
	var printed *printedError
	if out.err != nil && errors.As(err, &printed) {
		err = printed.err // nobody was told
	}
	printError(stdout, stderr, out.err == nil && (p.flags.json || slices.Contains(args, "--json")), err)
	return exitCode(err)
}

// interruptedError is what Ctrl-C or a termination signal leads to.
type interruptedError struct{ err error }

func (e *interruptedError) Error() string  { return "interrupted" }
func (e *interruptedError) Reason() string { return "interrupted" }
func (e *interruptedError) Unwrap() error  { return e.err }

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "sallyport",
		Short: "Carry software releases into places with no network",
		Long: `Sallyport carries software releases into places with no network: it packs manifests,
images and SBOMs into one signed file, and at the site applies it as one transaction
that puts the old release back by itself when the new one does not work.`,
		Version:           version,
		Args:              unknownVerb,
		RunE:              func(c *cobra.Command, _ []string) error { return c.Help() },
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
		PersistentPreRunE: func(*cobra.Command, []string) error { return p.begin() },
	}
	f := root.PersistentFlags()
	f.StringVar(&p.flags.site, "site", defaultSite(), "the site's configuration")
	f.BoolVar(&p.flags.json, "json", false, "print one JSON object on standard output, all else on standard error")
	f.BoolVar(&p.flags.quiet, "quiet", false, "print the result only")
	f.StringVar(&p.flags.logFormat, "log-format", "text", "text or json")
	f.StringVar(&p.flags.progress, "progress", "auto", "auto (bars on a terminal), plain or none")
	exits(root, ofSite...)
	root.SetFlagErrorFunc(wrongFlag)
	root.SetHelpFunc(p.helpFor(root.HelpFunc()))
	root.SetHelpCommand(helpVerb(root))
	root.AddGroup(&cobra.Group{ID: "factory", Title: "At the factory:"},
		&cobra.Group{ID: "anywhere", Title: "Anywhere:"}, &cobra.Group{ID: "site", Title: "At a site:"})
	p.addFactoryVerbs(root)
	add(root, "anywhere", p.inspectVerb(), p.diffVerb(), p.renderVerb(), p.verifyVerb())
	add(root, "site", p.siteVerb(), p.doctorVerb(), p.stageVerb(), p.applyVerb(), p.confirmVerb(), p.rollbackVerb(),
		p.recoverVerb(), p.backupVerb(), p.runVerb(), p.freezeVerb(), p.unfreezeVerb(), p.approveVerb(),
		p.statusVerb(), p.historyVerb(), p.mirrorVerb(), p.reportVerb())
	return root
}

func add(root *cobra.Command, group string, verbs ...*cobra.Command) {
	for _, v := range verbs {
		v.GroupID = group
		root.AddCommand(v)
	}
}

func defaultSite() string {
	if s := os.Getenv("SALLYPORT_SITE"); s != "" {
		return s
	}
	return "/etc/sallyport/site.yaml"
}

// begin checks the common flags and opens the ui.
func (p *program) begin() error {
	if err := oneOf("--log-format", p.flags.logFormat, "text", "json"); err != nil {
		return err
	}
	if err := oneOf("--progress", p.flags.progress, "auto", "plain", "none"); err != nil {
		return err
	}
	p.ui = newUI(p.out, p.err, p.flags)
	return nil
}

func oneOf(flag, value string, allowed ...string) error {
	for _, a := range allowed {
		if value == a {
			return nil
		}
	}
	return &usageError{fmt.Sprintf("%s %q is none of %s", flag, value, strings.Join(allowed, ", ")), "choose one of them"}
}

// args wants exactly the named arguments.
func args(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, got []string) error {
		if len(got) == len(names) {
			return nil
		}
		want := "no argument"
		if len(names) > 0 {
			want = strings.Join(names, " ")
		}
		return &usageError{fmt.Sprintf("%s takes %s, not %s", c.CommandPath(), want, plural(len(got), "argument")),
			"for example: " + firstExample(c)}
	}
}

func firstExample(c *cobra.Command) string {
	first, _, _ := strings.Cut(c.Example, "\n")
	return strings.TrimSpace(first)
}
