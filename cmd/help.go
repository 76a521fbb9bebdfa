package cmd

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// meanings tells each exit status in a few words, as every help does.
var meanings = [...]string{
	exitDone:          "done",
	exitUnexpected:    "unexpected error: safe to retry",
	exitUsage:         "wrong usage, or a file that does not validate",
	exitUntrusted:     "not trusted: signature, sequence, expiry, or bytes that are not what was signed",
	exitNotApplicable: "not applicable here and now",
	exitRolledBack:    "it failed, and the previous release runs again",
	exitPerson:        "it failed, and a person is needed",
	exitLocked:        "another sallyport holds the site",
}

// annotationExits is where a verb keeps the exit statuses that it can give, for tests.
const annotationExits = "exits"

// exit is an exit status and, if a verb gives it a meaning of its own, that.
type exit struct {
	code int
	says string
}

// exits writes into a verb's help which exit statuses it can give. Any verb can give the first three.
func exits(c *cobra.Command, list ...exit) *cobra.Command {
	all := map[int]string{exitDone: "", exitUnexpected: "", exitUsage: ""}
	for _, e := range list {
		all[e.code] = e.says
	}
	var codes []string
	text := "Exit status:"
	for code, says := range meanings {
		own, ok := all[code]
		if !ok {
			continue
		}
		if own != "" {
			says = own
		}
		codes = append(codes, strconv.Itoa(code))
		text += fmt.Sprintf("\n    %d  %s", code, says)
	}
	c.Long = strings.TrimSuffix(c.Long, "\n") + "\n\n" + text
	c.Annotations = map[string]string{annotationExits: strings.Join(codes, " ")}
	return c
}

// ofBundle are the exit statuses of what reads a bundle.
var ofBundle = []exit{{exitUntrusted, ""}, {exitNotApplicable, "a newer sallyport made the bundle"}}

// ofSite are the exit statuses of what changes a site.
var ofSite = []exit{{exitUntrusted, ""}, {exitNotApplicable, ""}, {exitRolledBack, ""}, {exitPerson, ""}, {exitLocked, ""}}

// group is a verb that only holds others.
func group(c *cobra.Command, verbs ...*cobra.Command) *cobra.Command {
	c.Args = unknownVerb
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	c.AddCommand(verbs...)
	return c
}

// unknownVerb refuses what is no verb, and names the nearest one.
func unknownVerb(c *cobra.Command, got []string) error {
	if len(got) == 0 || !c.HasSubCommands() {
		return nil
	}
	var names []string
	for _, v := range c.Commands() {
		if !v.Hidden {
			names = append(names, v.Name())
		}
	}
	advice := c.CommandPath() + " --help lists the verbs"
	if near := nearest(got[0], names); near != "" {
		advice = fmt.Sprintf("did you mean %s %s?", c.CommandPath(), near)
	}
	return &usageError{fmt.Sprintf("%s has no verb %q", c.CommandPath(), got[0]), advice}
}

// nearest gives the name that is most like a mistyped one, or nothing if none is.
func nearest(typed string, names []string) string {
	best, least := "", len(typed)/3+2
	slices.Sort(names)
	for _, n := range names {
		d := distance(strings.ToLower(typed), n)
		if len(typed) > 1 && strings.HasPrefix(n, typed) {
			d = 1
		}
		if d < least {
			best, least = n, d
		}
	}
	return best
}

// distance counts the letters to insert, drop or change, or to swap with their neighbours, that turn a into b.
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// wrongFlag says what is wrong with a flag in our own words: pflag's hold those of Go's parsers.
func wrongFlag(c *cobra.Command, err error) error {
	advice := "see " + c.CommandPath() + " --help"
	var (
		unknown *pflag.NotExistError
		bare    *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
	)
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		var names []string
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		})
		if near := nearest(unknown.GetSpecifiedName(), names); near != "" {
			advice = fmt.Sprintf("did you mean --%s? %s", near, advice)
		}
		return &usageError{fmt.Sprintf("%s has no flag --%s", c.CommandPath(), unknown.GetSpecifiedName()), advice}
	case errors.As(err, &unknown):
		return &usageError{fmt.Sprintf("%s has no flag -%s", c.CommandPath(), unknown.GetSpecifiedName()), advice}
	case errors.As(err, &bare):
		return &usageError{fmt.Sprintf("--%s needs a value", bare.GetSpecifiedName()), advice}
	case errors.As(err, &invalid):
		f := invalid.GetFlag()
		return &usageError{fmt.Sprintf("--%s is %q, not %s", f.Name, invalid.GetValue(), wants(f.Value.Type())), advice}
	}
	return &usageError{err.Error(), advice}
}

// wants is what a flag of a type takes.
func wants(kind string) string {
	switch kind {
	case "bool":
		return "true or false"
	case "duration":
		return "a length of time such as 30s or 5m"
	}
	return "a number"
}

// helpFor shows the help of a verb, or says that there is no such verb.
func (p *program) helpFor(show func(*cobra.Command, []string)) func(*cobra.Command, []string) {
	return func(c *cobra.Command, args []string) {
		if p.failed = unknownVerb(c, c.Flags().Args()); p.failed == nil {
			show(c, args)
		}
	}
}

// helpVerb is the verb help. Cobra's own takes a verb that does not exist for done.
func helpVerb(root *cobra.Command) *cobra.Command {
	return exits(&cobra.Command{
		Use:     "help [VERB]",
		Short:   "Help for a verb",
		Long:    "Tell what a verb does, and which flags it takes: as VERB --help does.",
		Example: "  sallyport help apply",
		RunE: func(_ *cobra.Command, a []string) error {
			c, rest, err := root.Find(a)
			if err != nil {
				return err
			}
			if err := unknownVerb(c, rest); err != nil {
				return err
			}
			return c.Help()
		},
	})
}
