//go:build !site

package cmd

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// each calls do for every verb of ours.
func each(c *cobra.Command, do func(*cobra.Command)) {
	do(c)
	for _, sub := range c.Commands() {
		if sub.Name() != "completion" { // cobra's own
			each(sub, do)
		}
	}
}

// TestHelpTells holds that each verb has an example of itself and, unless it only holds others, tells its exit statuses.
func TestHelpTells(t *testing.T) {
	root := Tree()
	verbs := 0
	each(root, func(c *cobra.Command) {
		verbs++
		if c != root && !strings.HasPrefix(firstExample(c), c.CommandPath()) {
			t.Errorf("the example of %s is %q", c.CommandPath(), c.Example)
		}
		if c.HasSubCommands() && c != root {
			return
		}
		for _, code := range strings.Fields(c.Annotations[annotationExits]) {
			if !strings.Contains(c.Long, "\n    "+code+"  ") {
				t.Errorf("the help of %s does not tell exit status %s:\n%s", c.CommandPath(), code, c.Long)
			}
		}
		if !strings.HasPrefix(c.Annotations[annotationExits], "0 1 2") {
			t.Errorf("the help of %s does not tell its exit statuses", c.CommandPath())
		}
	})
	if verbs < 20 {
		t.Errorf("only %d verbs were looked at", verbs)
	}
}

// TestMistyped runs command lines as they are mistyped: all are exit status 2, with the nearest name.
func TestMistyped(t *testing.T) {
	for args, want := range map[string]string{
		"nonsense":                          `^error: sallyport has no verb "nonsense"\nhint:  sallyport --help lists the verbs\n$`,
		"nonsense --help":                   `no verb "nonsense"`,
		"--help nonsense":                   `no verb "nonsense"`,
		"help nonsense":                     `no verb "nonsense"`,
		"help mirror nonsense":              `sallyport mirror has no verb "nonsense"`,
		"aply --help":                       `did you mean sallyport apply\?`,
		"help stauts":                       `did you mean sallyport status\?`,
		"stat":                              `did you mean sallyport status\?`,
		"mirror nonsense":                   `sallyport mirror has no verb "nonsense"\nhint:  sallyport mirror --help lists`,
		"mirror fsk":                        `did you mean sallyport mirror fsck\?`,
		"mirror nonsense --help":            `sallyport mirror has no verb`,
		"site nonsense":                     `sallyport site has no verb`,
		"site innit":                        `did you mean sallyport site init\?`,
		"key nonsense":                      `sallyport key has no verb`,
		"key generat":                       `did you mean sallyport key generate\?`,
		"build --bse x":                     `sallyport build has no flag --bse\nhint:  did you mean --base\?`,
		"apply --nonsense x":                `has no flag --nonsense\nhint:  see sallyport apply --help`,
		"apply -x":                          `has no flag -x\n`,
		"build --base":                      `--base needs a value`,
		"status --json=maybe":               `--json is "maybe", not true or false`,
		"apply a b":                         `takes BUNDLE, not 2 arguments`,
		"inspect .":                         `hint:  see sallyport inspect --help`,
		"status --log-format x":             `text, json`,
		"build -f . -o x":                   `hint:  name a file that is in the folder`,
		"verify x --key .":                  `hint:  name a file that is in the folder`,
		"apply --site help_test.go/a x.tar": `hint:  name a folder, or a file in one`,
	} {
		var out, errOut bytes.Buffer
		code := Main(strings.Fields(args), nil, &out, &errOut)
		if code != exitUsage || out.Len() > 0 || !regexp.MustCompile(want).MatchString(errOut.String()) || !twoLines.MatchString(errOut.String()) {
			t.Errorf("%s: exit status %d, and %s%s, want %s", args, code, out.String(), errOut.String(), want)
		}
	}
}

// TestHelpIsFound has what is no mistake.
func TestHelpIsFound(t *testing.T) {
	for args, want := range map[string]string{
		"": "At a site:", "--help": "At a site:", "help": "At a site:", "help apply": "sallyport apply BUNDLE", "apply --help": "sallyport apply BUNDLE",
		"apply x.tar --help": "sallyport apply BUNDLE", "help mirror fsck": "mirror fsck", "mirror": "gc ", "mirror --help": "gc ", "--version": "sallyport version " + version,
	} {
		var out, errOut bytes.Buffer
		if code := Main(strings.Fields(args), nil, &out, &errOut); code != 0 || errOut.Len() > 0 || !strings.Contains(out.String(), want) {
			t.Errorf("%q: exit status %d, and %s%s", args, code, out.String(), errOut.String())
		}
	}
}

// toldExit tells whether the help of the verb that args run has the exit status.
func toldExit(args []string, status string) bool {
	if code, err := strconv.Atoi(status); err != nil || code <= exitUsage {
		return true
	}
	c, _, err := Tree().Find(args)
	return err != nil || strings.Contains(" "+c.Annotations[annotationExits]+" ", " "+status+" ")
}
