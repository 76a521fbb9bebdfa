package image

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	// maxTries bounds how often one thing is asked for, maxSilent how often it may go unanswered meanwhile.
	maxTries  = 5
	maxSilent = 2
	// maxPause bounds what is waited between the tries of one request, all pauses together. A registry that wants
	// more by Retry-After is left alone.
	maxPause = time.Minute
)

// Patience is how long a registry is waited for. What is zero has its default.
type Patience struct {
	// Answer is how long a request may be without the beginning of an answer; 20 s.
	Answer time.Duration
	// Stall is how long a download may stand still; 20 s. While bytes come it may take as long as it likes.
	Stall time.Duration
	// Pause is what passes before a second try; 500 ms. It doubles with every further one.
	Pause time.Duration
}

func (p Patience) orDefaults() Patience {
	return Patience{Answer: cmp.Or(p.Answer, 20*time.Second), Stall: cmp.Or(p.Stall, 20*time.Second),
		Pause: cmp.Or(p.Pause, 500*time.Millisecond)}
}

var (
	errSilent  = errors.New("no answer")
	errStalled = errors.New("no progress")
)

// patient is a transport that gives every answer its time, asks again after faults of the moment, and takes bodies as
// they are stored: layers are named by the digest of their compressed bytes.
type patient struct {
	next http.RoundTripper
	Patience
}

// RoundTrip implements http.RoundTripper.
func (p *patient) RoundTrip(req *http.Request) (*http.Response, error) {
	silent, waited := 0, time.Duration(0)
	for try := 1; ; try++ {
		resp, err := p.once(req, try)
		if timedOut(err) {
			silent++
		}
		pause := p.pause(resp, try)
		waited += pause
		if !passing(resp, err) || req.Context().Err() != nil || !repeatable(req) ||
			try == maxTries || silent == maxSilent || waited > maxPause {
			return resp, err
		}
		if resp != nil {
			_ = resp.Body.Close() // nobody wants to know how a refusal ends
		}
		if err := sleep(req.Context(), pause); err != nil {
			return nil, err
		}
	}
}

// repeatable tells whether a request's body, if it has one, can be sent again.
func repeatable(req *http.Request) bool { return req.Body == nil || req.GetBody != nil }

// once sends a request. If nothing comes in time the error is errSilent.
func (p *patient) once(req *http.Request, try int) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	sent := req.Clone(ctx)
	if try > 1 && req.GetBody != nil {
		var err error
		if sent.Body, err = req.GetBody(); err != nil {
			cancel(nil)
			return nil, err
		}
	}
	if sent.Header.Get("Accept-Encoding") == "" {
		sent.Header.Set("Accept-Encoding", "identity")
	}
	timer := time.AfterFunc(p.Answer, func() { cancel(errSilent) })
	resp, err := p.next.RoundTrip(sent)
	if !timer.Stop() && err == nil {
		_ = resp.Body.Close() // its context has ended
		err = errSilent
	}
	if err != nil {
		if errors.Is(context.Cause(ctx), errSilent) {
			err = errSilent
		}
		cancel(nil)
		return nil, err
	}
	resp.Body = &watched{body: resp.Body, ctx: ctx, cancel: cancel, stall: p.Stall}
	return resp, nil
}

// pause is how long to wait after a try: what the registry asks for, or longer every time.
func (p *patient) pause(resp *http.Response, try int) time.Duration {
	if resp != nil {
		if asked, ok := retryAfter(resp.Header); ok {
			return asked
		}
	}
	return p.Pause << (try - 1)
}

// retryAfter reads the header of that name, which holds seconds or a date.
func retryAfter(h http.Header) (time.Duration, bool) {
	text := h.Get("Retry-After")
	if n, err := strconv.ParseUint(text, 10, 32); err == nil {
		return time.Duration(n) * time.Second, true
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at)), true
	}
	return 0, false
}

// watched is a body that fails instead of standing still. The time in which nobody reads does not count.
type watched struct {
	body   io.ReadCloser
	ctx    context.Context // of its request, as the body lives no longer
	cancel context.CancelCauseFunc
	stall  time.Duration
}

// Read implements io.Reader.
func (w *watched) Read(p []byte) (int, error) {
	timer := time.AfterFunc(w.stall, func() { w.cancel(errStalled) })
	n, err := w.body.Read(p)
	timer.Stop()
	if err != nil && errors.Is(context.Cause(w.ctx), errStalled) {
		err = errStalled
	}
	return n, err
}

// Close implements io.Closer.
func (w *watched) Close() error {
	err := w.body.Close()
	w.cancel(nil)
	return err
}

// newTransport makes the transport of a Resolver that was given none.
func newTransport() http.RoundTripper {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second,
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
