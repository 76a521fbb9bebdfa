package kube

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestHintsOfTheTarget(t *testing.T) {
	c := newCluster(t)
	program := func(text string) error { return &url.Error{Op: "Get", Err: errors.New("getting credentials: " + text)} }
	for _, tt := range []struct {
		name, reason, hint string
		err                error
	}{
		{"nobody listens", "target", "start the cluster", &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}},
		{"no such host", "target", "nothing is known of api.store", &net.OpError{Op: "dial", Err: &net.DNSError{Name: "api.store", IsNotFound: true}}},
		{"no way there", "target", "check this machine's network", &net.OpError{Op: "dial", Err: syscall.ENETUNREACH}},
		{"starts", "target", "/readyz", answered(http.StatusServiceUnavailable, "")},
		{"has just started", "target", "/readyz", answered(http.StatusForbidden, "pods is forbidden: not yet ready to handle request")},
		{"webhook", "target", "the webhook check.store.example of the cluster does not answer", answered(http.StatusInternalServerError,
			`Internal error occurred: failed calling webhook "check.store.example": Post "https://x.y.svc": dial tcp: refused`)},
		{"program not in PATH", "unusable", "install get-token, which ", program("exec: executable get-token not found\n\nIt looks like")},
		{"program is gone", "unusable", "install /opt/cloud/get-token, which ", program("exec: fork/exec /opt/cloud/get-token: no such file or directory")},
		{"program fails", "unusable", "kubectl --kubeconfig ", program("exec: executable /bin/false failed with exit code 1")},
		{"right", "unusable", "let the user till of the kubeconfig list secrets in the namespace shop, or", &apierrors.StatusError{ErrStatus: metav1.Status{
			Code: 403, Reason: metav1.StatusReasonForbidden, Message: `secrets is forbidden: User "till" cannot list resource "secrets" in API group "" in the namespace "shop"`}}},
	} {
		err := c.failed("look", tt.err)
		var target *TargetError
		if !errors.As(err, &target) || target.Reason() != tt.reason || !strings.Contains(target.Hint(), tt.hint) {
			t.Errorf("%s: got %v (%s) with the hint %q; want %s, %q", tt.name, err, target.Reason(), target.Hint(), tt.reason, tt.hint)
		}
	}
}

func TestHintsOfRefusals(t *testing.T) {
	object := ID{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: "till"}
	for _, tt := range []struct {
		name, reason, hint string
		notes              []string
	}{
		{"another's", "refused", "take Deployment shop/till out of this release or out of old; if old is no longer used here, give the object up for it: " +
			"kubectl label deployment till -n shop sallyport.dev/release-name-", []string{"it is not valid: spec", foreignNote + "old"}},
		{"unknown kind", "refused", "put the CustomResourceDefinition of apps/v1, Kind=Deployment into the release", []string{unknownNote + "; is it missing?"}},
		{"cannot be changed", "refused", ForceAnnotation, []string{"spec.selector cannot be changed"}},
		{"rights", "unusable", "let the user a:b:c of the kubeconfig create roles.rbac.authorization.k8s.io in the namespace shop; patch nodes in the whole cluster, or", []string{
			`nodes "n" is forbidden: User "a:b:c" cannot patch resource "nodes" in API group "" at the cluster scope`,
			`x: User "a:b:c" cannot create resource "roles" in API group "rbac.authorization.k8s.io" in the namespace "shop"`,
			`x: User "a:b:c" cannot create resource "roles" in API group "rbac.authorization.k8s.io" in the namespace "shop"`,
		}},
		{"a right that was asked for", "unusable", "let the user of the kubeconfig delete configmaps in the namespace shop, or", []string{lacks + "delete configmaps in the namespace shop"}},
		{"many rights", "unusable", "and 1 more rights", []string{
			`User "a" cannot get resource "a"`, `User "a" cannot get resource "b"`, `User "a" cannot get resource "c"`, `User "a" cannot get resource "d"`}},
		{"escalation", "unusable", "let the user till of the kubeconfig escalate roles", []string{
			`roles "r" is forbidden: user "till" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held: {...}`}},
		{"anything", "refused", "have these objects corrected", []string{`admission webhook "w" denied the request`}},
	} {
		e := &RefusedError{}
		for _, n := range tt.notes {
			e.Refused = append(e.Refused, Change{ID: object, Action: Conflict, Note: n})
		}
		if e.Reason() != tt.reason || !strings.Contains(e.Hint(), tt.hint) {
			t.Errorf("%s: got %s, %q; want %s, %q", tt.name, e.Reason(), e.Hint(), tt.reason, tt.hint)
		}
	}
}

// as is the shared cluster's kubeconfig with the rights of somebody else.
func as(t *testing.T, user string) string {
	t.Helper()
	path := kubeconfigFor(t, shared.Server)
	b, err := os.ReadFile(path)
	must(t, err)
	var m map[string]any
	must(t, json.Unmarshal(b, &m))
	m["users"].([]any)[0].(map[string]any)["user"].(map[string]any)["as"] = user
	b, err = json.Marshal(m)
	must(t, err)
	must(t, os.WriteFile(path, b, 0o600))
	return path
}

// The server's own words about rights, with which the expressions above have to agree.
func TestRightsThatTheServerMisses(t *testing.T) {
	newSetting(t, "fewrights", "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: reader, namespace: NS}, rules: [{apiGroups: ['', rbac.authorization.k8s.io], "+
		"resources: [configmaps, roles], verbs: [get, list, create, patch]}]}\n---\n"+
		"{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: reader, namespace: NS}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}, "+
		"subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: till}]}\n")
	for _, tt := range []struct{ name, object, hint string }{
		{"nothing at all", "{apiVersion: v1, kind: Secret, metadata: {name: x, namespace: fewrights}}", "let the user till of the kubeconfig "},
		{"more than one has", "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: more, namespace: fewrights}, rules: [{apiGroups: [''], resources: [nodes], verbs: [get]}]}",
			"let the user till of the kubeconfig escalate roles"},
	} {
		_, _, err := connect(t, as(t, "till")).Apply(t.Context(), objects("%s", tt.object), Inventory{})
		var h interface {
			Hint() string
			Reason() string
		}
		if !errors.As(err, &h) || h.Reason() != "unusable" || !strings.Contains(h.Hint(), tt.hint) {
			t.Errorf("%s: got %v; want unusable with the hint %q", tt.name, err, tt.hint)
			if h != nil {
				t.Errorf("%s, %q", h.Reason(), h.Hint())
			}
		}
	}
}

// The words of client-go and of the system, with which the expressions above have to agree.
func TestHintsOfRealFailures(t *testing.T) {
	for _, tt := range []struct{ name, kubeconfig, hint string }{
		{"program with a path", withProgram(t, "/opt/cloud/get-token"), "install /opt/cloud/get-token, which "},
		{"program in PATH", withProgram(t, "sallyport-no-such-program"), "install sallyport-no-such-program, which "},
		{"nobody listens", kubeconfigFor(t, "https://127.0.0.1:1"), "nothing listens at https://127.0.0.1:1"},
		{"no such host", kubeconfigFor(t, "https://api.invalid:6443"), "correct the server in "},
	} {
		_, err := hasty(t, tt.kubeconfig).Ready(t.Context(), Inventory{})
		var target *TargetError
		if !errors.As(err, &target) || !strings.Contains(target.Hint(), tt.hint) {
			t.Errorf("%s: got %v, want the hint %q", tt.name, err, tt.hint)
			if target != nil {
				t.Errorf("not %q", target.Hint())
			}
		}
	}
}
