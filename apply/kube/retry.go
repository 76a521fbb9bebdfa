package kube

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	firstPause = 200 * time.Millisecond
	longPause  = 2 * time.Second
)

// retrier repeats requests while the server is down or overloaded, until patience is over. Every request that this
// package sends may be sent twice: reads, server-side apply, and deletes that name the object's UID.
type retrier struct {
	next     http.RoundTripper
	patience time.Duration
}

type onceKey struct{}

// onlyOnce is a context whose requests are not repeated.
func onlyOnce(ctx context.Context) context.Context { return context.WithValue(ctx, onceKey{}, true) }

// WrappedRoundTripper tells client-go what it can cancel.
func (r *retrier) WrappedRoundTripper() http.RoundTripper { return r.next }

// gaveUp is the last error of a request that was repeated in vain. It does not unwrap: client-go would know some of
// the causes for passing ones and start again, ten times.
type gaveUp struct{ cause error }

func (e *gaveUp) Error() string { return "gave up" }

// RoundTrip returns the last answer, or a *gaveUp, or the error of the request's context.
func (r *retrier) RoundTrip(req *http.Request) (*http.Response, error) {
	if reached, ok := req.Context().Value(reachedKey{}).(*atomic.Bool); ok {
		reached.Store(true)
	}
	resp, err := r.repeat(req)
	if err != nil && req.Context().Err() == nil {
		return nil, &gaveUp{err}
	}
	if err == nil {
		noteDate(req.Context(), resp.Header)
		resp.Body = &bounded{resp.Body, maxAnswer}
	}
	return resp, err
}

// maxAnswer bounds one answer in bytes: client-go takes any into memory. Objects are of 3 MiB at most, and lists are
// asked for in pages.
const maxAnswer = 32 << 20

// bounded is an answer's body, with an end.
type bounded struct {
	io.ReadCloser
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n, fmt.Errorf("its answer is larger than %d MiB", maxAnswer>>20)
	}
	return n, err
}

func (r *retrier) repeat(req *http.Request) (*http.Response, error) {
	end := time.Now().Add(r.patience)
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		resp, err := r.next.RoundTrip(req)
		if req.Context().Value(onceKey{}) != nil || !again(resp, err) || time.Now().Add(pause).After(end) {
			return resp, err
		}
		next, ok := rewind(req)
		if !ok {
			return resp, err
		}
		if resp != nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // only to use the connection again
			resp.Body.Close()
		}
		select {
		case <-req.Context().Done():
			return nil, req.Context().Err()
		case <-time.After(pause):
		}
		req = next
	}
}

// again tells whether another try may do better. client-go itself repeats what the server answers with Retry-After.
func again(resp *http.Response, err error) bool {
	if err != nil {
		return !isCertificateError(err) && !isRemoteAlert(err) && !isStranger(err)
	}
	if resp.Header.Get("Retry-After") != "" {
		return false
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// rewind makes the request ready to be sent again.
func rewind(req *http.Request) (*http.Request, bool) {
	if req.Context().Err() != nil {
		return nil, false
	}
	if req.Body == nil || req.Body == http.NoBody {
		return req, true
	}
	if req.GetBody == nil {
		return nil, false
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, false
	}
	req = req.Clone(req.Context())
	req.Body = body
	return req, true
}
