package check

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/internal/oneline"
)

// errTimeout is the cause of a context that ended because the check's time was over.
var errTimeout = errors.New("no answer in time")

// errNotAsked is why a check failed that nobody had time for.
var errNotAsked = errors.New("not asked: the time for all checks was over")

// maxMessage bounds what a program or a server may add to a message, in bytes.
const maxMessage = 300

// short prints the beginning of an error: net/http quotes what a server has sent.
type short struct{ error }

func (s short) Error() string { return oneline.Clean(s.error.Error(), maxMessage) }
func (s short) Unwrap() error { return s.error }

// permanent is an error that no later measurement can turn into a good one.
type permanent struct{ error }

func (permanent) Permanent() bool { return true }
func (p permanent) Unwrap() error { return p.error }

func isPermanent(err error) bool {
	var p interface{ Permanent() bool }
	return errors.As(err, &p) && p.Permanent()
}

func isFinal(err error) bool {
	var f interface{ Final() bool }
	return errors.As(err, &f) && f.Final()
}

func isAway(err error) bool {
	var a interface{ Away() bool }
	return errors.As(err, &a) && a.Away()
}

// failure is the end of a check that was measured and did not pass.
type failure struct {
	last       error // the last bad measurement; nil if all were good but too few
	good, want int
	tries      int
	took       time.Duration
	over       bool // the time for all checks was over
}

func (f *failure) Error() string {
	if errors.Is(f.last, errNotAsked) {
		return f.last.Error()
	}
	said := fmt.Sprintf("only %d of %d measurements in time", f.good, f.want)
	if f.last != nil {
		said = f.last.Error()
		if f.want > 1 {
			said = fmt.Sprintf("%s, %d of %d good", said, f.good, f.want)
		}
	}
	if f.over {
		said = "cut short, since the time for all checks was over: " + said
	}
	return fmt.Sprintf("%s (%s)", said, tries(f.tries, f.took))
}

func (f *failure) Unwrap() error { return f.last }

func tries(n int, took time.Duration) string {
	if n == 1 {
		return "1 try in " + seconds(took)
	}
	return fmt.Sprintf("%d tries in %s", n, seconds(took))
}

// seconds prints a duration as people say it: 0.4 s, 12 s, 5 min, 5 min 30 s.
func seconds(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Seconds()), ".0") + " s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	d = d.Round(time.Second)
	if s := d % time.Minute; s != 0 {
		return fmt.Sprintf("%d min %d s", d/time.Minute, s/time.Second)
	}
	return fmt.Sprintf("%d min", d/time.Minute)
}

func verdict(err error) Verdict {
	var f *failure
	switch {
	case err == nil:
		return Pass
	case errors.As(err, &f):
		return Fail
	}
	return Error
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return oneline.Clean(err.Error(), 4*maxMessage)
}
