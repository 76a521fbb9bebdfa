package check

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/bundle"
)

const ms = bundle.Duration(time.Millisecond)

func ptr[T any](v T) *T { return &v }

// script is a probe that gives the next of its answers each time, the last one for ever.
func script(answers ...error) Probe {
	return func(context.Context) error {
		err := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		return err
	}
}

func kubernetes(name string) bundle.Check {
	return bundle.Check{Name: name, Kubernetes: &bundle.KubernetesCheck{Wait: "all"}, Interval: ms, Timeout: 10000 * ms}
}

var errBad = errors.New("1 of 2 objects not ready")

func TestVerdicts(t *testing.T) {
	for _, tt := range []struct {
		name    string
		check   func(*bundle.Check)
		answers []error
		verdict Verdict
		tries   int // 0: any number
		message string
	}{
		{"good at once", func(*bundle.Check) {}, []error{nil}, Pass, 1, ""},
		{"good in the end", func(*bundle.Check) {}, []error{errBad, errBad, nil}, Pass, 3, ""},
		{"never good", func(c *bundle.Check) { c.Timeout = 30 * ms }, []error{errBad}, Fail, 0, "1 of 2 objects not ready ("},
		{"several good ones", func(c *bundle.Check) { c.Count = 3 }, []error{nil, errBad, nil, nil}, Pass, 4, ""},
		{"too few good ones", func(c *bundle.Check) { c.Count = 3; c.Timeout = 30 * ms }, []error{nil, errBad}, Fail, 0,
			"1 of 2 objects not ready, 1 of 3 good ("},
		{"too slow", func(c *bundle.Check) { c.Count = 3; c.Timeout = 30 * ms; c.Interval = 1000 * ms }, []error{nil}, Fail, 1,
			"only 1 of 3 measurements in time (1 try in 0 s)"},
		{"at the limit", func(c *bundle.Check) { c.FailureLimit = ptr(2) }, []error{errBad, errBad, nil}, Pass, 3, ""},
		{"over the limit", func(c *bundle.Check) { c.FailureLimit = ptr(2) }, []error{errBad, errBad, errBad, nil}, Fail, 3, "(3 tries in 0"},
		{"no failure allowed", func(c *bundle.Check) { c.FailureLimit = ptr(0) }, []error{errBad, nil}, Fail, 1, "(1 try in 0"},
		{"hopeless", func(*bundle.Check) {}, []error{permanent{errBad}, nil}, Error, 1, "1 of 2 objects not ready"},
		{"not valid", func(c *bundle.Check) { c.Kubernetes.Wait = "some" }, nil, Error, 0, `check "c": kubernetes: wait is "some", not all`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := kubernetes("c")
			tt.check(&c)
			results, ok, err := Run(t.Context(), []bundle.Check{c}, Env{Kubernetes: script(tt.answers...)})
			if err != nil || len(results) != 1 {
				t.Fatal(results, err)
			}
			r := results[0]
			if r.Verdict != tt.verdict || ok != (tt.verdict == Pass) || !strings.Contains(r.Message, tt.message) {
				t.Errorf("got ok %t, %+v; want %s with %q", ok, r, tt.verdict, tt.message)
			}
			if tt.tries > 0 && r.Tries != tt.tries {
				t.Errorf("%d tries, want %d", r.Tries, tt.tries)
			}
			if (r.Message == "") != (tt.verdict == Pass) || r.Name != "c" || r.Kind != "kubernetes" || !r.Required {
				t.Errorf("got %+v", r)
			}
		})
	}
}

func TestRunIsSerialAndEndsAtTheFirstRequiredFailure(t *testing.T) {
	forgiven, failing := kubernetes("forgiven"), kubernetes("failing")
	forgiven.Required, forgiven.FailureLimit = ptr(false), ptr(0)
	failing.FailureLimit = ptr(0)
	image := bundle.Check{Name: "images", Image: &bundle.ImageCheck{}}
	var asked []string
	env := Env{
		Kubernetes: func(context.Context) error { asked = append(asked, "kubernetes"); return errBad },
		Images:     func(context.Context) error { asked = append(asked, "images"); return nil },
	}
	results, ok, err := Run(t.Context(), []bundle.Check{image, forgiven, failing, image}, env)
	if err != nil || ok {
		t.Fatal(ok, err)
	}
	var got []string
	for _, r := range results {
		got = append(got, r.Name+" "+string(r.Verdict))
	}
	want := "images pass, forgiven fail, failing fail, images skipped"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got %s, want %s", s, want)
	}
	if s := strings.Join(asked, " "); s != "images kubernetes kubernetes" {
		t.Errorf("asked %s", s)
	}
	if _, ok, err := Run(t.Context(), []bundle.Check{image, forgiven}, env); !ok || err != nil {
		t.Errorf("a failure that is not required: %t, %v", ok, err)
	}
	if _, ok, err := Run(t.Context(), nil, env); !ok || err != nil {
		t.Errorf("no checks: %t, %v", ok, err)
	}
}

