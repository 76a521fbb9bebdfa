package mirror_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport-dev/sallyport/apply/mirror"
)

// silent answers like a good registry until a request begins as named, and then never.
func silent(at string, blobs map[string]string) roundTripper {
	return func(r *http.Request) (*http.Response, error) {
		what := r.Method + " " + r.URL.Path
		if strings.HasPrefix(what, at) {
			if r.Body != nil {
				_, _ = io.Copy(io.Discard, r.Body)
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		resp := &http.Response{StatusCode: http.StatusNotFound, Header: http.Header{}, Body: http.NoBody, Request: r}
		switch {
		case r.URL.Path == "/v2/":
			resp.StatusCode = http.StatusOK
		case r.Method == http.MethodPost:
			resp.StatusCode, resp.Header = http.StatusAccepted, http.Header{"Location": {"/v2/app/blobs/uploads/1"}}
		case r.Method == http.MethodGet && blobs[r.URL.Path] != "":
			data := blobs[r.URL.Path]
			resp.StatusCode, resp.ContentLength = http.StatusOK, int64(len(data))
			resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(data[:1]), readerFunc(func([]byte) (int, error) {
				<-r.Context().Done()
				return 0, r.Context().Err()
			})))
		}
		return resp, nil
	}
}

// A mirror that accepts and never answers is given up within a minute, whatever it is asked, and named. Time is the
// bubble's: nothing here waits.
func TestSilentMirrorsAreGivenUpWithinAMinute(t *testing.T) {
	b := randomBlob(1000, "silent")
	push := func(ctx context.Context, c *mirror.Client) error {
		_, err := c.PushBlob(ctx, "app", b.Descriptor, b.open)
		return err
	}
	path := "/v2/app/blobs/" + b.Digest.String()
	for name, test := range map[string]struct {
		at  string
		ask func(ctx context.Context, c *mirror.Client) error
	}{
		"greeting": {"GET /v2/", func(ctx context.Context, c *mirror.Client) error { return c.Ping(ctx) }},
		"head":     {"HEAD", push},
		"begin":    {"POST", push},
		"upload":   {"PUT", push},
		"manifest": {"GET /v2/app/manifests", func(ctx context.Context, c *mirror.Client) error {
			_, _, err := c.Manifest(ctx, "app", "1")
			return err
		}},
		"tags": {"GET /v2/app/tags", func(ctx context.Context, c *mirror.Client) error {
			_, err := c.Tags(ctx, "app")
			return err
		}},
		"in the middle of a blob": {"none", func(ctx context.Context, c *mirror.Client) error {
			r, err := c.OpenBlob(ctx, "app", b.Digest)
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = io.Copy(io.Discard, r)
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, mirror.Config{URL: "http://mirror.store:5000", Transport: silent(test.at, map[string]string{path: string(b.data)})})
				begun := time.Now()
				err := test.ask(t.Context(), c)
				var e *mirror.Error
				if !errors.As(err, &e) || !strings.Contains(e.Error(), "http://mirror.store:5000") || !strings.Contains(e.Error(), "no progress") {
					t.Errorf("error %v", err)
				}
				if took := time.Since(begun); took > time.Minute {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

// A registry that stores a large blob on a slow disk before it answers is not silent.
func TestSlowStoresAreWaitedFor(t *testing.T) {
	b := randomBlob(50<<20, "store")
	stored := false
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, mirror.Config{URL: "http://mirror.store:5000", Tries: 1, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r, ContentLength: b.Size}
			switch r.Method {
			case http.MethodHead:
				if !stored {
					resp.StatusCode = http.StatusNotFound
				}
			case http.MethodPost:
				resp.StatusCode, resp.Header = http.StatusAccepted, http.Header{"Location": {"/v2/app/blobs/uploads/1"}}
			case http.MethodPut:
				_, _ = io.Copy(io.Discard, r.Body)
				select {
				case <-time.After(50 * time.Second):
				case <-r.Context().Done():
					return nil, r.Context().Err()
				}
				resp.StatusCode, stored = http.StatusCreated, true
			}
			return resp, nil
		})})
		if pushed, err := c.PushBlob(t.Context(), "app", b.Descriptor, b.open); !pushed || err != nil {
			t.Errorf("pushed: %v, %v", pushed, err)
		}
	})
}

