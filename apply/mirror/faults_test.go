package mirror_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/apply/mirror"
)

// A connection that breaks in the middle of an upload is taken up where the registry has got to, or else the upload
// begins anew.
func TestUploadsSurviveBrokenConnections(t *testing.T) {
	onEach(t, func(t *testing.T, kind, target string) {
		b := randomBlob(3_000_000, "broken")
		var broken, sent atomic.Int64
		real := network(t)
		c := newClient(t, mirror.Config{URL: target, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.ContentLength > 1_000_000 && broken.Add(1) <= 2 {
				r.Body = &tornBody{ReadCloser: r.Body, left: 1_000_000}
			}
			if r.Body != nil {
				r.Body = &countedBody{ReadCloser: r.Body, n: &sent}
			}
			return real.RoundTrip(r)
		})})
		if pushed, err := c.PushBlob(t.Context(), "app", b.Descriptor, b.open); !pushed || err != nil {
			t.Fatalf("push gave %v, %v", pushed, err)
		}
		if !bytes.Equal(readBlob(t, c, "app", b.Digest), b.data) {
			t.Error("other bytes came back")
		}
		// The embedded mirror resumes: each byte is sent about once. Debian's 2.8.2 cannot tell how much it has.
		if limit := b.Size + 500_000; kind == "embedded" && sent.Load() > limit {
			t.Errorf("%d bytes were sent for a blob of %d", sent.Load(), b.Size)
		}
	})
}

// A line may break more often than there are tries, as long as each time a part gets through.
func TestUploadsGoOnAsLongAsTheyProgress(t *testing.T) {
	target, _ := serveEmbedded(t)
	b := randomBlob(2_000_000, "bad line")
	real, breaks := network(t), 0
	c := newClient(t, mirror.Config{URL: target, Tries: 2, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.ContentLength > 400_000 {
			breaks++
			r.Body = &tornBody{ReadCloser: r.Body, left: 400_000}
		}
		return real.RoundTrip(r)
	})})
	if pushed, err := c.PushBlob(t.Context(), "app", b.Descriptor, b.open); !pushed || err != nil || breaks != 4 {
		t.Errorf("push gave %v, %v after %d breaks", pushed, err, breaks)
	}
	breaks = 0
	dead := newClient(t, mirror.Config{URL: target, Tries: 3, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.ContentLength > 400_000 {
			breaks++
			r.Body = &tornBody{ReadCloser: r.Body}
		}
		return real.RoundTrip(r)
	})})
	other := randomBlob(1_000_000, "dead line")
	if _, err := dead.PushBlob(t.Context(), "app", other.Descriptor, other.open); err == nil || breaks != 3 {
		t.Errorf("a dead line gave %v after %d breaks", err, breaks)
	}
}

// tornBody breaks the connection after some bytes.
type tornBody struct {
	io.ReadCloser
	left int
}

func (b *tornBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, &net.OpError{Op: "write", Err: errors.New("connection reset by peer")}
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

type countedBody struct {
	io.ReadCloser
	n *atomic.Int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	return n, err
}

func TestStreamsAskForARetryWhenTheyAreUsedUp(t *testing.T) {
	onEach(t, func(t *testing.T, _, target string) {
		b := randomBlob(2_000_000, "stream")
		real, torn := network(t), false
		c := newClient(t, mirror.Config{URL: target, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.ContentLength > 1_000_000 && !torn {
				torn = true
				r.Body = &tornBody{ReadCloser: r.Body, left: 1_000_000}
			}
			return real.RoundTrip(r)
		})})
		_, err := c.StreamBlob(t.Context(), "app", b.Descriptor, bytes.NewReader(b.data))
		var e reasoned
		if !errors.Is(err, mirror.ErrRetry) || !errors.As(err, &e) || e.Reason() != "mirror" || !strings.Contains(e.Error(), "connection reset") {
			t.Fatalf("error %v", err)
		}
		if pushed, err := c.StreamBlob(t.Context(), "app", b.Descriptor, bytes.NewReader(b.data)); !pushed || err != nil {
			t.Errorf("the retry gave %v, %v", pushed, err)
		}
	})
}

func TestReadsSurviveBrokenConnections(t *testing.T) {
	onEach(t, func(t *testing.T, _, target string) {
		b := randomBlob(2_000_000, "read")
		if _, err := client(t, target).PushBlob(t.Context(), "app", b.Descriptor, b.open); err != nil {
			t.Fatal(err)
		}
		real := network(t)
		var asked []string
		c := newClient(t, mirror.Config{URL: target, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := real.RoundTrip(r)
			if err == nil && r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
				if asked = append(asked, r.Header.Get("Range")); len(asked) < 3 {
					resp.Body = &tornBody{ReadCloser: resp.Body, left: 700_000}
				}
			}
			return resp, err
		})})
		if !bytes.Equal(readBlob(t, c, "app", b.Digest), b.data) {
			t.Error("other bytes came back")
		}
		if want := "[ bytes=700000- bytes=1400000-]"; fmt.Sprint(asked) != want {
			t.Errorf("asked for ranges %q", asked)
		}
	})
}

