package embedded_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/apply/mirror/embedded"
)

func TestSecretIsMadeOnceAndForItsOwnerOnly(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state", "mirror.secret")
	got := make([]string, 8)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() {
			var err error
			if got[i], err = embedded.Secret(t.Context(), file); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, s := range got {
		if s != got[0] || len(s) != 64 {
			t.Errorf("one got %q, another %q", got[0], s)
		}
	}
	fi, err := os.Stat(file)
	if err != nil || fi.Mode() != 0o600 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
}

func TestSecretThatOthersMayKnowIsRefused(t *testing.T) {
	for name, test := range map[string]struct {
		spoil   func(file string) error
		problem string
		mend    string
	}{
		"others may read":   {func(f string) error { return os.Chmod(f, 0o644) }, "has mode 0644", "remove "},
		"a group may write": {func(f string) error { return os.Chmod(f, 0o620) }, "has mode 0620", "remove "},
		"another's": {func(f string) error {
			if os.Geteuid() != 0 {
				t.Skip("only root can give a file away")
			}
			return os.Chown(f, 65534, 65534)
		}, "belongs to user 65534", "remove "},
		"a link":        {func(f string) error { return errors.Join(os.Rename(f, f+"2"), os.Symlink(f+"2", f)) }, "is a link", "remove "},
		"a pipe":        {func(f string) error { return errors.Join(os.Remove(f), unix.Mkfifo(f, 0o600)) }, "no plain file", "remove "},
		"a folder":      {func(f string) error { return errors.Join(os.Remove(f), os.Mkdir(f, 0o700)) }, "no plain file", "remove "},
		"empty":         {func(f string) error { return os.Truncate(f, 0) }, "is damaged", "remove "},
		"cut":           {func(f string) error { return os.Truncate(f, 40) }, "is damaged", "remove "},
		"no hex digits": {func(f string) error { return os.WriteFile(f, []byte(strings.Repeat("x", 65)), 0o600) }, "is damaged", "remove "},
	} {
		t.Run(name, func(t *testing.T) {
			file := secretFile(t)
			if err := test.spoil(file); err != nil {
				t.Fatal(err)
			}
			_, err := embedded.Secret(t.Context(), file)
			var e *embedded.SecretError
			if !errors.As(err, &e) || !strings.Contains(e.Error(), test.problem) || !strings.Contains(e.Error(), file) || !strings.Contains(e.Hint(), test.mend) {
				t.Fatalf("error %v", err)
			}
			err = embedded.Serve(t.Context(), embedded.Config{Dir: t.TempDir(), Secret: file}, "127.0.0.1:0")
			if !errors.As(err, &e) {
				t.Errorf("served with it: %v", err)
			}
			// What the hint says helps.
			if err := os.RemoveAll(file); err != nil {
				t.Fatal(err)
			}
			if s, err := embedded.Secret(t.Context(), file); err != nil || s == password {
				t.Errorf("after it: %q, %v", s, err)
			}
		})
	}
}

// whatChanges are the requests that change a mirror, or belong to a change.
var whatChanges = [][2]string{
	{"POST", "/v2/app/blobs/uploads/"}, {"POST", "/v2/app/blobs/uploads/?mount=sha256:a&from=b"},
	{"GET", "/v2/app/blobs/uploads/00000000-0000-0000-0000-000000000000"}, {"HEAD", "/v2/app/blobs/uploads/00000000-0000-0000-0000-000000000000"},
	{"PATCH", "/v2/app/blobs/uploads/00000000-0000-0000-0000-000000000000"}, {"PUT", "/v2/app/blobs/uploads/00000000-0000-0000-0000-000000000000?digest=sha256:a"},
	{"DELETE", "/v2/app/blobs/uploads/00000000-0000-0000-0000-000000000000"},
	{"PUT", "/v2/app/manifests/1"}, {"DELETE", "/v2/app/manifests/1"}, {"DELETE", "/v2/app/blobs/sha256:a"},
	{"OPTIONS", "/v2/"}, {"POST", "/v2/"}, {"CONNECT", "/v2/app/manifests/1"}, {"TRACE", "/v2/app/manifests/1"}, {"MOVE", "/v2/app/manifests/1"},
}

func TestChangesNeedTheSecret(t *testing.T) {
	c := serve(t, t.TempDir())
	raw := pushImage(t, c, "app", "1", "layer")
	for _, test := range []struct{ user, password string }{
		{"", ""}, {embedded.User, ""}, {embedded.User, password[:63]}, {embedded.User, password + "0"}, {"", password}, {"root", password},
		{embedded.User, strings.ToUpper(password)},
	} {
		for _, change := range whatChanges {
			req := request(t, change[0], c.URL()+change[1], strings.NewReader("{}"))
			req.Header.Del("Authorization")
			if test.user != "" || test.password != "" {
				req.SetBasicAuth(test.user, test.password)
			}
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			var doc struct {
				Errors []struct{ Code, Message string }
			}
			if change[0] != http.MethodHead {
				err = json.NewDecoder(resp.Body).Decode(&doc)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusUnauthorized || err != nil ||
				change[0] != http.MethodHead && (len(doc.Errors) != 1 || doc.Errors[0].Code != "UNAUTHORIZED") {
				t.Errorf("%s as %q: %d %+v, %v", change, test, resp.StatusCode, doc, err)
			}
		}
	}
	stranger, err := mirror.New(mirror.Config{URL: c.URL(), Tries: 1})
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := stranger.Manifest(t.Context(), "app", "1"); err != nil || string(got) != string(raw) {
		t.Errorf("a stranger reads %q, %v", got, err)
	}
	if tags, err := stranger.Tags(t.Context(), "app"); err != nil || len(tags) != 1 {
		t.Errorf("a stranger lists %q, %v", tags, err)
	}
}

// A secret that is lost is made anew by the next that pushes, and whoever serves follows; the old one is worth nothing.
func TestLostSecretIsReplaced(t *testing.T) {
	cfg := embedded.Config{Dir: t.TempDir(), Secret: filepath.Join(t.TempDir(), "secret")}
	first, stop, err := embedded.Attach(t.Context(), cfg, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if err := os.Remove(cfg.Secret); err != nil {
		t.Fatal(err)
	}
	pushes := func(at embedded.Served) error {
		c, err := mirror.New(mirror.Config{URL: at.URL, Username: at.User, Password: at.Password, Tries: 1})
		if err != nil {
			return err
		}
		data := []byte(at.Password)
		_, err = c.PushBlob(t.Context(), "app", describe(data), opener(data))
		return err
	}
	if err := pushes(first); err == nil {
		t.Error("a secret that is gone was good for a push")
	}
	second, _, err := embedded.Attach(t.Context(), cfg, strings.TrimPrefix(first.URL, "http://"))
	if err != nil || second.Password == first.Password {
		t.Fatalf("the second got the same secret, %v", err)
	}
	if err := pushes(second); err != nil {
		t.Error(err)
	}
	if err := pushes(first); err == nil {
		t.Error("the old secret was good for a push")
	}
}

// The secret goes to nobody who does not have it.
func TestAttachTellsTheSiteFromOthers(t *testing.T) {
	dir := t.TempDir()
	other := embedded.Config{Dir: dir, Secret: filepath.Join(t.TempDir(), "secret")}
	at, stop, err := embedded.Attach(t.Context(), other, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	var asked []string
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Authorization"))
	}))
	defer thief.Close()
	for _, url := range []string{at.URL, thief.URL} {
		_, _, err = embedded.Attach(t.Context(), embedded.Config{Dir: dir, Secret: secretFile(t)}, strings.TrimPrefix(url, "http://"))
		var e *embedded.Error
		if !errors.Is(err, embedded.ErrNoSecret) || !errors.As(err, &e) || !strings.Contains(e.Error(), url) || !strings.Contains(e.Hint(), "start sallyport mirror serve anew") {
			t.Errorf("error %v", err)
		}
	}
	if strings.Join(asked, "") != "" {
		t.Errorf("the other one was told %q", asked)
	}
}

// Cases of DNS rebinding: a name of the attacker's leads to the mirror, and the browser takes it for the page's own server.
func TestHostAndOriginAreChecked(t *testing.T) {
	machine, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	cfg := embedded.Config{Dir: t.TempDir(), Names: []string{"mirror.store", "192.0.2.77"}}
	r, err := embedded.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	here := context.WithValue(t.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.ParseIP("192.0.2.1"), Port: 5000})
	for _, test := range []struct {
		host   string
		header http.Header
		good   bool
	}{
		{"127.0.0.1:5000", nil, true}, {"127.0.0.1", nil, true}, {"127.8.9.1:5000", nil, true}, {"[::1]:5000", nil, true}, {"[::1]", nil, true},
		{"localhost:5000", nil, true}, {"LocalHost.:5000", nil, true}, {"registry.localhost:5000", nil, true}, {machine + ":5000", nil, true},
		{"192.0.2.1:5000", nil, true}, {"192.0.2.77:5000", nil, true}, {"mirror.store:5000", nil, true}, {"MIRROR.store", nil, true}, {"", nil, true},
		{"192.0.2.2:5000", nil, false}, {"evil.example:5000", nil, false}, {"mirror.store.evil.example", nil, false}, {"localhost.evil.example", nil, false},
		{"127.0.0.1.evil.example:5000", nil, false}, {"[::1", nil, true}, {"a b", nil, false}, {"notlocalhost:5000", nil, false},
		{"localhost:5000", http.Header{"Origin": {"http://localhost:5000"}}, true},
		{"localhost:5000", http.Header{"Origin": {"http://evil.example"}}, false},
		{"localhost:5000", http.Header{"Origin": {"http://localhost:8080"}}, false},
		{"localhost:5000", http.Header{"Origin": {"null"}}, false}, {"localhost:5000", http.Header{"Origin": {""}}, false},
		{"localhost:5000", http.Header{"Origin": {"http://localhost:5000", "http://evil.example"}}, false},
		{"localhost:5000", http.Header{"Sec-Fetch-Site": {"cross-site"}}, false}, {"localhost:5000", http.Header{"Sec-Fetch-Site": {"none"}}, true},
	} {
		for _, path := range []string{"/v2/", "/v2/_catalog", "/v2/app/manifests/1?ns=registry.example.com"} {
			req := httptest.NewRequest(http.MethodGet, path, nil).WithContext(here)
			req.Host = test.host
			for k, v := range test.header {
				req.Header[k] = v
			}
			w := httptest.NewRecorder()
			r.ServeHTTP(w, req)
			if refused := w.Code == http.StatusForbidden; refused == test.good || refused && !strings.Contains(w.Body.String(), "DENIED") {
				t.Errorf("%s at %q with %v gave %d %s", path, test.host, test.header, w.Code, w.Body)
			}
		}
	}
}

func TestReach(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:5000": "127.0.0.1:5000", "mirror.store:5000": "mirror.store:5000", ":5000": "127.0.0.1:5000", "0.0.0.0:5000": "127.0.0.1:5000",
		"[::]:5000": "[::1]:5000", "192.0.2.1:80": "192.0.2.1:80",
	} {
		if got := embedded.Reach(listen); got != want {
			t.Errorf("%s is reached at %s, want %s", listen, got, want)
		}
	}
}

// Whoever can open a lock's file can hold the lock.
func TestLockFilesAreClosedToOthers(t *testing.T) {
	dir := t.TempDir()
	old := filepath.Join(dir, "write.lock")
	if err := os.WriteFile(old, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	c := serve(t, dir)
	push(t, c, "app", []byte("blob"))
	for _, file := range []string{old, filepath.Join(dir, "serve.lock")} {
		if fi, err := os.Stat(file); err != nil || fi.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", file, fi.Mode(), err)
		}
	}
}
