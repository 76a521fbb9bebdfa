package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/oneline"
)

const (
	maxBody      = 1 << 20  // the part of an answer that the body expression sees
	maxHeader    = 64 << 10 // bytes before it
	maxRedirects = 3
)

// newHTTPProbe asks with a client of its own: no proxy from the environment, no kept connections (each measurement is
// of the server that listens now), and redirects only within the same host and port: a check is no way to have this
// machine call on others. A redirect that leads elsewhere is itself the answer.
func newHTTPProbe(h bundle.HTTPCheck) (Probe, error) {
	u, err := url.Parse(h.URL)
	if err != nil {
		return nil, err
	}
	body, err := regexp.Compile(h.Body)
	if err != nil {
		return nil, err
	}
	p := &httpProbe{url: u, method: h.Method, want: h.Status, body: body}
	if p.method == "" {
		p.method = http.MethodGet
	}
	if p.want == 0 {
		p.want = http.StatusOK
	}
	p.client = &http.Client{
		Transport: &http.Transport{
			Proxy:             nil,
			DialContext:       (&net.Dialer{}).DialContext,
			DisableKeepAlives: true,

			MaxResponseHeaderBytes: maxHeader,
		},
		CheckRedirect: p.redirect,
	}
	return p.try, nil
}

type httpProbe struct {
	url    *url.URL
	method string
	want   int
	body   *regexp.Regexp
	client *http.Client
}

func (p *httpProbe) redirect(next *http.Request, via []*http.Request) error {
	switch {
	case p.want >= 300 && p.want < 400, !samePlace(next.URL, p.url):
		return http.ErrUseLastResponse
	case len(via) > maxRedirects:
		return fmt.Errorf("redirects more than %d times", maxRedirects)
	}
	return nil
}

// samePlace tells whether two addresses are of one host and port.
func samePlace(a, b *url.URL) bool {
	return strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

// elsewhere says where an answer that was not followed points; empty if it does not.
func (p *httpProbe) elsewhere(resp *http.Response) string {
	to, err := resp.Location()
	if err != nil || resp.StatusCode < 300 || resp.StatusCode >= 400 || samePlace(to, p.url) {
		return ""
	}
	place := (&url.URL{Scheme: to.Scheme, Host: to.Host}).String() // what follows may be long, and secret
	return fmt.Sprintf("; it points to %s, and checks follow no redirect to another host or port", oneline.Clean(place, maxMessage))
}

func (p *httpProbe) try(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, p.method, p.url.String(), nil)
	if err != nil {
		return permanent{err}
	}
	req.Header.Set("User-Agent", "sallyport")
	resp, err := p.client.Do(req)
	if err != nil {
		return p.noAnswer(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != p.want {
		return fmt.Errorf("%s answered %d, wanted %d%s", p.url.Redacted(), resp.StatusCode, p.want, p.elsewhere(resp))
	}
	if p.body.String() == "" {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return fmt.Errorf("%s broke off its answer: %w", p.url.Redacted(), dialReason(err))
	}
	if !p.body.Match(text) {
		return fmt.Errorf("%s answered %d, but its body does not match %q", p.url.Redacted(), resp.StatusCode, p.body)
	}
	return nil
}

func (p *httpProbe) noAnswer(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	if strings.HasPrefix(err.Error(), "readLoopPeekFailLocked") { // the one sign that net/http gives of it
		err = errors.New("it speaks before it is asked")
	}
	return fmt.Errorf("%s did not answer: %w", p.url.Redacted(), short{dialReason(err)})
}
