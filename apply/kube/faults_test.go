package kube

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// fault answers a request in place of the API server, or returns false to let it through.
type fault func(w http.ResponseWriter, r *http.Request) bool

// proxied is a cluster whose requests all pass through f.
func proxied(t *testing.T, f fault) *Cluster {
	t.Helper()
	target, err := url.Parse(shared.Server)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	proxy.Transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	srv := tlsServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !f(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	return connect(t, kubeconfigFor(t, srv.URL))
}

// tlsServer is a server that does not log the handshakes that tests break off.
func tlsServer(t *testing.T, h http.Handler) *httptest.Server {
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
}

// kubeconfigFor is the shared cluster's kubeconfig with another server.
func kubeconfigFor(t *testing.T, server string) string {
	t.Helper()
	return editedKubeconfig(t, func(m map[string]any) {
		m["clusters"].([]any)[0].(map[string]any)["cluster"].(map[string]any)["server"] = server
	})
}

// impersonating is the shared cluster's kubeconfig of another user.
func impersonating(t *testing.T, user string) string {
	t.Helper()
	return editedKubeconfig(t, func(m map[string]any) {
		m["users"].([]any)[0].(map[string]any)["user"].(map[string]any)["as"] = user
	})
}

func editedKubeconfig(t *testing.T, edit func(map[string]any)) string {
	t.Helper()
	b, err := os.ReadFile(shared.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	edit(m)
	if b, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func drop(w http.ResponseWriter, _ *http.Request) bool {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
	return true
}

// hang never answers. A server sees that the client has gone only once it has read the request.
func hang(_ http.ResponseWriter, r *http.Request) bool {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	return true
}

func answer(code int, body string) fault {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
		return true
	}
}

// on lets f see only requests of the method whose path holds the part, and only those from first to last.
func on(method, part string, first, last int64, f fault) fault {
	var n atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != method || !strings.Contains(r.URL.Path, part) {
			return false
		}
		if i := n.Add(1); i < first || i > last {
			return false
		}
		return f(w, r)
	}
}

const always = 1 << 30

func TestShortFaultsAreOutlived(t *testing.T) {
	for name, f := range map[string]fault{
		"unavailable":          on("PATCH", "/configmaps/", 1, 1, answer(503, "{}")),
		"too many requests":    on("PATCH", "/configmaps/", 2, 2, answer(429, "{}")),
		"bad gateway":          on("PATCH", "/configmaps/", 1, 1, answer(502, "not even JSON")),
		"connection lost":      on("PATCH", "/configmaps/", 2, 2, drop),
		"discovery fails once": on("GET", "/api/v1", 1, 1, answer(503, "")),
	} {
		t.Run(name, func(t *testing.T) {
			c := proxied(t, f)
			want := objects("%s", configMap("default", "outlived", "x"))
			inv, changes := mustApply(t.Context(), t, c, want, Inventory{})
			expect(t, "apply", changes, "created ConfigMap default/outlived")
			if _, err := c.Prune(t.Context(), inv, Inventory{}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestLastingFaults(t *testing.T) {
	for _, tt := range []struct {
		name               string
		f                  fault
		want, reason, hint string
	}{
		{"down", drop, "cannot tell what it knows of v1: the connection was closed without an answer", "target", "check that the API server"},
		{"unavailable", on("PATCH", "", 1, always, answer(503, "{}")), "cannot dry-run ConfigMap default/never", "target", "API server"},
		{"write fails after the dry run", on("PATCH", "", 2, always, answer(500, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"etcdserver: no space","code":500}`)),
			"cannot apply ConfigMap default/never: etcdserver: no space", "target", "API server"},
		{"not known", answer(401, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}`),
			"cannot tell what it knows of v1: the server has asked for the client to provide credentials", "unusable", "credentials"},
		{"garbage", on("GET", "/api/v1", 1, always, answer(200, "<html>")), "does not answer as an API server", "unusable", "something else"},
		{"forbidden", on("PATCH", "", 1, always, answer(403, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"no, you may not","reason":"Forbidden","code":403}`)),
			"refuses 1 object: ConfigMap default/never: no, you may not", "refused", "corrected"},
		{"no right", on("PATCH", "", 1, always, answer(403, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"configmaps \"never\" is forbidden: User \"till\" cannot patch resource \"configmaps\" in API group \"\" in the namespace \"default\"","reason":"Forbidden","code":403}`)),
			"refuses 1 object: ConfigMap default/never: configmaps", "unusable", "cluster administrator"},
		{"webhook says no on the write", on("PATCH", "", 2, always, answer(400, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"admission webhook \"w\" denied the request","reason":"BadRequest","code":400}`)),
			"refuses 1 object: ConfigMap default/never: admission webhook", "refused", "corrected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := proxied(t, tt.f)
			_, _, err := c.Apply(t.Context(), objects("%s", configMap("default", "never", "x")), Inventory{})
			var typed interface {
				Reason() string
				Hint() string
			}
			if !errors.As(err, &typed) || typed.Reason() != tt.reason {
				t.Fatalf("got %v, want an error with the reason %s", err, tt.reason)
			}
			if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), c.server) {
				t.Errorf("got %q, want %q and the server", err, tt.want)
			}
			if !strings.Contains(typed.Hint(), tt.hint) {
				t.Errorf("hint %q, want %q", typed.Hint(), tt.hint)
			}
			u, err := newCluster(t).getAnyVersion(t.Context(), ID{Version: "v1", Kind: "ConfigMap", Namespace: "default", Name: "never"})
			if u != nil || err != nil {
				t.Errorf("afterwards there is %v, %v", u, err)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	c := connect(t, kubeconfigFor(t, "https://"+l.Addr().String()))
	start := time.Now()
	_, err = c.Health(t.Context(), objects("%s", configMap("default", "x", "x")))
	if err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %s to find out, with a patience of %s", took, c.config.Patience)
	}
}

func TestCertificateOfSomebodyElse(t *testing.T) {
	srv := tlsServer(t, http.NotFoundHandler())
	path := kubeconfigFor(t, srv.URL)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b = []byte(strings.Replace(string(b), `"insecure-skip-tls-verify":true`, `"insecure-skip-tls-verify":false`, 1))
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = connect(t, path).Ready(t.Context(), Inventory{})
	var target *TargetError
	if !errors.As(err, &target) || !strings.Contains(target.Hint(), "certificate authority") {
		t.Errorf("got %v with the hint %q", err, target.Hint())
	}
}

func TestCancelledAtAnyRequest(t *testing.T) {
	want := objects("%s", configMap("default", "cancelled", "x"))
	for n := int64(1); ; n++ {
		ctx, cancel := context.WithCancel(t.Context())
		var seen atomic.Int64
		c := proxied(t, func(_ http.ResponseWriter, r *http.Request) bool {
			if seen.Add(1) != n {
				return false
			}
			cancel()
			return hang(nil, r)
		})
		inv, _, err := c.Apply(ctx, want, Inventory{})
		cancel()
		if err == nil {
			if _, err := newCluster(t).Prune(t.Context(), inv, Inventory{}); err != nil {
				t.Error(err)
			}
			if n < 4 {
				t.Errorf("apply needs only %d requests: the test sees nothing", n)
			}
			return
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("request %d: got %v, want that of the context", n, err)
		}
	}
}

func TestSilentServer(t *testing.T) {
	c := proxied(t, hang)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.Ready(ctx, Inventory{}); err == nil || !strings.Contains(err.Error(), "no answer in time") {
		t.Errorf("got %v", err)
	}
}

func TestAPIServerRestarts(t *testing.T) {
	var down atomic.Bool
	c := proxied(t, func(w http.ResponseWriter, r *http.Request) bool { return down.Load() && drop(w, r) })
	if v, err := c.Ready(t.Context(), Inventory{}); err != nil || v == "" {
		t.Fatal(v, err)
	}
	down.Store(true)
	time.AfterFunc(300*time.Millisecond, func() { down.Store(false) })
	if _, err := c.Ready(t.Context(), Inventory{}); err != nil {
		t.Errorf("a server that is back in time: %v", err)
	}
}

func TestKubeconfigErrors(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"missing": "", "garbage": "{{{", "empty": "apiVersion: v1\nkind: Config\n"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name)
			if name != "missing" {
				if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := NewCluster(Config{Kubeconfig: path})
			var target *TargetError
			if !errors.As(err, &target) || !strings.Contains(err.Error(), path) || target.Hint() == "" {
				t.Errorf("got %v", err)
			}
		})
	}
}
