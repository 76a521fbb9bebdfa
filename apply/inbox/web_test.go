package inbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// shelf is a web server's folder: Go's own file server, with ETags, and faults where a test wants some.
type shelf struct {
	*httptest.Server
	dir  string
	mu   sync.Mutex
	asks []string // METHOD PATH RANGE of each request
	// fault may answer a request itself.
	fault func(w http.ResponseWriter, r *http.Request) bool
	tag   string
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	s := &shelf{dir: t.TempDir(), tag: `"1"`}
	files := http.FileServer(http.Dir(s.dir))
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asks = append(s.asks, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Range")))
		fault, tag := s.fault, s.tag
		s.mu.Unlock()
		if fault != nil && fault(w, r) {
			return
		}
		if tag != "" {
			w.Header().Set("ETag", tag)
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *shelf) put(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *shelf) breaks(fault func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

func (s *shelf) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.asks
	s.asks = nil
	return all
}

func (s *shelf) source(t *testing.T, path string) *Web {
	t.Helper()
	return &Web{URL: s.URL + path, Client: NewClient(http.DefaultTransport.(*http.Transport)), Spool: filepath.Join(t.TempDir(), "spool")}
}

func listed(t *testing.T, w *Web) (all []Candidate) {
	t.Helper()
	if err := w.List(t.Context(), func(c Candidate) error { all = append(all, c); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func random(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return b
}

func TestWebLists(t *testing.T) {
	s := newShelf(t)
	s.put(t, "a.tar", []byte("aaaa"))
	s.put(t, "b-1.2.tar", []byte("bb"))
	s.put(t, "stop.freeze.json", []byte("{}"))
	s.put(t, listName, []byte("# the week's\n a.tar\r\n\nb-1.2.tar\nstop.freeze.json\n"))
	got := listed(t, s.source(t, "/?key=secret"))
	if len(got) != 3 || got[0].Size != 4 || got[1].Size != 2 || strings.Contains(fmt.Sprint(got), "secret") {
		t.Errorf("it lists %+v", got)
	}
	if asked := s.asked(); !slices.Equal(asked, []string{"GET /bundles.txt?key=secret", "HEAD /a.tar?key=secret", "HEAD /b-1.2.tar?key=secret",
		"HEAD /stop.freeze.json?key=secret"}) {
		t.Errorf("it asked %q", asked)
	}
	one := listed(t, s.source(t, "/a.tar"))
	if len(one) != 1 || one[0].Size != 4 || one[0].ID == got[0].ID {
		t.Errorf("one file: %+v", one)
	}
	f, err := one[0].Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, err := io.ReadAll(f); string(b) != "aaaa" || err != nil {
		t.Errorf("it opens %q, %v", b, err)
	}
	s.mu.Lock()
	s.tag = `"2"`
	s.mu.Unlock()
	if again := listed(t, s.source(t, "/a.tar")); again[0].ID == one[0].ID {
		t.Error("other bytes have the same ID")
	}
}

// What is no list, and no answer of the server's, is a link that is down: a pass says nothing, and doctor does.
func TestNoLink(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("a.tar\n")) }))
	defer other.Close()
	for name, tt := range map[string]struct {
		fault func(w http.ResponseWriter, r *http.Request) bool
		words string
	}{
		"a portal's page": {func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write([]byte("<html>log in</html>"))
			return true
		}, "as a portal does"},
		"a portal's page by another name": {func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = w.Write([]byte("<html>log in</html>"))
			return true
		}, "is no list of bundles"},
		"another host": {func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, other.URL+"/bundles.txt", http.StatusFound)
			return true
		}, "as a portal does"},
		"not there": {func(w http.ResponseWriter, r *http.Request) bool { http.NotFound(w, r); return true }, "404"},
		"out of order": {func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}, "503"},
		"hangs up": {func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }, "does not answer"},
		"a path": {func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = w.Write([]byte("../../etc/passwd.tar\n"))
			return true
		}, "is no list of bundles"},
		"without end": {func(w http.ResponseWriter, _ *http.Request) bool {
			for range 10_000 {
				if _, err := w.Write([]byte("some-bundle.tar\n")); err != nil {
					break
				}
			}
			return true
		}, "more than 256 names"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t)
			s.breaks(tt.fault)
			w := s.source(t, "/")
			if got := listed(t, w); len(got) > 0 {
				t.Errorf("it lists %+v", got)
			}
			_, err := w.Check(t.Context())
			var link *LinkError
			if !errors.As(err, &link) || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("got %v", err)
			}
		})
	}
	down := &Web{URL: "https://user:word@127.0.0.1:1/?key=secret", Client: NewClient(http.DefaultTransport.(*http.Transport))}
	_, err := down.Check(t.Context())
	if err == nil || !strings.Contains(err.Error(), "does not answer") || strings.Contains(err.Error()+down.String(), "secret") || strings.Contains(err.Error()+down.String(), "word") {
		t.Errorf("%s: %v", down, err)
	}
}

