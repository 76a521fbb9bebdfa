package kube

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sallyport-dev/sallyport/internal/oneline"
)

// failed makes a TargetError of what went wrong while doing something. The end of the caller's context stays what it
// is.
func (c *Cluster) failed(doing string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	var g *gaveUp
	if errors.As(err, &g) {
		err = g.cause
	}
	e := &TargetError{Target: c.String(), Doing: doing, Err: short(err)}
	e.Word, e.Advice = c.judge(err)
	return e
}

// isAway tells that nobody was there to be asked, or nobody who could answer yet: the machine, the API server or its
// datastore is starting, overloaded or cut off. It says nothing about what was asked.
func isAway(err error) bool {
	var netErr *net.OpError
	if errors.As(err, &netErr) || isTimeout(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return strings.Contains(err.Error(), "http2: ") // a connection that ended; the library keeps the types to itself
	}
	s := status.Status()
	switch s.Code {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	case http.StatusForbidden:
		return strings.Contains(s.Message, "not yet ready to handle request")
	case http.StatusInternalServerError:
		return passing500.MatchString(s.Message)
	}
	return false
}

// passing500 is what an API server says whose etcd has lost its leader or does not answer; a full disk stays full.
var passing500 = regexp.MustCompile(`etcdserver: (request timed out|leader changed|no leader|server stopped|request ignored|too many requests)|context deadline exceeded`)

// isUnserved tells that the API server is there, and somebody else who serves or converts a kind of object is not.
func isUnserved(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	s := status.Status()
	return s.Code == http.StatusServiceUnavailable || s.Code == http.StatusInternalServerError && !passing500.MatchString(s.Message)
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

func isCertificateError(err error) bool {
	var verification *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	return errors.As(err, &verification) || errors.As(err, &unknown) || errors.As(err, &host)
}

// isCredentialsError tells of credentials that this machine cannot get: a program that the kubeconfig names and that is
// not there or fails. client-go gives such errors no type.
func isCredentialsError(err error) bool {
	var ue *url.Error
	return errors.As(err, &ue) && strings.HasPrefix(ue.Err.Error(), "getting credentials: ")
}

// isRemoteAlert tells that the server broke TLS off: it wants a client's certificate, or another one.
func isRemoteAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

// errStranger is of something that listens where the API server should.
var errStranger = errors.New("it does not answer as an API server")

// isStranger tells that what answers is no API server: it speaks another language, or no TLS.
func isStranger(err error) bool {
	var record tls.RecordHeaderError
	return errors.Is(err, errStranger) || errors.As(err, &record)
}

// shortError prints less than the error that it wraps.
type shortError struct {
	text string
	error
}

func (e *shortError) Error() string { return e.text }
func (e *shortError) Unwrap() error { return e.error }

// short leaves out what the surrounding message says already: the method, the URL, the object.
func short(err error) error {
	var ue *url.Error
	var op *net.OpError
	switch {
	case isTimeout(err):
		return &shortError{"no answer in time", err}
	case errors.As(err, &op) && op.Err != nil:
		return &shortError{op.Err.Error(), err}
	case errors.Is(err, io.EOF):
		return &shortError{"the connection was closed without an answer", err}
	case errors.As(err, &ue):
		return &shortError{tidy(ue.Err.Error()), err}
	}
	return err
}

// untyped begins the server's answer to an object with fields that its kind does not have: an internal error by its
// code, although it is the object that is at fault.
const untyped = "failed to create typed patch object"

// refusal says why the server will not have an object as it is. ok is false if the error is none of the object's: the
// server is down, overloaded or does not know us.
func refusal(err error) (note string, fields []string, ok bool) {
	if meta.IsNoMatchError(err) {
		return unknownNote + "; is its CustomResourceDefinition missing?", nil, true
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return "", nil, false
	}
	s := status.Status()
	if _, what, ok := strings.Cut(s.Message, untyped); ok {
		if _, field, ok := strings.Cut(what, "): "); ok {
			what = field
		}
		return "it is not valid: " + tidy(what), nil, true
	}
	if s.Code < 400 || s.Code >= 500 || s.Code == 401 || isAway(err) {
		return "", nil, false
	}
	if isImmutable(err) {
		names, texts := causes(s)
		if len(names) == 0 {
			return "fields cannot be changed: " + tidy(s.Message), nil, true
		}
		return strings.Join(names, ", ") + " cannot be changed", texts, true
	}
	if _, texts := causes(s); len(texts) > 0 && apierrors.IsInvalid(err) {
		return "it is not valid: " + strings.Join(texts, "; "), texts, true
	}
	return tidy(s.Message), nil, true
}

// Kubernetes has no code for "this field cannot be changed", only sentences.
var immutable = regexp.MustCompile(`(?i)immutable|may not be changed|may not change|(can ?not|must not|should not) (be )?(change|modif|update)` +
	`|updates to .* (are|is) forbidden|field can not be less than`)

func isImmutable(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Code >= 400 && status.Status().Code < 500 &&
		immutable.MatchString(status.Status().Message)
}

// causes lists the fields that the server names, and "field: why" for each.
func causes(s metav1.Status) (names, texts []string) {
	if s.Details == nil {
		return nil, nil
	}
	const most = 10
	for _, c := range s.Details.Causes {
		if c.Field == "" || len(names) == most {
			continue
		}
		names = append(names, c.Field)
		texts = append(texts, c.Field+": "+withoutValue(c.Message))
	}
	return names, texts
}

// withoutValue cuts the value out of 'Invalid value: VALUE: reason': it may be pages long, or secret.
func withoutValue(message string) string {
	kind, _, ok := strings.Cut(message, ": ")
	if !ok || !strings.Contains(kind, "value") {
		return tidy(message)
	}
	return tidy(message[strings.LastIndex(message, ": ")+2:])
}

// tidy makes a message of the server or of a program one line of bearable length.
func tidy(s string) string { return oneline.Clean(s, 300) }
