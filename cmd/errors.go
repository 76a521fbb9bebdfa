package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/oneline"
)

// Exit statuses, as docs/operations.md tells their meaning to scripts.
const (
	exitDone = iota
	exitUnexpected
	exitUsage
	exitUntrusted
	exitNotApplicable
	exitRolledBack
	exitPerson
	exitLocked
)

// reasons maps the word that a library's error gives to an exit status and, where the library has none, a hint.
var reasons = map[string]struct {
	code int
	hint string
}{
	"usage":       {exitUsage, "sallyport --help lists the verbs, and the help of each has an example"},
	"permissions": {exitUsage, "let nobody but root write it"},
	"spec":        {exitUsage, "correct it in the file that is named"},
	"image":       {exitUsage, "correct the reference, or name a source for the image under spec.images"},
	"manifest":    {exitUsage, "correct the manifest that is named"},
	"overlay":     {exitUsage, "let the overlays agree, or add one for the sites that match both"},

	"format":    {exitUntrusted, "copy the bundle again from where it came; if it stays so, ask for a new one"},
	"truncated": {exitUntrusted, "the file is not complete: copy it again"},
	"digest":    {exitUntrusted, "the file was damaged or changed: copy it again; if it stays so, ask for a new one"},
	"notice":    {exitUntrusted, "get it again from where it was made"},
	"signature": {exitUntrusted, "ask the factory for a bundle signed by a key that this site accepts"},
	"unsigned":  {exitUntrusted, "ask the factory to sign it: sallyport sign BUNDLE --key KEY"},
	"threshold": {exitUntrusted, "ask the factory for the signatures that are missing"},
	"sequence":  {exitUntrusted, "ask for a release that is newer than the one this site runs"},
	"expired":   {exitUntrusted, "ask for a newer release; check the clock of this machine: date"},
	"policy":    {exitUntrusted, "ask the factory for a release that meets the policy"},

	"base":      {exitNotApplicable, "ask for a full bundle, or for one built against the release that runs here"},
	"name":      {exitNotApplicable, "ask for a bundle of the product that this site takes: sallyport status names it"},
	"platform":  {exitNotApplicable, "ask for a bundle for this machine's platform"},
	"labels":    {exitNotApplicable, "check the labels in site.yaml"},
	"requires":  {exitNotApplicable, "apply the release that this one requires first"},
	"room":      {exitNotApplicable, "make room and try again: sallyport mirror gc removes what no release needs"},
	"window":    {exitNotApplicable, "wait for the window"},
	"unusable":  {exitNotApplicable, "mend what is named, then try again: sallyport doctor looks at it, too"},
	"refused":   {exitNotApplicable, "have the objects that are named corrected"},
	"one-way":   {exitNotApplicable, "name the objects in the release's spec.oneWay"},
	"hook":      {exitNotApplicable, "see what the hook that is named says"},
	"checks":    {exitNotApplicable, "correct spec.checksDir in site.yaml, or the file that is named"},
	"backup":    {exitNotApplicable, "mend what is named: nothing was changed"},
	"frozen":    {exitNotApplicable, "sallyport unfreeze lifts the freeze"},
	"bad":       {exitNotApplicable, "this release failed here before: ask for a newer one"},
	"put-back":  {exitNotApplicable, "sallyport apply --retry takes it again"},
	"os":        {exitNotApplicable, "ask for a release without an operating system, or describe this site's slots in site.yaml"},
	"data":      {exitNotApplicable, "say what becomes of the data: sallyport rollback --keep-data or --restore-data"},
	"boot":      {exitNotApplicable, "sallyport status says which boot slot runs; docs/bootloaders.md tells how slots are set up"},
	"loader":    {exitNotApplicable, "set the boot loader up as docs/bootloaders.md says; sallyport doctor looks at it, too"},
	"slots":     {exitNotApplicable, "have each slot's boot entry name kernel and root of that slot, and boot again; see docs/bootloaders.md"},
	"part":      {exitNotApplicable, "look at spec.slots in site.yaml; sallyport doctor looks at the places, too"},
	"circle":    {exitNotApplicable, "give the container runtime the mirror's own image first"},
	"sealed":    {exitUntrusted, "give the key or the passphrase to which the backup was made"},
	"unmounted": {exitNotApplicable, "mount the disk that holds the state folder"},
	"newer":     {exitNotApplicable, "install the newer sallyport that made it"},

	"rolled-back": {exitRolledBack, "nothing to do here: tell your operations team, with the output of sallyport history"},
	"restore":     {exitPerson, "mend what is named, then run sallyport confirm"},
	"person":      {exitPerson, "sallyport doctor says what is wrong"},
	"locked":      {exitLocked, "wait until it has finished, then try again"},

	"reboot":      {exitUnexpected, "reboot this machine: sallyport confirm --reboot"},
	"network":     {exitUnexpected, "check that the registry is up and can be reached from here, then run the same command again"},
	"interrupted": {exitUnexpected, "run the same command again: it goes on where it stopped"},
	"io":          {exitUnexpected, "check the medium, then try again"},
	"stalled":     {exitUnexpected, "check the medium and what feeds it, then try again; --stall-timeout gives it longer"},
	"full":        {exitUnexpected, "make room on that disk and try again"},
	"unexpected":  {exitUnexpected, "try again; sallyport doctor says what is missing on a site"},
}

