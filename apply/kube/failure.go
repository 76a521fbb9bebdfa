package kube

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
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

// judge tells by the error whether the cluster is out of order, or cannot be used before somebody has mended something,
// and the one next step.
func (c *Cluster) judge(err error) (word, advice string) {
	var netErr *net.OpError
	switch {
	case isCertificateError(err):
		return unusable, "check that the kubeconfig has the certificate authority of " + c.server
	case isCredentialsError(err):
		return unusable, "make the credentials in " + c.config.Kubeconfig + " work: kubectl --kubeconfig " + c.config.Kubeconfig + " version"
	case apierrors.IsUnauthorized(err), isRemoteAlert(err):
		return unusable, "the credentials in " + c.config.Kubeconfig + " are not accepted; ask the cluster's administrator for new ones"
	case apierrors.IsForbidden(err):
		return unusable, "the user of " + c.config.Kubeconfig + " lacks this right; sallyport needs those of a cluster administrator"
	case isStranger(err):
		return unusable, "correct the server in " + c.config.Kubeconfig + ": what listens at " + c.server + " is something else"
	case errors.As(err, &netErr), isTimeout(err), errors.Is(err, io.EOF):
		return "", "check that the API server at " + c.server + " runs and can be reached, then try again"
	}
	return "", "see the log of the API server at " + c.server + ", then try again"
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
		return "the cluster does not know this kind and version; is its CustomResourceDefinition missing?", nil, true
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
	if s.Code < 400 || s.Code >= 500 || s.Code == 401 || s.Code == 429 {
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