// fetched is what a candidate's bytes are once they are here.
func fetched(ctx context.Context, t *testing.T, c Candidate) ([]byte, error) {
	t.Helper()
	f, err := c.Fetch(ctx)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b, nil
}

// A fetch that breaks off goes on where it stopped, and not with the bytes of another bundle.
func TestFetchGoesOn(t *testing.T) {
	s := newShelf(t)
	whole := random(300_000)
	s.put(t, "a.tar", whole)
	w := s.source(t, "/a.tar")
	c := listed(t, w)[0]
	cut := func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodHead {
			return false
		}
		rw.Header().Set("ETag", `"1"`)
		rw.Header().Set("Content-Length", "300000")
		_, _ = rw.Write(whole[:100_000])
		panic(http.ErrAbortHandler)
	}
	s.breaks(cut)
	var link *LinkError
	if _, err := fetched(t.Context(), t, c); !errors.As(err, &link) || !strings.Contains(err.Error(), "broke off") {
		t.Fatalf("got %v", err)
	}
	s.breaks(nil)
	s.asked()
	if b, err := fetched(t.Context(), t, c); err != nil || !bytes.Equal(b, whole) {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	if asked := s.asked(); len(asked) != 1 || !strings.HasPrefix(asked[0], "GET /a.tar bytes=") || strings.Contains(asked[0], "bytes=0-") {
		t.Errorf("it asked %q", asked)
	}
	// All is here: nobody is asked.
	if b, err := fetched(t.Context(), t, c); err != nil || !bytes.Equal(b, whole) || len(s.asked()) > 0 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if err := errors.Join(c.Drop(), c.Drop()); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(w.Spool); err != nil || len(left) > 0 {
		t.Errorf("%v are left, %v", left, err)
	}
}

func TestFetchOfWhatHasChanged(t *testing.T) {
	s := newShelf(t)
	s.put(t, "a.tar", random(200_000))
	c := listed(t, s.source(t, "/a.tar"))[0]
	ctx, cancel := context.WithCancel(t.Context())
	s.breaks(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Content-Length", "200000")
		_, _ = w.Write(make([]byte, 90_000))
		_ = http.NewResponseController(w).Flush()
		time.Sleep(50 * time.Millisecond)
		cancel()
		<-r.Context().Done()
		return true
	})
	if _, err := fetched(ctx, t, c); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	s.breaks(nil)
	s.mu.Lock()
	s.tag = `"2"`
	s.mu.Unlock()
	var link *LinkError
	if _, err := fetched(t.Context(), t, c); !errors.As(err, &link) || !strings.Contains(err.Error(), "has changed on the server") {
		t.Errorf("got %v", err)
	}
}

// A server that gives no parts begins again; one that gives the wrong part, or too few bytes, is not believed.
func TestServersThatGiveNoParts(t *testing.T) {
	whole := random(100_000)
	for name, tt := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request) bool
		words  string // empty: all is well
	}{
		"no parts": {func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("ETag", `"1"`)
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write(whole)
			return true
		}, ""},
		"another part": {func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Range", "bytes 1-99999/100000")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = w.Write(whole[1:])
			return true
		}, "has changed on the server"},
		"forbidden": {func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusForbidden); return true }, "403"},
		"a page": {func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write(make([]byte, 100_000))
			return true
		}, "as a portal does"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t)
			s.put(t, "a.tar", whole)
			w := s.source(t, "/a.tar")
			c := listed(t, w)[0]
			if err := os.MkdirAll(w.Spool, 0o700); err != nil {
				t.Fatal(err)
			}
			part := filepath.Join(w.Spool, strings.TrimPrefix(c.ID, "web:")+".part")
			if err := os.WriteFile(part, whole[:40_000], 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(w.Spool, "another.part"), whole, 0o600); err != nil {
				t.Fatal(err)
			}
			s.breaks(tt.answer)
			b, err := fetched(t.Context(), t, c)
			if tt.words == "" && (err != nil || !bytes.Equal(b, whole)) || tt.words != "" && (err == nil || !strings.Contains(err.Error(), tt.words)) {
				t.Errorf("%d bytes, %v", len(b), err)
			}
			if left, err := os.ReadDir(w.Spool); err != nil || len(left) != 1 {
				t.Errorf("%v are left, %v", left, err)
			}
		})
	}
}

// 150 kB at 100 kB/s, of which the first part comes at once, take more than a second.
func TestRateIsBounded(t *testing.T) {
	s := newShelf(t)
	whole := random(150_000)
	s.put(t, "a.tar", whole)
	w := s.source(t, "/a.tar")
	w.Rate = 100_000
	began := time.Now()
	b, err := fetched(t.Context(), t, listed(t, w)[0])
	if err != nil || !bytes.Equal(b, whole) {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("it took %s", took)
	}
}
