package apply

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/sallyport-dev/sallyport/apply/window"
)

// CatchUpConfig says what of a release's catchUp this site does not heed.
type CatchUpConfig struct {
	// Immediate is "never" where a release for which its factory says immediate waits for a window like any other; or
	// "allowed", which is the default.
	Immediate string `json:"immediate"`
}

const (
	immediateAllowed = "allowed"
	immediateNever   = "never"
)

// checkUnattended checks what says when and from where a site takes releases, and keeps the windows.
func (c *Config) checkUnattended(fail failFunc) {
	s := &c.Spec
	for i, text := range s.Windows {
		w, err := window.Parse(text)
		if err != nil {
			failAt(fail, fmt.Sprintf("spec.windows[%d]", i), err)
		}
		c.plan.Windows = append(c.plan.Windows, w)
	}
	for i, text := range s.Blackouts {
		b, err := window.ParseBlackout(text)
		if err != nil {
			failAt(fail, fmt.Sprintf("spec.blackouts[%d]", i), err)
		}
		c.plan.Blackouts = append(c.plan.Blackouts, b)
	}
	if s.WindowNeed != nil && *s.WindowNeed <= 0 {
		fail("spec.windowNeed", "is no time at all", "give a duration, as in 30m, or remove it")
	}
	if m := s.CatchUp.Immediate; m != "" && m != immediateAllowed && m != immediateNever {
		fail("spec.catchUp.immediate", fmt.Sprintf("%q is none of allowed, never", m), "")
	}
	for i, from := range s.Inbox {
		switch {
		case from == "":
			fail(fmt.Sprintf("spec.inbox[%d]", i), "is empty", "name a folder, such as /var/lib/sallyport/inbox")
		case strings.Contains(from, "://"):
			if u, err := url.Parse(from); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.Path == "" || u.Fragment != "" {
				fail(fmt.Sprintf("spec.inbox[%d]", i), fmt.Sprintf("%q is none of a folder and a URL", from), "write https://HOST/FOLDER/, with a slash at the end, or https://HOST/FILE.tar")
			}
		}
	}
	s.Link.check(fail)
}

// failAt tells what package window says of a field.
func failAt(fail failFunc, field string, err error) {
	var e *window.Error
	if errors.As(err, &e) {
		fail(field, e.Problem, e.Advice)
		return
	}
	fail(field, err.Error(), "")
}

// resolveInbox makes the folders absolute.
func (s *Spec) resolveInbox(base string) {
	for i, from := range s.Inbox {
		if !strings.Contains(from, "://") && !filepath.IsAbs(from) {
			s.Inbox[i] = filepath.Join(base, from)
		}
	}
}
