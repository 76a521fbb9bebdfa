package kube

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestDifferences(t *testing.T) {
	digest := "registry.example.com/warehouse/pick-engine@sha256:" + strings.Repeat("a", 60)
	for _, tt := range []struct {
		name, before, after string
		want                []string
	}{
		{"nothing", "a: 1", "a: 1", nil},
		{"what the server adds", "metadata: {uid: x, resourceVersion: '1'}\nstatus: {a: 1}", "status: {a: 2}", nil},
		{"our own marks", "metadata: {labels: {a: b}}", "metadata: {labels: {a: b, sallyport.dev/release-name: s}, annotations: {sallyport.dev/adopted: 'true'}}", nil},
		{"changed, added, removed", "spec: {a: 1, b: {c: x}}", "spec: {a: 2, d: [1]}",
			[]string{"spec.a: 1 -> 2", "- spec.b: {\"c\":\"x\"}", "+ spec.d: [1]"}},
		{"annotation", "metadata: {annotations: {example.com/a: x}}", "metadata: {annotations: {example.com/a: z}}",
			[]string{"metadata.annotations[example.com/a]: x -> z"}},
		{"list by name", "l: [{name: a, v: 1}, {name: b, v: 2}]", "l: [{name: b, v: 3}, {name: a, v: 1}]", []string{"l[b].v: 2 -> 3"}},
		{"list by port", "l: [{port: 80, v: 1}]", "l: [{port: 81, v: 1}]", []string{`- l[80]: {"port":80,"v":1}`, `+ l[81]: {"port":81,"v":1}`}},
		{"list by place", "l: [a, b]", "l: [a, c]", []string{"l[1]: b -> c"}},
		{"names that repeat", "l: [{name: a, v: 1}, {name: a, v: 2}]", "l: [{name: a, v: 1}, {name: a, v: 3}]", []string{"l[1].v: 2 -> 3"}},
		{"long values keep both ends", "i: " + digest + "1111", "i: " + digest + "2222", []string{
			"i: registry.example.com/warehouse/pick-engi…aaaaaaaaaaaaaaaa1111 -> registry.example.com/warehouse/pick-engi…aaaaaaaaaaaaaaaa2222"}},
		{"text with spaces", "a: x y", "a: ''", []string{`a: "x y" -> ""`}},
		{"text that moves the cursor", `a: "x\eb"`, "a: w", []string{`a: "x\u001bb" -> w`}},
		{"secret", "apiVersion: v1\nkind: Secret\ndata: {a: czNjcmV0, b: x}\ntype: t", "apiVersion: v1\nkind: Secret\ndata: {a: b3RoZXI=, c: z}\ntype: u",
			[]string{"data.a: ***** -> ***** (changed)", "- data.b: *****", "+ data.c: *****", "type: t -> u"}},
		{"secret as kubectl left it", "apiVersion: v1\nkind: Secret\nmetadata: {annotations: {kubectl.kubernetes.io/last-applied-configuration: '{\"data\":\"czNjcmV0\"}'}}",
			"apiVersion: v1\nkind: Secret", nil},
		{"as kubectl left it", "metadata: {annotations: {kubectl.kubernetes.io/last-applied-configuration: '{}', a: b}}", "metadata: {annotations: {a: c}}",
			[]string{"metadata.annotations.a: b -> c"}},
		{"secret that a program copied into an annotation", "apiVersion: v1\nkind: Secret\nmetadata: {annotations: {example.com/copy: s3cret}, labels: {a: b}}",
			"apiVersion: v1\nkind: Secret\nmetadata: {labels: {a: c}}", []string{"- metadata.annotations[example.com/copy]: *****", "metadata.labels.a: b -> c"}},
		{"signs that HTML escapes", "a: 1", "a: '<&> \"'", []string{`a: 1 -> "<&> \""`}},
		{"lines", "a: \"1\\n2\\n3\\n4\\n5\\n6\\n7\\n8\\n\"", "a: \"1\\n2\\n3\\n4\\nfive\\n6\\n7\\n8\\n\"",
			[]string{"a:", "  @@ -3,5 +3,5 @@", "   3", "   4", "  -5", "  +five", "   6", "   7"}},
		{"lines that come, and that move the cursor", "b: 1", "a: \"x\\n\\e[1my\"\nb: 1", []string{"+ a:", "  @@ -1,0 +1,2 @@", "  +x", `  +\x1b[1my`}},
		{"lines in two places", "a: \"x\\n2\\n3\\n4\\n5\\n6\\n7\\nx\"", "a: \"y\\n2\\n3\\n4\\n5\\n6\\n7\\ny\"",
			[]string{"a:", "  @@ -1,3 +1,3 @@", "  -x", "  +y", "   2", "   3", "  @@ -6,3 +6,3 @@", "   6", "   7", "  -x", "  +y"}},
		{"an end of the last line", "a: \"x\\ny\"", "a: \"x\\ny\\n\"", []string{"a:", "  @@ -1,2 +1,2 @@", "   x", `  -y\ (no line end)`, "  +y"}},
		{"lines of a secret", "apiVersion: v1\nkind: Secret\nstringData: {a: \"x\\ny\"}", "apiVersion: v1\nkind: Secret\nstringData: {a: \"x\\nz\"}",
			[]string{"stringData.a: ***** -> ***** (changed)"}},
		{"the whole data of a secret", "apiVersion: v1\nkind: Secret", "apiVersion: v1\nkind: Secret\nstringData: {a: s3cret}", []string{"+ stringData: *****"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := differences(object(t, tt.before), object(t, tt.after)); !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
	many := func(v int) *unstructured.Unstructured {
		m := map[string]any{}
		for i := range maxFields + 5 {
			m[fmt.Sprint(i)] = v
		}
		return &unstructured.Unstructured{Object: map[string]any{"data": m}}
	}
	got := differences(many(1), many(2))
	if len(got) != maxFields+1 || got[maxFields] != "and 5 more" {
		t.Errorf("%d lines, the last is %q", len(got), got[len(got)-1])
	}
}

func TestRefusal(t *testing.T) {
	status := func(code int32, reason metav1.StatusReason, message string, causes ...metav1.StatusCause) error {
		return fmt.Errorf("dry run: %w", &apierrors.StatusError{ErrStatus: metav1.Status{Code: code, Reason: reason, Message: message,
			Details: &metav1.StatusDetails{Causes: causes}}})
	}
	for _, tt := range []struct {
		name string
		err  error
		note string // empty: not the object's fault
	}{
		{"immutable, with pages of a value", status(422, metav1.StatusReasonInvalid, "Job is invalid: field is immutable", metav1.StatusCause{
			Field: "spec.template", Message: `Invalid value: {"env":{"PASSWORD: x":"s3cret"}}: field is immutable`}), "spec.template cannot be changed"},
		{"immutable StatefulSet", status(422, metav1.StatusReasonInvalid, "updates to statefulset spec for fields other than 'replicas' are forbidden"),
			"fields cannot be changed: updates to statefulset"},
		{"immutable by a webhook", status(403, metav1.StatusReasonForbidden, "admission webhook denied: spec is immutable"), "fields cannot be changed: admission"},
		{"invalid", status(422, metav1.StatusReasonInvalid, "x is invalid", metav1.StatusCause{Field: "spec.a", Message: "Required value: must be set"}),
			"it is not valid: spec.a: must be set"},
		{"forbidden", status(403, metav1.StatusReasonForbidden, "you\n\x1b[31mmay not"), `you \x1b[31mmay not`},
		{"long", status(400, metav1.StatusReasonBadRequest, strings.Repeat("x", 1000)), strings.Repeat("x", 300) + "…"},
		{"not known here", status(401, metav1.StatusReasonUnauthorized, "who are you"), ""},
		{"overloaded", status(429, metav1.StatusReasonTooManyRequests, "slow down"), ""},
		{"broken server", status(500, metav1.StatusReasonInternalError, "etcd"), ""},
		{"no server", fmt.Errorf("connection refused"), ""},
	} {
		note, _, ok := refusal(tt.err)
		if ok != (tt.note != "") || !strings.HasPrefix(note, tt.note) || strings.Contains(note, "s3cret") {
			t.Errorf("%s: got %q, %t; want %q", tt.name, note, ok, tt.note)
		}
	}
}

func TestErrorTexts(t *testing.T) {
	var refused RefusedError
	refused.Target = "the cluster at https://a"
	unhealthy := UnhealthyError{Total: 9}
	for i := range 7 {
		id := ID{Kind: "Job", Namespace: "n", Name: fmt.Sprint(i)}
		refused.Refused = append(refused.Refused, Change{ID: id, Note: "no"})
		unhealthy.Unhealthy = append(unhealthy.Unhealthy, ObjectStatus{ID: id, Status: InProgress, Message: "slow"})
	}
	if got, want := refused.Error(), "the cluster at https://a refuses 7 objects: Job n/0: no; Job n/1: no; Job n/2: no; Job n/3: no; Job n/4: no; and 2 more"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := unhealthy.Error(), "7 of 9 objects not ready: Job n/0: slow; Job n/1: slow; Job n/2: slow; and 4 more"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A text of many lines is shown in few, whatever differs in it.
func TestLinesAreBounded(t *testing.T) {
	text := func(n int, s string) string { return strings.Repeat(s+"\n", n) }
	for name, pair := range map[string][2]string{
		"all":      {text(900, "a"), text(900, "b")},
		"too many": {text(5000, "a"), text(5000, "b")},
		"long":     {"a\n" + strings.Repeat("x", 1<<20), "a\n" + strings.Repeat("y", 1<<20)},
	} {
		lines := linesChanged("data.a", pair[0], pair[1])
		size := len(strings.Join(lines, ""))
		if len(lines) < 4 || len(lines) > maxLines+2 || size > (maxLines+2)*(maxLineText+8) {
			t.Errorf("%s: %d lines, %d bytes", name, len(lines), size)
		}
	}
}
