package kube

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
)

// waiter gives a request up with its context. client-go waits for the program that a kubeconfig may name for its
// credentials until that ends, whatever the context says.
type waiter struct {
	next    http.RoundTripper
	program string
}

type reachedKey struct{}

// WrappedRoundTripper tells client-go what it can cancel.
func (w *waiter) WrappedRoundTripper() http.RoundTripper { return w.next }

// RoundTrip leaves a program that does not end to itself.
func (w *waiter) RoundTrip(req *http.Request) (*http.Response, error) {
	var reached atomic.Bool // the retrier, which comes after the program
	ctx := req.Context()
	type answer struct {
		resp *http.Response
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		resp, err := w.next.RoundTrip(req.WithContext(context.WithValue(ctx, reachedKey{}, &reached))) //nolint:bodyclose // closed by the caller, or below
		done <- answer{resp, err}
	}()
	select {
	case a := <-done:
		return a.resp, a.err
	case <-ctx.Done():
		go func() { // nobody waits for this one any more
			if a := <-done; a.resp != nil {
				a.resp.Body.Close()
			}
		}()
	}
	if ctx.Err() == context.DeadlineExceeded && !reached.Load() {
		return nil, fmt.Errorf("getting credentials: the program %s does not end", w.program)
	}
	return nil, ctx.Err()
}