func TestEvents(t *testing.T) {
	c := kubernetes("c")
	c.Count = 2
	var got []string
	env := Env{Kubernetes: script(nil, errBad, nil), Observe: func(e Event) {
		s := "begin"
		switch {
		case e.Result != nil:
			s = "end " + string(e.Result.Verdict)
		case e.Last != "":
			s = "bad"
		case e.Tries > 0:
			s = "good"
		}
		if e.Total != 1 || e.Index != 0 || e.Want != 2 || e.Left <= 0 || e.Left > 10*time.Second {
			t.Errorf("event %+v", e)
		}
		got = append(got, s)
	}}
	if _, _, err := Run(t.Context(), []bundle.Check{c}, env); err != nil {
		t.Fatal(err)
	}
	if s := strings.Join(got, ", "); s != "begin, good, bad, end pass" {
		t.Errorf("events: %s", s)
	}
}

func TestInitialDelayIsNotTakenFromTheTimeout(t *testing.T) {
	c := kubernetes("c")
	c.InitialDelay, c.Timeout = 60*ms, 20*ms
	results, ok, err := Run(t.Context(), []bundle.Check{c}, Env{Kubernetes: script(nil)})
	if err != nil || !ok || results[0].Seconds < 0.06 {
		t.Errorf("got %+v, %t, %v", results, ok, err)
	}
}

func TestInterruptedRunDecidesNothing(t *testing.T) {
	c := kubernetes("c")
	for name, f := range map[string]func(cancel func()) Probe{
		"between measurements": func(cancel func()) Probe {
			return func(context.Context) error { cancel(); return errBad }
		},
		"in a measurement": func(cancel func()) Probe {
			return func(ctx context.Context) error { cancel(); <-ctx.Done(); return ctx.Err() }
		},
		"at a good answer": func(cancel func()) Probe {
			return func(context.Context) error { cancel(); return nil }
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			results, ok, err := Run(ctx, []bundle.Check{c}, Env{Kubernetes: f(cancel)})
			if !errors.Is(err, context.Canceled) || ok || len(results) != 0 {
				t.Errorf("got %v, %t, %v", results, ok, err)
			}
		})
	}
	delayed := c
	delayed.InitialDelay = bundle.Duration(time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, _, err := Run(ctx, []bundle.Check{delayed}, Env{Kubernetes: script(nil)}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("in the initial delay: got %v", err)
	}
}

func TestMissingParts(t *testing.T) {
	results, ok, err := Run(t.Context(), []bundle.Check{kubernetes("c")}, Env{})
	if err != nil || ok || results[0].Verdict != Error || !strings.Contains(results[0].Message, "does not tell the health") {
		t.Errorf("kubernetes without a target that tells: %+v, %t, %v", results, ok, err)
	}
	results, ok, err = Run(t.Context(), []bundle.Check{{Name: "i", Image: &bundle.ImageCheck{}}}, Env{})
	if err != nil || ok || results[0].Verdict != Error || !strings.Contains(results[0].Message, "no mirror") {
		t.Errorf("image without a mirror: %+v, %t, %v", results, ok, err)
	}
}

