package kube

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A server that refuses a Secret may quote it: the value that is no text, the object that a webhook did not like. Its
// words go to terminals, logs, the journal and receipts. So they are rewritten where they come in, before anybody has
// seen them: of an answer about Secrets only sentences that are known to hold no value are let through.

// discreet is the lowest layer of what asks the server. It passes on what concerns no Secret as it is.
type discreet struct{ next http.RoundTripper }

// WrappedRoundTripper tells client-go what it can cancel.
func (d *discreet) WrappedRoundTripper() http.RoundTripper { return d.next }

// RoundTrip rewrites refusals of Secrets, and warnings about them.
func (d *discreet) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := d.next.RoundTrip(req)
	m := secretPath.FindStringSubmatch(req.URL.Path)
	if err != nil || m == nil {
		return resp, err
	}
	if len(resp.Header.Values("Warning")) > 0 {
		resp.Header = resp.Header.Clone()
		resp.Header.Set("Warning", "299 - "+strconv.Quote("Secret "+strings.TrimPrefix(m[1]+"/"+m[2], "/")+": "+unsaid))
	}
	if resp.StatusCode < http.StatusBadRequest {
		return resp, nil
	}
	return resp, rewrite(resp)
}

// secretPath is that of a Secret, or of several, behind whatever prefix a proxy adds.
var secretPath = regexp.MustCompile(`/api/v1/(?:namespaces/([^/]+)/)?secrets(?:/([^/]+))?$`)

// maxRefusal bounds a refusal in bytes. The server quotes whole objects, of 1.5 MiB at most.
const maxRefusal = 8 << 20

// rewrite replaces the body of a refusal.
func rewrite(resp *http.Response) error {
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	var s metav1.Status
	if json.Unmarshal(raw, &s) != nil || s.Kind != "Status" {
		s = metav1.Status{Status: metav1.StatusFailure, Message: string(raw)}
		s.Kind, s.APIVersion, s.Code = "Status", "v1", int32(resp.StatusCode) //nolint:gosec // three digits
	}
	told, err := json.Marshal(discreetStatus(s))
	if err != nil {
		return err
	}
	resp.Header = resp.Header.Clone()
	resp.Header.Del("Content-Encoding")
	resp.Header.Set("Content-Type", "application/json")
	resp.Header.Set("Content-Length", strconv.Itoa(len(told)))
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(told)), int64(len(told))
	return nil
}

// discreetStatus is a refusal of a Secret in words of our own.
func discreetStatus(s metav1.Status) metav1.Status {
	out := metav1.Status{TypeMeta: s.TypeMeta, Status: s.Status, Reason: s.Reason, Code: s.Code, Message: discreetText(s.Message)}
	if s.Details == nil {
		return out
	}
	out.Details = &metav1.StatusDetails{Name: s.Details.Name, Group: s.Details.Group, Kind: s.Details.Kind,
		UID: s.Details.UID, RetryAfterSeconds: s.Details.RetryAfterSeconds}
	for _, c := range s.Details.Causes {
		out.Details.Causes = append(out.Details.Causes,
			metav1.StatusCause{Type: c.Type, Field: knownField.FindString(c.Field), Message: discreetText(c.Message)})
	}
	return out
}

// unsaid stands for words that may hold a value.
const unsaid = "the server's words are not shown, for they may hold values of the Secret"

// knownField is a path into a Secret. Its keys are no secret.
var knownField = regexp.MustCompile(`^(metadata|data|stringData|type|immutable)[\w.\-\[\]/]*$`)

// judges say no in words of their own. Only who they are is told.
var judges = regexp.MustCompile(`admission webhook "[^"]{1,253}" denied the request` +
	`|ValidatingAdmissionPolicy '[^']{1,253}' with binding '[^']{1,253}' denied request` +
	`|failed calling webhook "[^"]{1,253}"`)

var webhookName = regexp.MustCompile(`^admission webhook "[^"]{1,253}" `)

// whole are messages of the server itself, from their first word.
var whole = regexp.MustCompile(`^secrets (?:"[\w.\-]+" )?is forbidden: (?:` +
	`User "[^"]{1,300}" cannot [a-z]+ resource "secrets" in API group ""(?: in the namespace "[\w\-]+"| at the cluster scope)?` +
	`|exceeded quota: [^\n]{1,300}` +
	`|unable to create new content in namespace [\w\-]+ because it is being terminated)` +
	`|^(?:secrets|namespaces) "[\w.\-]+" (?:not found|already exists)$` +
	`|^Operation cannot be fulfilled on secrets "[\w.\-]+": (?:the object has been modified|Precondition failed)`)

// typing is how the server words that fields have a wrong type or name. The value follows the type.
var (
	typing = regexp.MustCompile(`^failed to create typed patch object \([\w./\-]*; /v1, Kind=Secret\): `)
	typed  = regexp.MustCompile(`\.(?:metadata|data|stringData|type|immutable)[\w.\-\[\]/"]*: expected [a-z]+|\.[\w.\-]+: field not declared in schema`)
)

// phrases are what the server says of fields. No value is in them.
var phrases = regexp.MustCompile("field is immutable(?: when `immutable` is set)?" +
	`|illegal base64 data at input byte \d+` +
	`|a valid config key must consist of alphanumeric characters, '-', '_' or '\.'` +
	`|Too long: may not be more than \d+ bytes|Too long: must have at most \d+ bytes` +
	`|Required value`)

var undecoded = regexp.MustCompile(`cannot unmarshal [a-z]+ into Go struct field ([\w.]+) of type (\w+)`)

// troubles are why a webhook cannot be called.
var troubles = regexp.MustCompile(`no endpoints available for service "[\w.\-]+"|service "[\w.\-]+" not found|connection refused|no such host` +
	`|context deadline exceeded|certificate signed by unknown authority`)

// discreetText is what may be told of a message about a Secret.
func discreetText(message string) string {
	if m := whole.FindString(message); m != "" {
		return m
	}
	// A judge's words may hold anything, even what looks like the server's.
	if judge := judges.FindString(message); judge != "" {
		if why := troubles.FindString(message); why != "" && strings.HasPrefix(judge, "failed") {
			return judge + ": " + why
		}
		return judge + ": " + unsaid
	}
	if notDryRun.MatchString(message) {
		return webhookName.FindString(message) + "does not support dry run"
	}
	if m := typing.FindString(message); m != "" {
		if fields := typed.FindAllString(message, maxFields); len(fields) > 0 {
			slices.Sort(fields) // the server tells them in any order
			return m + strings.Join(slices.Compact(fields), "; ")
		}
		return m + unsaid
	}
	if m := undecoded.FindStringSubmatch(message); m != nil {
		return m[1] + ": expected " + m[2]
	}
	if found := phrases.FindAllString(message, maxFields); len(found) > 0 {
		return strings.Join(found, "; ")
	}
	return unsaid
}
