package receipt

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/bundle"
)

// sendTime bounds one request.
const sendTime = 15 * time.Second

// placeholder stands in a URL for the name of the statement.
const placeholder = "{file}"

// ParseTarget checks the URL of a target: https://HOST/FOLDER, with {file} where the name goes if that is not the end of the path,
// or oci://REGISTRY/REPOSITORY; http and oci+http are for networks of one's own.
func ParseTarget(target string) (*url.URL, error) {
	u, err := url.Parse(strings.ReplaceAll(target, placeholder, "file"))
	switch {
	case err != nil || u.Host == "":
		return nil, errors.New("it is no URL")
	case u.Scheme == "https" || u.Scheme == "http":
	case u.Scheme != "oci" && u.Scheme != "oci+http":
		return nil, fmt.Errorf("%q is none of https, http, oci and oci+http", u.Scheme)
	case strings.Trim(u.Path, "/") == "" || u.RawQuery != "" || strings.Contains(target, placeholder):
		return nil, errors.New("a registry's is oci://HOST/REPOSITORY")
	}
	return u, nil
}

// OpenTarget makes the target of a URL. ca is a PEM file of certificates to trust beside the system's; empty is none.
func OpenTarget(target, ca string) (Target, error) {
	u, err := ParseTarget(target)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", target, err)
	}
	if strings.HasPrefix(u.Scheme, "oci") {
		return openRegistry(target, u, ca)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if ca != "" {
		pool, err := mirror.ReadCA(ca)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	// A redirect is what a portal answers before it lets anybody through.
	client := &http.Client{Transport: transport, Timeout: sendTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &folder{target, client}, nil
}

// folder is a target that takes a PUT for each statement: a web server's folder, or a bucket.
type folder struct {
	target string
	client *http.Client
}

// URL is the target as site.yaml names it.
func (f *folder) URL() string { return f.target }

// at is where a statement goes.
func (f *folder) at(name string) string {
	if strings.Contains(f.target, placeholder) {
		return strings.ReplaceAll(f.target, placeholder, url.PathEscape(name))
	}
	front, query, asks := strings.Cut(f.target, "?")
	front = strings.TrimSuffix(front, "/") + "/" + url.PathEscape(name)
	if asks {
		front += "?" + query
	}
	return front
}

// Send puts a statement.
func (f *folder) Send(ctx context.Context, name string, statement []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, f.at(name), bytes.NewReader(statement))
	if err != nil {
		return &RefusedError{"its URL cannot be used"}
	}
	req.Header.Set("Content-Type", bundle.MediaTypeSigstoreBundle)
	resp, err := f.client.Do(req)
	if err != nil {
		var told *url.Error
		if errors.As(err, &told) {
			err = told.Err // the URL may hold a secret
		}
		return fmt.Errorf("%s does not answer: %w", req.URL.Host, err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	kind := resp.Header.Get("Content-Type")
	switch {
	case resp.StatusCode/100 == 2 && strings.HasPrefix(kind, "text/html"):
		return fmt.Errorf("%s answers with a page, as a portal does that lets nobody through yet", req.URL.Host)
	case resp.StatusCode/100 == 2:
		return nil
	}
	return judge(req.URL.Host, resp.StatusCode)
}

// judge tells an answer that is for good from one that passes. That somebody has to log in, or to wait, passes.
func judge(host string, code int) error {
	text := fmt.Sprintf("%s answered %d %s", host, code, http.StatusText(code))
	switch code {
	case http.StatusUnauthorized, http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return errors.New(text)
	}
	if code/100 == 4 {
		return &RefusedError{text}
	}
	return errors.New(text)
}
