package mirror_test

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/mirror"
)

// login is a registry behind a door: Basic, or Bearer with a token server of its own.
type login struct {
	scheme string
	token  atomic.Value // the good one, string
	scopes atomic.Value // of the last token, []string
}

func (l *login) wrap(t *testing.T, target string) string {
	real := network(t)
	behind, err := secret()
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	var self string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, ok := r.BasicAuth()
		known := ok && user == "site" && password == "s3cret"
		if r.URL.Path == "/token" {
			if !known {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			l.scopes.Store(r.URL.Query()["scope"])
			_ = json.NewEncoder(w).Encode(map[string]string{"token": l.token.Load().(string)})
			return
		}
		if l.scheme == "Bearer" {
			known = r.Header.Get("Authorization") == "Bearer "+l.token.Load().(string)
		}
		if !known {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`%s realm="%s/token",service="mirror"`, l.scheme, self))
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		out := r.Clone(r.Context())
		out.URL.Scheme, out.URL.Host, out.RequestURI = u.Scheme, u.Host, ""
		out.SetBasicAuth(behind.User, behind.Password)
		resp, err := real.RoundTrip(out)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		for k, v := range resp.Header {
			w.Header()[k] = v
		}
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	}))
	t.Cleanup(s.Close)
	self = s.URL
	return s.URL
}

func TestLogin(t *testing.T) {
	credentials := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(credentials, []byte("site\ns3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"Basic", "Bearer"} {
		t.Run(scheme, func(t *testing.T) {
			onEach(t, func(t *testing.T, _, target string) {
				l := &login{scheme: scheme}
				l.token.Store("first")
				door := l.wrap(t, target)
				c := newClient(t, mirror.Config{URL: door, CredentialsFile: credentials, Tries: 1})
				load(t, c, newImage(t, "team/app:1", "base", ""))
				if scopes, _ := l.scopes.Load().([]string); scheme == "Bearer" && fmt.Sprint(scopes) != "[repository:team/app:pull,push]" {
					t.Errorf("a token was asked for %q", scopes)
				}
				l.token.Store("second") // the first has expired
				load(t, c, newImage(t, "team/app:2", "base2", ""))

				wrong := newClient(t, mirror.Config{URL: door, Username: "site", Password: "wrong", Tries: 1})
				_, err := wrong.HasBlob(t.Context(), "team/app", digest.FromString("x"))
				var e reasoned
				if !errors.As(err, &e) || !strings.Contains(e.Hint(), "credentials") || strings.Contains(e.Error(), "wrong") {
					t.Errorf("with a wrong password: %v", err)
				}
			})
		})
	}
}

func TestDockerConfigurationLogsIn(t *testing.T) {
	target, _ := serveEmbedded(t)
	l := &login{scheme: "Basic"}
	door := l.wrap(t, target)
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	config := fmt.Sprintf(`{"auths":{%q:{"username":"site","password":"s3cret"}}}`, strings.TrimPrefix(door, "http://"))
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := mirror.New(mirror.Config{URL: door})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/app/tags/list" {
			http.Redirect(w, r, "http://"+r.Host+"/stolen", http.StatusTemporaryRedirect)
			return
		}
		fmt.Fprint(w, "{}")
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	var connections atomic.Int64
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.StartTLS()
	defer s.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]mirror.Config{"CA": {CAFile: ca}, "insecure": {Insecure: true}} {
		cfg.URL = s.URL
		c := newClient(t, cfg)
		if err := c.Ping(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := c.Tags(t.Context(), "app"); err == nil || !strings.Contains(err.Error(), "it leads from https to http") {
			t.Errorf("%s: a redirect to plain HTTP gave %v", name, err)
		}
	}
	var e reasoned
	connections.Store(0)
	err := newClient(t, mirror.Config{URL: s.URL}).Ping(t.Context())
	if !errors.As(err, &e) || !strings.Contains(e.Hint(), "certificate") {
		t.Errorf("an unknown certificate gave %v", err)
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("an unknown certificate was tried %d times", n)
	}
	plain := fake(t, nil)
	err = newClient(t, mirror.Config{URL: strings.Replace(plain, "http:", "https:", 1), Tries: 1}).Ping(t.Context())
	if !errors.As(err, &e) || !strings.Contains(e.Hint(), "does not speak TLS") {
		t.Errorf("a plain registry asked by TLS gave %v, %v", err, e.Hint())
	}
}