func TestServerErrorsAreTriedAgain(t *testing.T) {
	onEach(t, func(t *testing.T, _, target string) {
		real := network(t)
		codes := map[string][]int{
			http.MethodHead: {500, 503}, http.MethodPost: {502}, http.MethodPut: {504, 429}, http.MethodGet: {500},
		}
		var mu sync.Mutex
		c := newClient(t, mirror.Config{URL: target, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			if left := codes[r.Method]; len(left) > 0 {
				codes[r.Method] = left[1:]
				return answer(r, left[0], "later"), nil
			}
			return real.RoundTrip(r)
		})})
		b := randomBlob(100, "errors")
		if pushed, err := c.PushBlob(t.Context(), "app", b.Descriptor, b.open); !pushed || err != nil {
			t.Errorf("push gave %v, %v", pushed, err)
		}
	})
}

// answer makes an answer to a request that nobody serves.
func answer(r *http.Request, code int, body string) *http.Response {
	if r.Body != nil {
		r.Body.Close()
	}
	return &http.Response{
		StatusCode: code, Header: http.Header{}, Request: r, ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// fake is a registry that answers a path prefix with a function, and everything else like a good one.
func fake(t *testing.T, answers map[string]http.HandlerFunc) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for key, h := range answers {
			if strings.HasPrefix(r.Method+" "+r.URL.Path, key) {
				h(w, r)
				return
			}
		}
		if r.URL.Path == "/v2/" {
			fmt.Fprint(w, "{}")
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}
}

// Whatever a registry does wrong, the error says so, names the mirror and says what to check.
func TestBadRegistries(t *testing.T) {
	b := randomBlob(100, "bad")
	garbage := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>Welcome to nginx!") })
	hang := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	upload := func(location string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusAccepted)
		}
	}
	for name, test := range map[string]struct {
		answers map[string]http.HandlerFunc
		message string
		hint    string
		reason  string
	}{
		"no registry": {map[string]http.HandlerFunc{"GET /v2/": http.NotFound}, "not one of a registry", "another web server", "mirror"},
		"read-only": {map[string]http.HandlerFunc{"POST": status(405, `{"errors":[{"code":"UNSUPPORTED","message":"The operation is unsupported."}]}`)},
			"The operation is unsupported", "read-only", "mirror"},
		"no password":  {map[string]http.HandlerFunc{"": status(401, "")}, "401", "credentials", "mirror"},
		"no right":     {map[string]http.HandlerFunc{"POST": status(403, `{"errors":[{"code":"DENIED","message":"no"}]}`)}, "403", "credentials", "mirror"},
		"broken":       {map[string]http.HandlerFunc{"HEAD": status(500, "")}, "500", "look at its log", "mirror"},
		"proxy limit":  {map[string]http.HandlerFunc{"POST": upload("/up"), "PUT": status(413, "too large")}, "413 Request Entity Too Large: too large", "client_max_body_size", "mirror"},
		"rate limit":   {map[string]http.HandlerFunc{"POST": status(429, "")}, "429", "wait", "mirror"},
		"full disk":    {map[string]http.HandlerFunc{"POST": upload("/up"), "PUT": status(500, `{"errors":[{"code":"UNKNOWN","message":"unknown error","detail":{"Err":"write /x: no space left on device"}}]}`)}, "no space left", "free space", "room"},
		"other digest": {map[string]http.HandlerFunc{"HEAD": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Docker-Content-Digest", "sha256:x") }}, "it speaks of sha256:x", "not another web server", "mirror"},
		"no location":  {map[string]http.HandlerFunc{"POST": upload("")}, "no upload location", "not another web server", "mirror"},
		"bad location": {map[string]http.HandlerFunc{"POST": upload("ftp://%zz")}, "upload location", "not another web server", "mirror"},
		"web page":     {map[string]http.HandlerFunc{"POST": garbage}, "200 OK: <html>Welcome to nginx!", "not another web server", "mirror"},
		"stores other": {map[string]http.HandlerFunc{"POST": upload("/up"), "PUT": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Docker-Content-Digest", digest.FromString("other").String())
			w.WriteHeader(http.StatusCreated)
		}}, "it stored", "not another web server", "mirror"},
		"forgets":      {map[string]http.HandlerFunc{"POST": upload("/up"), "PUT": status(201, "")}, "404", "look at the log", "mirror"},
		"hangs":        {map[string]http.HandlerFunc{"POST": upload("/up"), "PUT": hang}, "no progress for", "accepts connections but does not get on", "mirror"},
		"hangs at all": {map[string]http.HandlerFunc{"GET /v2/": hang}, "no progress for", "accepts connections but does not get on", "mirror"},
	} {
		t.Run(name, func(t *testing.T) {
			u := fake(t, test.answers)
			c := newClient(t, mirror.Config{URL: u, Tries: 2, Stall: 200 * time.Millisecond})
			_, err := c.PushBlob(t.Context(), "team/app", b.Descriptor, b.open)
			var e reasoned
			if !errors.As(err, &e) {
				t.Fatalf("error %v", err)
			}
			if !strings.Contains(e.Error(), test.message) || !strings.Contains(e.Error(), u) || strings.Contains(e.Error(), "\n") {
				t.Errorf("message %q, want %q and the URL in it", e, test.message)
			}
			if !strings.Contains(e.Hint(), test.hint) || !strings.Contains(e.Hint(), u) || strings.Contains(e.Hint(), "%!") {
				t.Errorf("hint %q, want %q and the URL in it", e.Hint(), test.hint)
			}
			if e.Reason() != test.reason {
				t.Errorf("reason %q, want %q", e.Reason(), test.reason)
			}
		})
	}
}

func TestRegistryThatIsDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := "http://" + l.Addr().String()
	l.Close()
	err = newClient(t, mirror.Config{URL: u, Tries: 2}).Ping(t.Context())
	var e reasoned
	if !errors.As(err, &e) || !strings.Contains(e.Hint(), "nothing listens at "+u) {
		t.Errorf("error %v", err)
	}
	err = newClient(t, mirror.Config{URL: "http://no-such-host.invalid:5000", Tries: 1}).Ping(t.Context())
	if !errors.As(err, &e) || !strings.Contains(e.Hint(), "has no address") {
		t.Errorf("error %v, hint %v", err, e.Hint())
	}
}

func TestManifestsThatChangeOnTheWay(t *testing.T) {
	img := newImage(t, "app:1", "base", "")
	raw := img.raws[img.Digest]
	var stored atomic.Bool
	u := fake(t, map[string]http.HandlerFunc{
		"PUT": func(w http.ResponseWriter, _ *http.Request) { stored.Store(true); w.WriteHeader(http.StatusCreated) },
		"GET /v2/app/manifests/": func(w http.ResponseWriter, r *http.Request) {
			if !stored.Load() {
				http.NotFound(w, r)
				return
			}
			w.Header().Set("Content-Type", img.MediaType)
			_, _ = w.Write(bytes.ToUpper(raw))
		},
	})
	_, err := newClient(t, mirror.Config{URL: u}).PushManifest(t.Context(), "app", "1", img.MediaType, raw)
	if !errors.Is(err, mirror.ErrDamaged) || !strings.Contains(err.Error(), "read back") {
		t.Errorf("error %v", err)
	}
}

func TestHugeManifestsAreNotRead(t *testing.T) {
	var sent atomic.Int64
	u := fake(t, map[string]http.HandlerFunc{"GET /v2/app/manifests/": func(w http.ResponseWriter, _ *http.Request) {
		for range 1000 {
			n, err := w.Write(make([]byte, 1<<20))
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	}})
	_, _, err := newClient(t, mirror.Config{URL: u}).Manifest(t.Context(), "app", "1")
	if err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("error %v", err)
	}
	if sent.Load() > 100<<20 {
		t.Errorf("%d bytes were read", sent.Load())
	}
}