// usageError is a command line that cannot be.
type usageError struct{ text, hint string }

func (e *usageError) Error() string  { return e.text }
func (e *usageError) Reason() string { return "usage" }
func (e *usageError) Hint() string   { return e.hint }

// reason gives the stable word for err.
func reason(err error) string {
	var r interface{ Reason() string }
	switch {
	case errors.As(err, &r):
		return r.Reason()
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ENODEV):
		return "io"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "full"
	case errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENOTDIR):
		return "usage"
	}
	return "unexpected"
}

// withHelp lets a usage error that has no hint of its own name the verb's help.
func withHelp(c *cobra.Command, err error) error {
	var printed *printedError
	if err == nil || errors.As(err, &printed) || hint(err) != reasons["usage"].hint {
		return err
	}
	return &usageError{message(err), fmt.Sprintf("see %s --help", c.CommandPath())}
}

// exitCode gives the exit status for err.
func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	if r, ok := reasons[reason(err)]; ok {
		return r.code
	}
	return exitUnexpected
}

// hint says what to do about err.
func hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) && h.Hint() != "" {
		return h.Hint()
	}
	switch r := reason(err); {
	case errors.Is(err, syscall.EISDIR):
		return "name a file that is in the folder"
	case errors.Is(err, syscall.ENOTDIR):
		return "name a folder, or a file in one"
	case r == "unexpected" && errors.Is(err, fs.ErrPermission):
		return "run it as a user who may do that (sudo)"
	case r == "unexpected" && errors.Is(err, fs.ErrNotExist):
		return "check the name"
	default:
		if known, ok := reasons[r]; ok {
			return known.hint
		}
	}
	return reasons["unexpected"].hint
}

// message is err's text on one line. Errors that came together stand on lines of their own before.
func message(err error) string {
	return oneLine(strings.ReplaceAll(strings.TrimSpace(inWords(err)), "\n", "; "))
}

// inWords is err's text with those of Go's own packages told in words, wherever they come from.
func inWords(err error) string {
	var (
		kind   *json.UnmarshalTypeError
		syntax *json.SyntaxError
		moment *time.ParseError
		number *strconv.NumError
	)
	text := err.Error()
	if errors.As(err, &kind) {
		what := "a value"
		if kind.Field != "" {
			what = kind.Field
		}
		text = strings.Replace(text, kind.Error(), fmt.Sprintf("%s is of the wrong kind: %s", what, kind.Value), 1)
	}
	if errors.As(err, &syntax) {
		text = strings.Replace(text, syntax.Error(), fmt.Sprintf("it is not valid JSON from byte %d on", syntax.Offset), 1)
	}
	if errors.As(err, &moment) {
		text = strings.Replace(text, moment.Error(), fmt.Sprintf("%q is not a time such as 2027-06-30T00:00:00Z", moment.Value), 1)
	}
	if errors.As(err, &number) {
		text = strings.Replace(text, number.Error(), fmt.Sprintf("%q is not a number that fits", number.Num), 1)
	}
	return oneline.Plain(text)
}

func oneLine(s string) string { return oneline.Escape(strings.Join(strings.Fields(s), " ")) }

// forPeople cuts the digests in a text, as every other output for people does.
func forPeople(s string) string {
	return wholeDigest.ReplaceAllString(s, "$1")
}

var wholeDigest = regexp.MustCompile(`(sha256:[0-9a-f]{12})[0-9a-f]{52}`)

// blame names the bundle that err is about. A fault of its bytes is told as such, and not with what was being made of
// them when it showed.
func blame(name string, err error) error {
	var fault *bundle.Error
	if errors.As(err, &fault) {
		err = fault
	}
	if strings.Contains(err.Error(), name) || fault != nil && fault.File() != "" {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}

// errorObject is an error as scripts see it.
type errorObject struct {
	Code    int    `json:"code"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

// newErrorObject gives nil for nil.
func newErrorObject(err error) *errorObject {
	if err == nil {
		return nil
	}
	return &errorObject{exitCode(err), reason(err), message(err), oneLine(hint(err))}
}

// printedError is an error of which everybody has been told; only its exit status is still needed.
type printedError struct{ err error }

func (e *printedError) Error() string { return e.err.Error() }
func (e *printedError) Unwrap() error { return e.err }

// printError tells a person, or with asJSON a script, of err.
func printError(out, errOut io.Writer, asJSON bool, err error) {
	var printed *printedError
	switch {
	case errors.As(err, &printed):
	case asJSON:
		_ = encode(out, map[string]*errorObject{"error": newErrorObject(err)}) // nobody is left to tell
	default:
		fmt.Fprintf(errOut, "error: %s\nhint:  %s\n", forPeople(message(err)), forPeople(oneLine(hint(err)))) // both are escaped
	}
}