// Where a redirect leads is named when it fails there.
func TestRedirectsToSilenceAreNamed(t *testing.T) {
	store := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer store.Close()
	b := randomBlob(10, "redirect")
	u := fake(t, map[string]http.HandlerFunc{"GET /v2/app/blobs/": func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, store.URL+"/data", http.StatusTemporaryRedirect)
	}})
	_, err := newClient(t, mirror.Config{URL: u, Tries: 1, Stall: 200 * time.Millisecond}).OpenBlob(t.Context(), "app", b.Digest)
	if err == nil || !strings.Contains(err.Error(), u) || !strings.Contains(err.Error(), store.URL+", to which it leads: no progress for 200ms") {
		t.Errorf("error %v", err)
	}
}

// proxied puts a proxy that has a fault before a registry, as found before real ones.
func proxied(t *testing.T, target string, request func(*http.Request), response func(*http.Response)) string {
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(u); request(p.Out) },
		ModifyResponse: func(r *http.Response) error {
			response(r)
			return nil
		},
	})
	t.Cleanup(s.Close)
	return s.URL
}

// What proxies take away from a registry's answers is done without.
func TestProxiesThatTakeHeadersAway(t *testing.T) {
	nothing := func(*http.Request) {}
	for name, test := range map[string]struct {
		request  func(*http.Request)
		response func(*http.Response)
	}{
		"no length of HEAD": {nothing, func(r *http.Response) {
			if r.Request.Method == http.MethodHead {
				r.Header.Del("Content-Length")
				r.ContentLength = -1
			}
		}},
		"no length at all": {nothing, func(r *http.Response) {
			r.Header.Del("Content-Length")
			r.ContentLength = -1
		}},
		"no digest": {nothing, func(r *http.Response) { r.Header.Del("Docker-Content-Digest") }},
		"relative address": {nothing, func(r *http.Response) {
			if u, err := url.Parse(r.Header.Get("Location")); err == nil && r.Header.Get("Location") != "" {
				r.Header.Set("Location", u.RequestURI())
			}
		}},
		"no range": {func(r *http.Request) { r.Header.Del("Range") }, func(r *http.Response) { r.Header.Del("Range") }},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, _, target string) {
				c := client(t, proxied(t, target, test.request, test.response))
				img := newImage(t, "registry.example.com/team/app:1", "base", "").sign(t, "", "s")
				load(t, c, img)
				load(t, c, img)
				if err := c.CheckImage(t.Context(), img.Image, nil, img.raw); err != nil {
					t.Error(err)
				}
				if d, err := c.Resolve(t.Context(), "team/app", "1"); err != nil || d.Digest != img.Digest || d.Size != img.Size {
					t.Errorf("the tag resolves to %+v, %v", d, err)
				}
				if report, err := mirror.Fsck(t.Context(), c, releases(img)); err != nil || len(report.Problems) != 0 {
					t.Errorf("fsck finds %+v, %v", report, err)
				}
			})
		})
	}
}

// A blob whose connection broke is read on where the registry says no lengths and knows no ranges, too.
func TestBrokenReadsWithoutLengths(t *testing.T) {
	b := randomBlob(200_000, "lengths")
	asked := 0
	u := fake(t, map[string]http.HandlerFunc{"GET /v2/app/blobs/": func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.Header.Get("Range") != "" {
			t.Error("a range was asked for")
		}
		half := b.data
		if asked == 1 {
			half = b.data[:100_000]
		}
		_, _ = w.Write(half)
		w.(http.Flusher).Flush()
		if asked == 1 {
			panic(http.ErrAbortHandler)
		}
	}})
	if got := readBlob(t, client(t, u), "app", b.Digest); !bytes.Equal(got, b.data) || asked != 2 {
		t.Errorf("%d bytes came back in %d answers", len(got), asked)
	}
}
