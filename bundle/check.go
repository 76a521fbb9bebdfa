package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"time"
)

// Check is one question whose answers decide a trial. Exactly one of the kinds is set. The common fields follow
// Argo Rollouts' analysis.
type Check struct {
	Name       string           `json:"name" yaml:"name"`
	Kubernetes *KubernetesCheck `json:"kubernetes,omitempty" yaml:"kubernetes"`
	HTTP       *HTTPCheck       `json:"http,omitempty" yaml:"http"`
	TCP        *TCPCheck        `json:"tcp,omitempty" yaml:"tcp"`
	Exec       *ExecCheck       `json:"exec,omitempty" yaml:"exec"`
	Image      *ImageCheck      `json:"image,omitempty" yaml:"image"`

	// InitialDelay passes before the first measurement, Interval between two.
	InitialDelay Duration `json:"initialDelay,omitempty" yaml:"initialDelay"`
	Interval     Duration `json:"interval,omitempty" yaml:"interval"`
	// Count is how many good measurements make a pass (default 1).
	Count int `json:"count,omitempty" yaml:"count"`
	// FailureLimit is how many bad measurements are forgiven. Unset: any number until Timeout.
	FailureLimit *int `json:"failureLimit,omitempty" yaml:"failureLimit"`
	// Timeout bounds the whole check (default 5 min).
	Timeout Duration `json:"timeout,omitempty" yaml:"timeout"`
	// Required tells whether a failure fails the trial (default true).
	Required *bool `json:"required,omitempty" yaml:"required"`
}

// KubernetesCheck waits until objects are healthy by kstatus' rules.
type KubernetesCheck struct {
	Wait string `json:"wait" yaml:"wait"` // "all": every object of the release
}

// HTTPCheck asks an HTTP server.
type HTTPCheck struct {
	URL    string `json:"url" yaml:"url"`
	Method string `json:"method,omitempty" yaml:"method"` // default GET
	Status int    `json:"status,omitempty" yaml:"status"` // default 200
	Body   string `json:"body,omitempty" yaml:"body"`     // regular expression that the answer's first MiB must match
}

// TCPCheck connects.
type TCPCheck struct {
	Address string `json:"address" yaml:"address"`
}

// ExecCheck runs a program; exit status 0 is good.
type ExecCheck struct {
	Command []string `json:"command" yaml:"command"`
}

// ImageCheck asks the mirror for every image, by digest and by name.
type ImageCheck struct{}

// Duration is a time.Duration that is written as "2s" or "1m30s".
type Duration time.Duration

// MarshalJSON writes the duration as time.Duration prints it.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON accepts what time.ParseDuration does; negative durations are errors.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("a duration is a string such as \"30s\": %w", err)
	}
	return d.UnmarshalText([]byte(s))
}

// UnmarshalText accepts what time.ParseDuration does; negative durations are errors.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 30s or 5m", b)
	}
	if v < 0 {
		return fmt.Errorf("duration %q is negative", b)
	}
	*d = Duration(v)
	return nil
}

var (
	checkSyntax  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._ -]{0,126}$`)
	methodSyntax = regexp.MustCompile(`^[A-Z]{1,16}$`)
)

// Validate tells whether the check can be run: it has a name, exactly one kind, and fields that make sense.
func (c *Check) Validate() error {
	if !checkSyntax.MatchString(c.Name) {
		return fmt.Errorf("the name is not made of letters, digits, dots, hyphens and spaces")
	}
	var kinds []string
	var errs []error
	add := func(set bool, kind string, validate func() error) {
		if set {
			kinds = append(kinds, kind)
			errs = append(errs, validate())
		}
	}
	add(c.Kubernetes != nil, "kubernetes", func() error { return c.Kubernetes.validate() })
	add(c.HTTP != nil, "http", func() error { return c.HTTP.validate() })
	add(c.TCP != nil, "tcp", func() error { return c.TCP.validate() })
	add(c.Exec != nil, "exec", func() error { return c.Exec.validate() })
	add(c.Image != nil, "image", func() error { return nil })
	switch {
	case len(kinds) == 0:
		return errors.New("it has none of kubernetes, http, tcp, exec, image")
	case len(kinds) > 1:
		return fmt.Errorf("it has more than one kind: %s", strings.Join(kinds, ", "))
	case errs[0] != nil:
		return fmt.Errorf("%s: %w", kinds[0], errs[0])
	}
	return c.common()
}

func (c *Check) common() error {
	switch {
	case c.InitialDelay < 0 || c.Interval < 0 || c.Timeout < 0:
		return errors.New("a duration is negative")
	case c.Count < 0 || c.Count > 1_000_000:
		return fmt.Errorf("count %d is not between 0 and 1000000", c.Count)
	case c.FailureLimit != nil && *c.FailureLimit < 0:
		return fmt.Errorf("failureLimit %d is negative", *c.FailureLimit)
	}
	return nil
}

func (k *KubernetesCheck) validate() error {
	if k.Wait != "all" {
		return fmt.Errorf("wait is %q, not all", k.Wait)
	}
	return nil
}

func (h *HTTPCheck) validate() error {
	if err := text("url", h.URL, 4096); err != nil {
		return err
	}
	u, err := url.Parse(h.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("url %q is not an http or https address", h.URL)
	}
	if h.Method != "" && !methodSyntax.MatchString(h.Method) {
		return fmt.Errorf("method %q is not a request method such as GET", h.Method)
	}
	if h.Status != 0 && (h.Status < 100 || h.Status > 599) {
		return fmt.Errorf("status %d is not between 100 and 599", h.Status)
	}
	if err := text("body", h.Body, 4096); err != nil {
		return err
	}
	return expression(h.Body)
}

// maxSteps bounds what a regular expression is compiled to: (x{1000}) is short, and a thousand of them take 100 MB.
const maxSteps = 10_000

func expression(s string) error {
	parsed, err := syntax.Parse(s, syntax.Perl)
	if err != nil {
		return fmt.Errorf("body is not a regular expression: %w", err)
	}
	if steps(parsed) > maxSteps {
		return fmt.Errorf("body is a regular expression of more than %d steps: repeat less", maxSteps)
	}
	if _, err := regexp.Compile(s); err != nil {
		return fmt.Errorf("body is not a regular expression: %w", err)
	}
	return nil
}

// steps is about how many instructions an expression takes; beyond maxSteps it does not matter how many.
func steps(e *syntax.Regexp) int {
	n := 1 + len(e.Rune)
	for _, sub := range e.Sub {
		n += steps(sub)
	}
	if e.Op == syntax.OpRepeat {
		n *= max(e.Min, e.Max, 1)
	}
	return min(n, maxSteps+1)
}

func (t *TCPCheck) validate() error {
	if err := text("address", t.Address, 512); err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(t.Address)
	if err != nil || host == "" {
		return fmt.Errorf("address %q is not HOST:PORT", t.Address)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("address %q has no port between 1 and 65535", t.Address)
	}
	return nil
}

func (e *ExecCheck) validate() error {
	if len(e.Command) == 0 || e.Command[0] == "" {
		return errors.New("command is empty")
	}
	for _, a := range e.Command {
		if strings.ContainsRune(a, 0) {
			return errors.New("command has a zero byte")
		}
		if err := text("an argument", a, 65536); err != nil {
			return err
		}
	}
	return nil
}
