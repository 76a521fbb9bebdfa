package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// attachTime is how long Attach waits for another process that serves the folder to answer.
const attachTime = 10 * time.Second

// Attach makes sure that the folder is served at listen: by the process that does so already, or by this one until
// stop is called. The URL is http://listen.
func Attach(ctx context.Context, cfg Config, listen string) (url string, stop func() error, err error) {
	url = "http://" + listen
	r, err := Open(ctx, cfg)
	if errors.Is(err, ErrServed) {
		if !answers(ctx, url) {
			return "", nil, &Error{Dir: cfg.Dir, Err: fmt.Errorf("%w, but it does not answer at %s", ErrServed, url)}
		}
		return url, func() error { return nil }, nil
	}
	if err != nil {
		return "", nil, err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return "", nil, &Error{Dir: cfg.Dir, Err: errors.Join(err, r.Close())}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- r.Serve(ctx, ln) }()
	return "http://" + ln.Addr().String(), func() error {
		cancel()
		return errors.Join(<-served, r.Close())
	}, nil
}

// answers waits for a registry at url: the other process may be starting.
func answers(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, attachTime)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/v2/", nil)
		if err != nil {
			return false
		}
		if resp, err := client.Do(req); err == nil {
			_ = resp.Body.Close()
			return resp.StatusCode == http.StatusOK
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return false
		}
	}
}
