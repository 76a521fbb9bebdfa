package mirror

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
)

// Causes that callers tell apart with errors.Is.
var (
	// ErrNotFound: the mirror has no such blob, manifest or tag.
	ErrNotFound = errors.New("not found")
	// ErrDamaged: the mirror serves bytes that do not have the digest they were asked for by.
	ErrDamaged = errors.New("damaged")
	// ErrDeleteRefused: the registry is set up so that nothing can be deleted.
	ErrDeleteRefused = errors.New("the registry refuses to delete")
	// ErrSparseIndex: the registry wants every platform of a multi-platform image, not only the site's.
	ErrSparseIndex = errors.New("the registry refuses an image index without all of its platforms")
	// ErrRetry: the data came from a stream and is used up. Make the stream again and push again.
	ErrRetry = errors.New("the upload broke off; make the data again and retry")

	errStalled = errors.New("no progress")
	errGarbage = errors.New("the answer is not one of a registry")
)

// Error is a failure of the mirror, or of the way to it.
type Error struct {
	URL    string // the mirror's, as configured
	Action string // what was tried: "push blob sha256:… to team/app"
	Err    error
}

// Error names the mirror, the action and the cause.
func (e *Error) Error() string {
	return fmt.Sprintf("mirror %s: %s: %s", e.URL, e.Action, withoutRoute(e.Err))
}

// withoutRoute is err's text without the layers of the HTTP client, which repeat the address: what is left is
// "connection refused" or the like.
func withoutRoute(err error) string {
	text := err.Error()
	var (
		request *url.Error
		op      *net.OpError
		dns     *net.DNSError
		number  syscall.Errno
	)
	if !errors.As(err, &request) {
		return text
	}
	short := request.Err.Error()
	switch {
	case errors.As(request.Err, &dns):
		short = dns.Name + ": " + dns.Err
	case errors.As(request.Err, &number):
		short = number.Error()
	case errors.As(request.Err, &op):
		short = op.Err.Error()
	}
	return strings.Replace(text, request.Error(), short, 1)
}

func (e *Error) Unwrap() error { return e.Err }

// Reason is "room" when the mirror's disk is full, otherwise "mirror".
func (e *Error) Reason() string {
	if isFull(e.Err) {
		return "room"
	}
	return "mirror"
}

// Hint says what to check.
func (e *Error) Hint() string { return fmt.Sprintf(hintFor(e.Err), e.URL) }

const hintNoRegistry = "check that %s is a registry and not another web server or a proxy"

// hintFor returns a format with one %s, the mirror's URL.
func hintFor(err error) string {
	var (
		dns     *net.DNSError
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		expired x509.CertificateInvalidError
		plain   tls.RecordHeaderError
		status  *StatusError
	)
	switch {
	case errors.Is(err, ErrSparseIndex):
		return "use the embedded mirror, or set validation.manifests.indexes.platforms: none (distribution v3) at %s"
	case errors.Is(err, ErrDeleteRefused):
		return "to reclaim space, allow deletes at %s (REGISTRY_STORAGE_DELETE_ENABLED=true) and run sallyport mirror gc again"
	case errors.Is(err, ErrDamaged):
		return "the disk of %s may be failing: run sallyport mirror fsck; a stock registry keeps damaged blobs until their folder below blobs/sha256 is removed"
	case errors.Is(err, ErrRetry):
		return "check that the registry at %s is up, then run the same command again"
	case isFull(err):
		return "free space on the disk of the registry at %s, for example with sallyport mirror gc, then run the same command again"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens at %s: start the registry (sallyport mirror serve, or systemctl start docker-registry), or correct mirror in site.yaml"
	case errors.As(err, &dns):
		return "the host of %s has no address: correct mirror in site.yaml, or add the host to /etc/hosts"
	case errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &expired):
		return "the certificate of %s is not trusted: give its CA's file in site.yaml, and check the clock"
	case errors.As(err, &plain), strings.Contains(err.Error(), "HTTP response to HTTPS client"):
		return "%s does not speak TLS: write http:// in site.yaml if the registry is meant to be plain HTTP"
	case errors.Is(err, errStalled):
		return "the registry at %s accepts connections but does not get on: check its load, its disk and its log"
	case errors.Is(err, errGarbage):
		return hintNoRegistry
	case errors.As(err, &status):
		return status.hint()
	}
	return "check that %s is reachable from here and look at the registry's log"
}