func TestValidate(t *testing.T) {
	exec := func(command ...string) bundle.Check {
		return bundle.Check{Name: "c", Exec: &bundle.ExecCheck{Command: command}}
	}
	tcp := func(a string) bundle.Check { return bundle.Check{Name: "c", TCP: &bundle.TCPCheck{Address: a}} }
	web := func(h bundle.HTTPCheck) bundle.Check { return bundle.Check{Name: "c", HTTP: &h} }
	for _, tt := range []struct {
		name  string
		check bundle.Check
		want  string // empty: valid
	}{
		{"kubernetes", kubernetes("c"), ""},
		{"no name", kubernetes(""), "the name is not made of"},
		{"no kind", bundle.Check{Name: "c"}, "it has none of"},
		{"two kinds", bundle.Check{Name: "c", Image: &bundle.ImageCheck{}, TCP: &bundle.TCPCheck{Address: "a:1"}}, "more than one kind: tcp, image"},
		{"exec", exec("true"), ""},
		{"exec of nothing", exec(), "exec: command is empty"},
		{"exec of an empty name", exec("", "x"), "exec: command is empty"},
		{"tcp", tcp("[::1]:80"), ""},
		{"tcp without port", tcp("localhost"), "is not HOST:PORT"},
		{"tcp with an empty port", tcp("localhost:"), "has no port between"},
		{"http", web(bundle.HTTPCheck{URL: "https://a/b", Status: 204, Body: "^ok$"}), ""},
		{"http by file", web(bundle.HTTPCheck{URL: "file:///etc/passwd"}), "is not an http or https address"},
		{"http without host", web(bundle.HTTPCheck{URL: "http:///x"}), "is not an http or https address"},
		{"http with a bad method", web(bundle.HTTPCheck{URL: "http://a", Method: "GET /"}), "is not a request method"},
		{"http with a bad status", web(bundle.HTTPCheck{URL: "http://a", Status: 42}), "status 42 is not between"},
		{"http with a bad body", web(bundle.HTTPCheck{URL: "http://a", Body: "("}), "body is not a regular expression"},
		{"negative count", bundle.Check{Name: "c", Image: &bundle.ImageCheck{}, Count: -1}, "count -1 is not between"},
		{"negative limit", bundle.Check{Name: "c", Image: &bundle.ImageCheck{}, FailureLimit: ptr(-1)}, "failureLimit -1 is negative"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := Validate(tt.check)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var typed interface{ Reason() string }
			if !errors.As(err, &typed) || typed.Reason() != "spec" || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 420 * time.Millisecond: "0.4 s", 2 * time.Second: "2 s", 12300 * time.Millisecond: "12 s",
		time.Minute: "60 s", 5 * time.Minute: "5 min", 330 * time.Second: "5 min 30 s",
	} {
		if got := seconds(d); got != want {
			t.Errorf("seconds(%s) = %q, want %q", d, got, want)
		}
	}
}

// final is an answer that no later one can better.
type final struct{ error }

func (final) Final() bool { return true }

// gone is the answer of nobody.
type gone struct{ error }

func (gone) Away() bool { return true }

func TestFinalAnswerEndsTheCheck(t *testing.T) {
	c := kubernetes("c")
	c.Count = 2
	results, ok, err := Run(t.Context(), []bundle.Check{c}, Env{Kubernetes: script(nil, final{errBad}, nil)})
	if err != nil || ok || results[0].Verdict != Fail || results[0].Tries != 2 || !strings.HasPrefix(results[0].Message, errBad.Error()) {
		t.Errorf("got %+v, %t, %v", results, ok, err)
	}
}

// While what it asks is away, a check's time stands still: neither its timeout nor its failure limit ends it.
func TestAwayStopsTheClock(t *testing.T) {
	away := gone{errors.New("connection refused")}
	for _, tt := range []struct {
		name     string
		patience time.Duration
		outage   time.Duration // of what is asked
		then     error
		verdict  Verdict
		message  string
	}{
		{"back in time", time.Minute, 200 * time.Millisecond, nil, Pass, ""},
		{"back in time, and not well", time.Minute, 200 * time.Millisecond, errBad, Fail, errBad.Error()},
		{"away for too long", 100 * time.Millisecond, time.Minute, nil, Error, "connection refused"},
		{"no patience", 0, time.Minute, nil, Fail, "connection refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := kubernetes("c")
			c.Timeout, c.FailureLimit = 50*ms, ptr(0)
			back := time.Now().Add(tt.outage)
			probe := func(context.Context) error {
				if time.Now().Before(back) {
					return away
				}
				return tt.then
			}
			began := time.Now()
			results, _, err := Run(t.Context(), []bundle.Check{c}, Env{Kubernetes: probe, Patience: tt.patience})
			if err != nil || results[0].Verdict != tt.verdict || !strings.Contains(results[0].Message, tt.message) {
				t.Errorf("got %+v, %v; want %s with %q", results, err, tt.verdict, tt.message)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// A measurement that hangs for as long as it may is cut short by what is left of the check's time, which may be nothing;
// one after that has some seconds all the same, or nobody would hear that the server is back.
func TestLastMomentBeforeAway(t *testing.T) {
	c := kubernetes("c")
	c.Timeout = 20 * ms
	asked := 0
	probe := func(ctx context.Context) error {
		if asked++; asked == 1 {
			<-ctx.Done()
			return gone{ctx.Err()}
		}
		return sleep(ctx, 100*time.Millisecond)
	}
	results, ok, err := Run(t.Context(), []bundle.Check{c}, Env{Kubernetes: probe, Patience: time.Minute})
	if err != nil || !ok {
		t.Errorf("got %+v, %v", results, err)
	}
}

func TestInterruptedWhileAway(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	probe := func(context.Context) error { cancel(); return gone{errBad} }
	c := kubernetes("c")
	c.Interval = 60000 * ms
	began := time.Now()
	if _, _, err := Run(ctx, []bundle.Check{c}, Env{Kubernetes: probe, Patience: time.Minute}); !errors.Is(err, context.Canceled) || time.Since(began) > 20*time.Second {
		t.Errorf("got %v after %s", err, time.Since(began))
	}
}
