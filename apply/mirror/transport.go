package mirror

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// client returns the HTTP client for requests about a repository, logged in as the registry wants it.
func (c *Client) client(ctx context.Context, repo string) (*http.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.challenge == nil {
		challenge, err := c.greet(ctx)
		if err != nil {
			return nil, err
		}
		c.challenge = challenge
	}
	key := repo
	if !strings.EqualFold(c.challenge.Scheme, "bearer") {
		key = ""
	}
	if known, ok := c.clients[key]; ok {
		return known, nil
	}
	rt, err := c.login(ctx, repo)
	if err != nil {
		return nil, err
	}
	made := &http.Client{Transport: rt, CheckRedirect: checkRedirect}
	c.clients[key] = made
	return made, nil
}

// greet asks for the registry's base URL: is it a registry, and how does one log in? A registry that lets anybody
// read may still want credentials for a push; so those that there are, are sent.
func (c *Client) greet(ctx context.Context) (*transport.Challenge, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base.String()+"/v2/", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", userAgent)
	resp, err := (&http.Client{Transport: c.network, CheckRedirect: checkRedirect}).Do(req)
	if err != nil {
		return nil, err
	}
	defer drain(resp)
	switch resp.StatusCode {
	case http.StatusOK:
		return &transport.Challenge{Scheme: "basic"}, nil
	case http.StatusUnauthorized:
		return transport.Ping(ctx, c.registry, oneScheme{c.base.Scheme, c.network})
	case http.StatusNotFound:
		return nil, fmt.Errorf("%w: GET /v2/ answered 404", errGarbage)
	}
	return nil, statusError(req, resp)
}

// login returns a transport that adds credentials. Tokens are asked for per repository: one for everything that a
// release touches would outgrow what servers accept as a header.
func (c *Client) login(ctx context.Context, repo string) (http.RoundTripper, error) {
	auth, err := authn.Resolve(ctx, c.keychain, c.registry.Repo(c.prefix+repo))
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	network := oneScheme{c.base.Scheme, c.network}
	var token transport.Token
	if strings.EqualFold(c.challenge.Scheme, "bearer") {
		scopes := []string{"repository:" + c.prefix + repo + ":pull,push"}
		got, err := transport.Exchange(ctx, c.registry, auth, network, scopes, c.challenge)
		if err != nil {
			return nil, fmt.Errorf("log in: %w", loginError(err))
		}
		token = *got
	}
	return transport.FromToken(c.registry, auth, network, c.challenge, &token)
}

// forget drops a repository's login, so that the next request logs in anew.
func (c *Client) forget(repo string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.clients, repo)
	delete(c.clients, "")
}

// oneScheme refuses requests that left the scheme which the site configured: a library that tries both, or a
// registry that redirects, must not send credentials over plain HTTP.
type oneScheme struct {
	scheme string
	http.RoundTripper
}

func (t oneScheme) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.scheme == "https" && req.URL.Scheme != "https" {
		return nil, fmt.Errorf("%w: it leads from https to %s", errGarbage, req.URL.Redacted())
	}
	if t.scheme == "http" && req.URL.Scheme == "https" && req.URL.Path == "/v2/" {
		return nil, fmt.Errorf("%s is configured as plain HTTP", req.URL.Host)
	}
	return t.RoundTripper.RoundTrip(req)
}

func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= 5 {
		return fmt.Errorf("%w: more than %d redirects", errGarbage, len(via))
	}
	if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return fmt.Errorf("%w: it leads from https to %s", errGarbage, req.URL.Redacted())
	}
	return nil
}

// drain reads a little of what is left, so that the connection can be used again, and closes.
func drain(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	_ = resp.Body.Close()
}
