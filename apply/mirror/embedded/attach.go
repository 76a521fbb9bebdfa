package embedded

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// attachTime is how long Attach waits for another process that serves the folder to answer.
const attachTime = 10 * time.Second

// Served is where a folder is served, and what lets one push there.
type Served struct {
	URL            string
	User, Password string // empty without Config.Secret
}

// Attach makes sure that the folder is served at listen: by the process that does so already, or by this one until
// stop is called. The other process must know the same secret: the error is ErrNoSecret otherwise.
func Attach(ctx context.Context, cfg Config, listen string) (at Served, stop func() error, err error) {
	if cfg.Secret != "" {
		at.User = User
		if at.Password, err = Secret(ctx, cfg.Secret); err != nil {
			return Served{}, nil, err
		}
	}
	at.URL = "http://" + Reach(listen)
	r, err := Open(ctx, cfg.known(listen))
	if errors.Is(err, ErrServed) {
		if err := answers(ctx, at); err != nil {
			return Served{}, nil, &Error{Dir: cfg.Dir, Err: err}
		}
		return at, func() error { return nil }, nil
	}
	if err != nil {
		return Served{}, nil, err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return Served{}, nil, &Error{Dir: cfg.Dir, Err: errors.Join(err, r.Close())}
	}
	if host, port, err := net.SplitHostPort(listen); err == nil && port == "0" {
		_, port, _ = net.SplitHostPort(ln.Addr().String())
		at.URL = "http://" + Reach(net.JoinHostPort(host, port))
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- r.Serve(ctx, ln) }()
	return at, func() error {
		cancel()
		return errors.Join(<-served, r.Close())
	}, nil
}

// Reach is the address at which this machine reaches what listens at HOST:PORT: without a host of its own, or with one that
// stands for all addresses, it is reached at the loopback address.
func Reach(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	switch addr, err := netip.ParseAddr(host); {
	case host == "", err == nil && addr == netip.IPv4Unspecified():
		host = "127.0.0.1"
	case err == nil && addr.IsUnspecified():
		host = "::1"
	}
	return net.JoinHostPort(host, port)
}

// answers waits for a registry at url that knows the secret: the other process may be starting.
func answers(ctx context.Context, at Served) error {
	ctx, cancel := context.WithTimeout(ctx, attachTime)
	defer cancel()
	network := &http.Transport{DisableKeepAlives: true} // straight there: no proxy knows this machine's addresses
	challenge := rand.Text()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.URL+"/v2/", nil)
		if err != nil {
			return err
		}
		req.Header.Set(challengeHeader, challenge)
		if resp, err := network.RoundTrip(req); err == nil {
			_ = resp.Body.Close()
			return knows(at, resp, challenge)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%w, but it does not answer at %s", ErrServed, at.URL)
		}
	}
}

// knows checks the answer to a challenge: the secret must not go to something else that listens there.
func knows(at Served, resp *http.Response, challenge string) error {
	if at.Password != "" && !sameSecret(resp.Header.Get(proofHeader), proof(at.Password, challenge)) {
		return fmt.Errorf("what answers at %s does not serve it for this site: %w", at.URL, ErrNoSecret)
	}
	return nil
}
