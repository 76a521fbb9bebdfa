package image

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/sallyport-dev/sallyport/internal/oneline"
)

// NetworkError is trouble with a registry that a later try may not meet: it is down, busy, or out of reach.
type NetworkError struct {
	Host    string // who does not do its part: the registry, or a host that it sends to
	Problem string // what it does, to follow the host's name: "refuses connections"
	Advice  string // what to do next, one sentence; may be empty
	Status  int    // of the HTTP answer, 0 if there was none
	Err     error  // cause, for errors.Is; its text is not shown

	elsewhere bool // Host is not the registry, but one that it sends to
}

// Error names the host and what it does.
func (e *NetworkError) Error() string { return e.Host + " " + e.Problem }

// Unwrap returns the cause.
func (e *NetworkError) Unwrap() error { return e.Err }

// Reason is the stable word for scripts.
func (e *NetworkError) Reason() string { return "network" }

// Hint is what to do next.
func (e *NetworkError) Hint() string { return e.Advice }

// statusPasses tells whether an HTTP status is one of the moment.
func statusPasses(code int) bool {
	switch code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return code >= 500
}

// passing tells faults of the moment from answers and from what will stay.
func passing(resp *http.Response, err error) bool {
	if err == nil {
		return statusPasses(resp.StatusCode)
	}
	var (
		dns *net.DNSError
		op  *net.OpError
	)
	switch {
	case errors.Is(err, context.Canceled), certificateFault(err) != nil, speaksPlain(err):
		return false
	case errors.As(err, &dns):
		return !dns.IsNotFound
	}
	return timedOut(err) || errors.As(err, &op) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || connectionLost(err)
}

// connectionLost recognises errors of http.Transport that have no type of their own.
func connectionLost(err error) bool {
	for _, text := range []string{"server closed idle connection", "stream error", "GOAWAY", "client connection lost",
		"transport connection broken"} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

func timedOut(err error) bool {
	var timeout net.Error
	return errors.Is(err, errSilent) || errors.As(err, &timeout) && timeout.Timeout()
}

// certificateFault finds why a certificate is not trusted; nil if that is not the trouble.
func certificateFault(err error) error {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		other     *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &authority):
		return authority
	case errors.As(err, &name):
		return name
	case errors.As(err, &invalid):
		return invalid
	case errors.As(err, &other):
		return other.Err
	}
	return nil
}

// speaksPlain recognises an answer that is not in TLS where TLS was spoken.
func speaksPlain(err error) bool {
	var header tls.RecordHeaderError
	return errors.As(err, &header) || strings.Contains(err.Error(), "HTTP response to HTTPS client")
}

// registryError puts into words what went wrong with a registry, and parts what will stay, an *Error, from what may
// pass, a *NetworkError.
func registryError(ctx context.Context, err error, host string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if why := certificateFault(err); why != nil {
		return &Error{Problem: "the certificate of " + hostOf(err, host) + " is not trusted: " + strings.TrimPrefix(why.Error(), "x509: "),
			Advice: "have this machine trust the CA that issued it (update-ca-certificates, or SSL_CERT_FILE=FILE), and check the clock", hidden: err}
	}
	var answer *transport.Error
	if errors.As(err, &answer) {
		return statusError(answer, host)
	}
	if speaksPlain(err) {
		return &Error{Problem: hostOf(err, host) + " answers in plain HTTP and not in HTTPS", hidden: err,
			Advice: "serve it over HTTPS: only registries on loopback and private addresses may do without"}
	}
	if strings.Contains(err.Error(), "stopped after 10 redirects") {
		return &Error{Problem: hostOf(err, host) + " sends from one address to another without an end", hidden: err,
			Advice: "check the name, and that it is a registry"}
	}
	problem, advice := connectionFault(err)
	at := hostOf(err, host)
	return &NetworkError{Host: at, Problem: problem, Advice: advice, Err: err, elsewhere: at != host}
}

// hostOf names the host that a request went to in the end.
func hostOf(err error, host string) string {
	var request *url.Error
	if errors.As(err, &request) {
		if u, uerr := url.Parse(request.URL); uerr == nil && u.Host != "" {
			return u.Host
		}
	}
	return host
}

// connectionFault says what a host does that gives no answer, and what to do about it.
func connectionFault(err error) (problem, advice string) {
	const later = "check that it is up and can be reached from here, then run the same command again"
	var (
		dns    *net.DNSError
		op     *net.OpError
		number syscall.Errno
	)
	switch {
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return "is behind a proxy that cannot be reached", "check HTTPS_PROXY and HTTP_PROXY, then run the same command again"
	case errors.As(err, &dns):
		return "has no address: " + dns.Err, "check the name, and this machine's network and DNS, then run the same command again"
	case errors.Is(err, errStalled):
		return "sends nothing more", later
	case timedOut(err):
		return "does not answer", later
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refuses connections: nothing listens there", later
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, syscall.EPIPE), connectionLost(err):
		return "broke the connection off", later
	case errors.As(err, &number):
		return "cannot be reached: " + number.Error(), later
	}
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	return "cannot be talked to: " + oneline.Clean(err.Error(), 200), later
}

// statusError is an answer that is none of those wanted.
func statusError(answer *transport.Error, host string) error {
	registry := host
	if answer.Request != nil && answer.Request.URL.Host != "" {
		host = answer.Request.URL.Host
	}
	switch code := answer.StatusCode; {
	case code == http.StatusNotFound:
		return &Error{Problem: host + " does not have it", hidden: errors.Join(errNotFound, answer),
			Advice: "push it there, or name another source for it in release.yaml"}
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return &Error{Problem: fmt.Sprintf("%s denies access, or does not have it: it answers %s", host, statusText(answer)), hidden: answer,
			Advice: "check the name, or log in: docker login " + host}
	case statusPasses(code):
		return &NetworkError{Host: host, Problem: "answers " + statusText(answer), Status: code, Err: answer, elsewhere: host != registry,
			Advice: "wait until it is well again, then run the same command again"}
	}
	return &Error{Problem: host + " answers " + statusText(answer), hidden: answer,
		Advice: "check the name, and that " + host + " is a registry"}
}

// statusText is an HTTP status with the registry's own words, if it has any.
func statusText(answer *transport.Error) string {
	text := fmt.Sprintf("%d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	for _, d := range answer.Errors {
		if words := oneline.Clean(d.Message, 120); words != "" && !strings.EqualFold(words, string(d.Code)) {
			return text + " (" + words + ")"
		}
	}
	return text
}