func TestDamagedBlobsEndWithAnError(t *testing.T) {
	target, dir := serveEmbedded(t)
	c := client(t, target)
	b := randomBlob(200_000, "damaged")
	if _, err := c.PushBlob(t.Context(), "app", b.Descriptor, b.open); err != nil {
		t.Fatal(err)
	}
	damage(t, dir, b.Digest)
	r, err := c.OpenBlob(t.Context(), "app", b.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	n, err := io.Copy(io.Discard, r)
	if n != b.Size || !errors.Is(err, mirror.ErrDamaged) {
		t.Errorf("read %d bytes, %v", n, err)
	}
	if err := c.RepairBlob(t.Context(), "app", b.Descriptor, b.open); err != nil {
		t.Errorf("repair: %v", err)
	}
	if !bytes.Equal(readBlob(t, c, "app", b.Digest), b.data) {
		t.Error("after the repair other bytes came back")
	}
}

func TestDeletesMayBeRefused(t *testing.T) {
	img := newImage(t, "registry.example.com/app:1", "base", "")
	u := fake(t, map[string]http.HandlerFunc{
		"HEAD": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Docker-Content-Digest", filepath.Base(r.URL.Path))
			w.Header().Set("Content-Length", "10")
		},
		"DELETE": status(405, `{"errors":[{"code":"UNSUPPORTED","message":"no"}]}`),
	})
	deleted, err := mirror.GC(t.Context(), newClient(t, mirror.Config{URL: u}), mirror.GCConfig{Drop: releases(img)})
	var e reasoned
	if len(deleted) != 0 || !errors.Is(err, mirror.ErrDeleteRefused) || !errors.As(err, &e) || !strings.Contains(e.Hint(), "REGISTRY_STORAGE_DELETE_ENABLED") {
		t.Errorf("deleted %v, %v", deleted, err)
	}
}

func TestFsckFindsDamage(t *testing.T) {
	target, dir := serveEmbedded(t)
	c := client(t, target)
	one, two := newImage(t, "r.example/one:1", "base", "one"), newImage(t, "r.example/two:1", "base", "two")
	load(t, c, one)
	load(t, c, two)
	damage(t, dir, one.blobs[1].Digest) // the layer that they share
	damage(t, dir, two.Digest)
	report, err := mirror.Fsck(t.Context(), c, releases(one, two))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range report.Problems {
		got = append(got, fmt.Sprint(p.Images, p.Digest == two.Digest, p.Manifest, p.Damaged))
	}
	slices.Sort(got)
	want := []string{"[r.example/one:1] false false true", "[r.example/two:1] false false true", "[r.example/two:1] true true true"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("problems %q, want %q", got, want)
	}
	if err := mirror.DropDamaged(t.Context(), c, report); err != nil {
		t.Error(err)
	}
	load(t, c, one)
	load(t, c, two)
	if report, err := mirror.Fsck(t.Context(), c, releases(one, two)); err != nil || len(report.Problems) != 0 {
		t.Errorf("after the repair %+v, %v", report, err)
	}
}

// Nothing may wait for a registry that accepts and is silent longer than it was told to.
func TestSlowButSteadyIsNotAStall(t *testing.T) {
	t.Parallel()
	b := randomBlob(20, "slow")
	u := fake(t, map[string]http.HandlerFunc{"GET /v2/app/blobs/": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "20")
		for i := range b.data {
			_, _ = w.Write(b.data[i : i+1])
			w.(http.Flusher).Flush()
			time.Sleep(70 * time.Millisecond)
		}
	}})
	c := newClient(t, mirror.Config{URL: u, Stall: time.Second, Tries: 1}) // less than the whole takes
	if !bytes.Equal(readBlob(t, c, "app", b.Digest), b.data) {
		t.Error("other bytes came back")
	}
	slow := &slowReader{b.data, 1200 * time.Millisecond} // a source may take its time
	target, _ := serveEmbedded(t)
	c = newClient(t, mirror.Config{URL: target, Stall: time.Second, Tries: 1})
	if pushed, err := c.StreamBlob(t.Context(), "app", b.Descriptor, slow); !pushed || err != nil {
		t.Errorf("push from a slow source gave %v, %v", pushed, err)
	}
}

type slowReader struct {
	data []byte
	wait time.Duration
}

func (r *slowReader) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	time.Sleep(r.wait)
	n := copy(p, r.data)
	r.data = r.data[n:]
	return n, nil
}

func TestReferrersAPIIsUsedWhereThereIsOne(t *testing.T) {
	img := newImage(t, "app:1", "base", "").sign(t, "", "s")
	listed := ocispec.Descriptor{MediaType: img.Attached[0].MediaType, Digest: img.Attached[0].Digest, Size: img.Attached[0].Size}
	u := fake(t, map[string]http.HandlerFunc{
		"GET /v2/app/referrers/": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
			_ = json.NewEncoder(w).Encode(ocispec.Index{Manifests: []ocispec.Descriptor{listed}})
		},
		"PUT": func(http.ResponseWriter, *http.Request) { t.Error("a fallback tag was written") },
	})
	c := newClient(t, mirror.Config{URL: u})
	if err := c.AddReferrers(context.Background(), "app", img.Digest, []ocispec.Descriptor{listed}); err != nil {
		t.Error(err)
	}
	if got, err := c.Referrers(t.Context(), "app", img.Digest); err != nil || len(got) != 1 || got[0].Digest != listed.Digest {
		t.Errorf("referrers %v, %v", got, err)
	}
}
