package mirror

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/sallyport-dev/sallyport/internal/oneline"
)

const (
	userAgent = "sallyport"
	// maxErrorBody bounds what is read of a refusal, maxErrorText what is shown of it.
	maxErrorBody = 64 << 10
	maxErrorText = 300
)

// call is a request that can be sent again: its body, if any, is small.
type call struct {
	method string
	repo   string
	url    string
	header http.Header
	body   []byte
	want   []int // the good status codes
}

// reply is an answer that was wanted.
type reply struct{ *http.Response }

// done gives the connection back.
func (r *reply) done() { drain(r.Response) }

func (c *Client) repoURL(repo, rest string) string {
	return c.base.String() + "/v2/" + c.prefix + repo + "/" + rest
}

// send sends a call, trying again after faults that may pass. The caller closes the answer's body, whose Read fails
// when the registry stalls.
func (c *Client) send(ctx context.Context, r call) (*reply, error) {
	begun := time.Now()
	for try := 1; ; try++ {
		resp, err := c.sendOnce(ctx, r)
		if err == nil {
			return resp, nil
		}
		if err := c.pause(ctx, try, begun, err, r.method+" "+r.url); err != nil {
			return nil, err
		}
	}
}

func (c *Client) sendOnce(ctx context.Context, r call) (*reply, error) {
	ctx, watch := newWatch(ctx, min(c.stall, answerTime))
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, bytes.NewReader(r.body))
	if err != nil {
		watch.stop()
		return nil, err
	}
	for k, v := range r.header {
		req.Header[k] = v
	}
	return c.roundTrip(req, r.repo, watch, r.want)
}

// roundTrip sends a prepared request once. The answer keeps the watch running until its body is closed.
func (c *Client) roundTrip(req *http.Request, repo string, watch *watch, want []int) (*reply, error) {
	hc, err := c.client(req.Context(), repo)
	if err != nil {
		watch.stop()
		return nil, c.elsewhere(req.URL, err, watch.explain(err))
	}
	req.Header.Set("User-Agent", userAgent)
	resp, err := hc.Do(req)
	if err != nil {
		watch.stop()
		return nil, c.elsewhere(req.URL, err, watch.explain(loginError(err)))
	}
	watch.allow(c.stall)
	resp.Body = &watchedBody{resp.Body, watch}
	if slices.Contains(want, resp.StatusCode) {
		return &reply{resp}, nil
	}
	defer drain(resp)
	if resp.StatusCode == http.StatusUnauthorized {
		c.forget(repo)
	}
	return nil, statusError(req, resp)
}

// elsewhere names in a failure the host to which the registry redirected, or sent the upload.
func (c *Client) elsewhere(at *url.URL, err, cause error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		if u, err := url.Parse(failed.URL); err == nil {
			at = u
		}
	}
	if at.Host == c.base.Host {
		return cause
	}
	return fmt.Errorf("%s://%s, to which it leads: %w", at.Scheme, at.Host, cause)
}

// pause sleeps before the next try, or returns err when there is none: the first began, or there was progress, at since.
func (c *Client) pause(ctx context.Context, try int, since time.Time, err error, what string) error {
	if ctx.Err() != nil || !temporary(err) || try >= c.tries || time.Since(since) > patience {
		return err
	}
	wait := 200 * time.Millisecond << (try - 1)
	wait += rand.N(wait / 4)
	c.log.Warn("mirror: trying again", "request", what, "try", try, "wait", wait, "error", err)
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return err
	}
}

// fail wraps a failure for the caller. A cancelled context is not the mirror's fault.
func (c *Client) fail(ctx context.Context, err error, action string, args ...any) error {
	if err == nil {
		return nil
	}
	action = fmt.Sprintf(action, args...)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, errStalled) {
		return fmt.Errorf("mirror %s: %s: %w", c.shown, action, cause)
	}
	if inner := (*Error)(nil); errors.As(err, &inner) {
		return err
	}
	return &Error{URL: c.shown, Action: action, Err: err}
}

// statusError reads a refusal. Registries explain themselves in JSON; anything else is shown as it is, shortened.
func statusError(req *http.Request, resp *http.Response) *StatusError {
	e := &StatusError{Method: req.Method, Path: req.URL.Path, Code: resp.StatusCode}
	if last := resp.Request; last != nil && last.URL.Host != req.URL.Host {
		e.Path = last.URL.Host + last.URL.Path // it redirects
	}
	b, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // a cut-off explanation is better than none
	var doc struct {
		Errors []struct {
			Code    string          `json:"code"`
			Message string          `json:"message"`
			Detail  json.RawMessage `json:"detail"`
		} `json:"errors"`
	}
	if json.Unmarshal(b, &doc) != nil || len(doc.Errors) == 0 {
		e.Message = shorten(string(b))
		return e
	}
	var words []string
	for _, d := range doc.Errors {
		e.Codes = append(e.Codes, d.Code)
		words = append(words, strings.TrimSpace(d.Message+" "+string(d.Detail)))
	}
	e.Message = shorten(strings.Join(words, "; "))
	return e
}

// shorten makes foreign text fit for an error message.
func shorten(s string) string { return oneline.Clean(s, maxErrorText) }

// loginError turns the login library's refusals into ours.
func loginError(err error) error {
	var te *transport.Error
	if !errors.As(err, &te) {
		return err
	}
	e := &StatusError{Code: te.StatusCode, Message: "the token server refused"}
	if te.Request != nil {
		e.Method, e.Path = te.Request.Method, te.Request.URL.Path
	}
	for _, d := range te.Errors {
		e.Codes = append(e.Codes, string(d.Code))
	}
	return e
}