// isFull tells whether the registry ran out of disk space. Stock registries report it as an unknown error whose
// detail holds the system's words.
func isFull(err error) bool {
	var status *StatusError
	if errors.As(err, &status) {
		return status.Code == http.StatusInsufficientStorage || strings.Contains(status.Message, syscall.ENOSPC.Error())
	}
	return errors.Is(err, syscall.ENOSPC)
}

// StatusError is an answer of the registry that refuses a request.
type StatusError struct {
	Method  string
	Path    string
	Code    int
	Codes   []string // the registry's error codes, such as MANIFEST_BLOB_UNKNOWN
	Message string   // the registry's words, shortened
}

func (e *StatusError) Error() string {
	s := fmt.Sprintf("%s %s answered %d %s", e.Method, e.Path, e.Code, http.StatusText(e.Code))
	if e.Message != "" {
		s += ": " + e.Message
	}
	return s
}

// Is makes a 404 an ErrNotFound.
func (e *StatusError) Is(target error) bool {
	return target == ErrNotFound && e.Code == http.StatusNotFound
}

func (e *StatusError) has(code string) bool {
	for _, c := range e.Codes {
		if c == code {
			return true
		}
	}
	return false
}

func (e *StatusError) hint() string {
	switch {
	case e.Code < http.StatusMultipleChoices:
		return hintNoRegistry // a registry does not answer this request with that kind of success
	case e.Code == http.StatusUnauthorized, e.Code == http.StatusForbidden, e.has("DENIED"), e.has("UNAUTHORIZED"):
		return "give credentials that may push to %s: in site.yaml, or with docker login for the user that runs sallyport"
	case e.Code == http.StatusMethodNotAllowed, e.has("UNSUPPORTED"):
		return "%s is read-only: switch off its maintenance or proxy mode, or name another registry in site.yaml"
	case e.Code == http.StatusRequestEntityTooLarge:
		return "a proxy before %s limits the size of uploads: raise its limit (nginx: client_max_body_size 0)"
	case e.Code == http.StatusTooManyRequests:
		return "%s limits the rate of requests: wait, then run the same command again"
	case e.Code >= 500:
		return "the registry at %s has a fault of its own: look at its log and its disk"
	}
	return "look at the log of the registry at %s; it refused a request that registries accept"
}

// temporary tells whether trying the same request again may help.
func temporary(err error) bool {
	var (
		status  *StatusError
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		expired x509.CertificateInvalidError
		plain   tls.RecordHeaderError
		dns     *net.DNSError
		op      *net.OpError
		timeout net.Error
	)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, errGarbage), isFull(err):
		return false
	case errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &expired), errors.As(err, &plain):
		return false
	case errors.As(err, &dns):
		return dns.IsTemporary || dns.IsTimeout
	case errors.As(err, &status):
		return retryable(status.Code)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, errStalled):
		return true
	}
	return errors.As(err, &op) || errors.As(err, &timeout) && timeout.Timeout() ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || transportFault(err)
}

// transportFault recognises errors of http.Transport that have no type of their own.
func transportFault(err error) bool {
	s := err.Error()
	return strings.Contains(s, "server closed idle connection") || strings.Contains(s, "stream error") ||
		strings.Contains(s, "GOAWAY") || strings.Contains(s, "client connection lost") ||
		strings.Contains(s, "transport connection broken")
}

func retryable(code int) bool {
	switch code {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}
