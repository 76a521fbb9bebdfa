package embedded_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/apply/mirror/embedded"
)

func open(t *testing.T, dir string) *embedded.Registry {
	t.Helper()
	r, err := embedded.Open(t.Context(), embedded.Config{Dir: dir, Secret: secretFile(t), Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// password is what the file of secretFile holds.
const password = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

func secretFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// login makes a client that can push.
func login(t *testing.T, url string) *mirror.Client {
	t.Helper()
	c, err := mirror.New(mirror.Config{URL: url, Tries: 1, Username: embedded.User, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// serve opens a folder and answers for it until the test ends.
func serve(t *testing.T, dir string) *mirror.Client {
	t.Helper()
	r := open(t, dir)
	s := httptest.NewServer(r)
	t.Cleanup(func() {
		s.Close()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return login(t, s.URL)
}

func push(t *testing.T, c *mirror.Client, repo string, data []byte) ocispec.Descriptor {
	t.Helper()
	desc := describe(data)
	if _, err := c.PushBlob(t.Context(), repo, desc, opener(data)); err != nil {
		t.Fatal(err)
	}
	return desc
}

func describe(data []byte) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayer, Digest: digest.FromBytes(data), Size: int64(len(data))}
}

func opener(data []byte) mirror.Open {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}

// pushImage pushes an image of one layer and returns its manifest.
func pushImage(t *testing.T, c *mirror.Client, repo, ref, layer string) []byte {
	t.Helper()
	config := push(t, c, repo, []byte(`{"os":"linux","architecture":"amd64"}`))
	config.MediaType = ocispec.MediaTypeImageConfig
	raw, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: config, Layers: []ocispec.Descriptor{push(t, c, repo, []byte(layer))},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.PushManifest(t.Context(), repo, ref, ocispec.MediaTypeImageManifest, raw); err != nil {
		t.Fatal(err)
	}
	return raw
}

func blobFile(dir string, d digest.Digest) string {
	return filepath.Join(dir, "docker/registry/v2/blobs/sha256", d.Encoded()[:2], d.Encoded(), "data")
}

func mustGlob(t *testing.T, pattern string) []string {
	t.Helper()
	m, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestOneProcessServesAFolder(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir)
	_, err := embedded.Open(t.Context(), embedded.Config{Dir: dir})
	if !errors.Is(err, embedded.ErrServed) {
		t.Errorf("the second got %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir)
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAttachUsesWhoServesAlready(t *testing.T) {
	cfg := embedded.Config{Dir: t.TempDir(), Secret: filepath.Join(t.TempDir(), "state", "secret")}
	at, stop, err := embedded.Attach(t.Context(), cfg, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	second, stopSecond, err := embedded.Attach(t.Context(), cfg, strings.TrimPrefix(at.URL, "http://"))
	if err != nil || second != at || at.Password == "" {
		t.Fatalf("attached to %s, %v; want %s", second.URL, err, at.URL)
	}
	if err := stopSecond(); err != nil {
		t.Error(err)
	}
	c, err := mirror.New(mirror.Config{URL: at.URL})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Ping(t.Context()); err != nil {
		t.Errorf("after the second has left: %v", err)
	}
	begun := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("stopping took %s", took)
	}
	if err := c.Ping(t.Context()); err == nil {
		t.Error("it answers after stop")
	}
}

func TestAttachSaysWhenTheAddressIsTaken(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	_, _, err := embedded.Attach(t.Context(), embedded.Config{Dir: t.TempDir()}, strings.TrimPrefix(s.URL, "http://"))
	var e *embedded.Error
	if !errors.As(err, &e) || !strings.Contains(e.Hint(), "something else listens there") {
		t.Errorf("error %v", err)
	}
}

// request makes one with the secret.
func request(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(embedded.User, password)
	return req
}

func TestUploadsOfACrashAreThrownAway(t *testing.T) {
	dir := t.TempDir()
	c := serve(t, dir)
	desc := push(t, c, "app", []byte("stays"))
	for range 3 {
		resp, err := http.DefaultClient.Do(request(t, http.MethodPost, c.URL()+"/v2/app/blobs/uploads/", nil))
		if err != nil || resp.StatusCode != http.StatusAccepted {
			t.Fatalf("upload: %v, %v", resp, err)
		}
		resp.Body.Close()
	}
	uploads := filepath.Join(dir, "docker/registry/v2/repositories/app/_uploads/*")
	if got := mustGlob(t, uploads); len(got) != 3 {
		t.Fatalf("%d uploads are there, want 3", len(got))
	}
	copied := t.TempDir() // as another process would find it: the first is serving still
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // start times have a resolution of a second
	c2 := serve(t, copied)
	if got := mustGlob(t, strings.Replace(uploads, dir, copied, 1)); len(got) != 0 {
		t.Errorf("left over: %q", got)
	}
	if ok, err := c2.HasBlob(t.Context(), "app", desc.Digest); !ok || err != nil {
		t.Errorf("the finished blob: %v, %v", ok, err)
	}
}

// /dev/full stands for a full disk: every write to it fails with ENOSPC.
func TestFullDiskIsSaidAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	c := serve(t, dir)
	data := bytes.Repeat([]byte("full"), 100_000)
	fill := func() (io.ReadCloser, error) {
		uploads := mustGlob(t, filepath.Join(dir, "docker/registry/v2/repositories/app/_uploads/*/data"))
		for _, u := range uploads {
			if err := errors.Join(os.Remove(u), os.Symlink("/dev/full", u)); err != nil {
				return nil, err
			}
		}
		if len(uploads) == 0 {
			return nil, errors.New("no upload is open")
		}
		return io.NopCloser(bytes.NewReader(data)), nil
	}
	_, err := c.PushBlob(t.Context(), "app", describe(data), fill)
	var e *mirror.Error
	if !errors.As(err, &e) || e.Reason() != "room" || !strings.Contains(e.Hint(), "free space") {
		t.Fatalf("error %v", err)
	}
	if ok, err := c.HasBlob(t.Context(), "app", describe(data).Digest); ok || err != nil {
		t.Errorf("after it there is %v, %v", ok, err)
	}
	if left := mustGlob(t, filepath.Join(dir, "docker/registry/v2/repositories/app/_uploads/*")); len(left) != 0 {
		t.Errorf("left over: %q", left)
	}
	push(t, c, "app", data)
}

func TestDamageIsRepairedByPushing(t *testing.T) {
	dir := t.TempDir()
	c := serve(t, dir)
	raw := pushImage(t, c, "app", "1", "layer")
	layer, manifest := digest.FromString("layer"), digest.FromBytes(raw)
	for name, spoil := range map[string]func(string) error{
		"a changed byte": func(f string) error { return os.WriteFile(f, []byte("lay3r"), 0o644) },
		"a cut file":     func(f string) error { return os.Truncate(f, 2) },
		"an empty file":  func(f string) error { return os.Truncate(f, 0) },
		"a missing file": os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			for _, d := range []digest.Digest{layer, manifest} {
				if err := spoil(blobFile(dir, d)); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.RepairBlob(t.Context(), "app", describe([]byte("layer")), opener([]byte("layer"))); err != nil {
				t.Error(err)
			}
			if pushed, err := c.PushManifest(t.Context(), "app", "1", ocispec.MediaTypeImageManifest, raw); !pushed || err != nil {
				t.Errorf("manifest: %v, %v", pushed, err)
			}
			for _, d := range []digest.Digest{layer, manifest} {
				b, err := os.ReadFile(blobFile(dir, d))
				if err != nil || digest.FromBytes(b) != d {
					t.Errorf("%s is %q, %v", d, b, err)
				}
			}
		})
	}
}

func TestSweepRemovesOnlyWhatNothingNeeds(t *testing.T) {
	dir := t.TempDir()
	c := serve(t, dir)
	ctx := t.Context()
	kept := pushImage(t, c, "team/app", "2", "the layer of 2")
	gone := pushImage(t, c, "team/app", "1", "the layer of 1")
	orphan := push(t, c, "other", []byte("orphan"))
	sparse := []byte(`{"schemaVersion":2,"mediaType":"` + ocispec.MediaTypeImageIndex + `","manifests":[{"mediaType":"` +
		ocispec.MediaTypeImageManifest + `","digest":"` + digest.FromString("absent").String() + `","size":3}]}`)
	if _, err := c.PushManifest(ctx, "only/index", "x", ocispec.MediaTypeImageIndex, sparse); err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteManifest(ctx, "team/app", digest.FromBytes(gone)); err != nil {
		t.Fatal(err)
	}
	freed, err := embedded.Sweep(ctx, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := embedded.Freed{Blobs: 3, Bytes: int64(len(gone) + len("the layer of 1") + len("orphan"))}
	if freed != want {
		t.Errorf("freed %+v, want %+v", freed, want)
	}
	for d, there := range map[digest.Digest]bool{
		digest.FromBytes(kept): true, digest.FromString("the layer of 2"): true, digest.FromBytes(sparse): true,
		digest.FromBytes(gone): false, digest.FromString("the layer of 1"): false, orphan.Digest: false,
	} {
		if _, err := os.Stat(blobFile(dir, d)); (err == nil) != there {
			t.Errorf("%s: %v, want it there: %v", d, err, there)
		}
	}
	pushImage(t, c, "team/app", "1", "the layer of 1") // works again
	if freed, err := embedded.Sweep(ctx, dir, nil); err != nil || freed != (embedded.Freed{}) {
		t.Errorf("the next sweep freed %+v, %v", freed, err)
	}
}

func TestSweepOfAnEmptyFolder(t *testing.T) {
	dir := t.TempDir()
	if freed, err := embedded.Sweep(t.Context(), dir, nil); err != nil || freed != (embedded.Freed{}) {
		t.Errorf("freed %+v, %v", freed, err)
	}
}

// Sweeps and loads at once: every load ends well or with an error that trying again mends, and what is loaded is whole.
func TestSweepBesideLoads(t *testing.T) {
	dir := t.TempDir()
	c := serve(t, dir)
	pushImage(t, c, "app", "0", "first")
	ctx, cancel := context.WithCancel(t.Context())
	swept := make(chan error, 1)
	go func() {
		var err error
		for ctx.Err() == nil && err == nil {
			time.Sleep(10 * time.Millisecond)
			_, err = embedded.Sweep(context.WithoutCancel(ctx), dir, nil)
		}
		swept <- err
	}()
	for _, tag := range strings.Split("abcdefghij", "") {
		raw := loadUntilItWorks(t, c, tag)
		if got, _, err := c.Manifest(t.Context(), "app", tag); err != nil || !bytes.Equal(got, raw) {
			t.Errorf("%s: %q, %v", tag, got, err)
		}
		if _, err := os.Stat(blobFile(dir, digest.FromString("layer "+tag))); err != nil {
			t.Errorf("%s: its layer: %v", tag, err)
		}
	}
	cancel()
	if err := <-swept; err != nil {
		t.Error(err)
	}
}

func loadUntilItWorks(t *testing.T, c *mirror.Client, tag string) []byte {
	t.Helper()
	layer, config := []byte("layer "+tag), []byte(`{"os":"linux","architecture":"amd64"}`)
	raw, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: describe(config), Layers: []ocispec.Descriptor{describe(layer)},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		for _, b := range [][]byte{layer, config} {
			if _, err = c.PushBlob(t.Context(), "app", describe(b), opener(b)); err != nil {
				break
			}
		}
		if err == nil {
			_, err = c.PushManifest(t.Context(), "app", tag, ocispec.MediaTypeImageManifest, raw)
		}
		if err == nil {
			return raw
		}
	}
	t.Fatalf("%s: %v", tag, err)
	return nil
}

func TestOtherMachinesMayOnlyRead(t *testing.T) {
	const denied = http.StatusForbidden
	for _, test := range []struct {
		from, to     string
		remoteWrites bool
		denied       bool
	}{
		{"192.0.2.7:4711", "192.0.2.1", false, true},
		{"192.0.2.7:4711", "192.0.2.1", true, false},
		{"192.0.2.1:4711", "192.0.2.1", false, false},
		{"127.0.0.1:4711", "127.0.0.1", false, false},
		{"[::1]:4711", "::1", false, false},
		{"[2001:db8::7]:4711", "2001:db8::1", false, true},
		{"@", "", false, true},
	} {
		r, err := embedded.Open(t.Context(), embedded.Config{Dir: t.TempDir(), Secret: secretFile(t), RemoteWrites: test.remoteWrites})
		if err != nil {
			t.Fatal(err)
		}
		for method, writes := range map[string]bool{http.MethodGet: false, http.MethodPut: true, http.MethodDelete: true, http.MethodPost: true} {
			ctx := context.WithValue(t.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.ParseIP(test.to), Port: 5000})
			req := httptest.NewRequest(method, "/v2/app/manifests/1", nil).WithContext(ctx)
			req.RemoteAddr, req.Host = test.from, "localhost"
			req.SetBasicAuth(embedded.User, password)
			w := httptest.NewRecorder()
			r.ServeHTTP(w, req)
			if got := w.Code == denied; got != (test.denied && writes) {
				t.Errorf("%s from %s to %s gave %d", method, test.from, test.to, w.Code)
			}
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestHostileRequestsAreRefused(t *testing.T) {
	dir := t.TempDir()
	c := serve(t, dir)
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"/v2/app/blobs/uploads/..%2f..%2f..%2fsecret", "/v2/app/blobs/uploads/../../secret", "/v2/../secret/blobs/uploads/x",
		"/v2/app/blobs/sha256:..%2f..", "/v2/app/manifests/..%2f..%2fsecret", "/v2/app/blobs/sha512:" + strings.Repeat("a", 128),
		"/v2/app/manifests/sha256:short", "/v2/APP/tags/list", "/v2/app/tags/list?n=-1", "/v2/_catalog?n=99999999999999999999",
		"/v2/app/blobs/uploads/00000000-0000-0000-0000-000000000000?digest=sha256:x",
	} {
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			req := request(t, method, c.URL()+path, strings.NewReader("x"))
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode < 400 || resp.StatusCode >= 500 || bytes.Contains(body, []byte("secret\"")) {
				t.Errorf("%s %s gave %d %s", method, path, resp.StatusCode, body)
			}
		}
	}
	if b, err := os.ReadFile(secret); err != nil || string(b) != "secret" {
		t.Errorf("the file beside the registry is %q, %v", b, err)
	}
}

func TestListsComeInPages(t *testing.T) {
	c := serve(t, t.TempDir())
	for _, tag := range []string{"a", "b", "c"} {
		pushImage(t, c, "app", tag, "layer")
	}
	pushImage(t, c, "team/other", "x", "layer")
	for path, want := range map[string]string{
		"/v2/app/tags/list":            `{"name":"app","tags":["a","b","c"]}`,
		"/v2/app/tags/list?n=2":        `{"name":"app","tags":["a","b"]} </v2/app/tags/list?last=b&n=2>; rel="next"`,
		"/v2/app/tags/list?n=2&last=b": `{"name":"app","tags":["c"]}`,
		"/v2/_catalog":                 `{"repositories":["app","team/other"]}`,
		"/v2/_catalog?n=1":             `{"repositories":["app"]} </v2/_catalog?last=app&n=1>; rel="next"`,
		"/v2/_catalog?n=1&last=app":    `{"repositories":["team/other"]}`,
	} {
		resp, err := http.Get(c.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		got := strings.TrimSpace(strings.TrimSpace(string(b)) + " " + resp.Header.Get("Link"))
		if err != nil || got != want {
			t.Errorf("%s gave %s, %v; want %s", path, got, err, want)
		}
	}
	tags, err := c.Tags(t.Context(), "app")
	if err != nil || strings.Join(tags, "") != "abc" {
		t.Errorf("tags %q, %v", tags, err)
	}
}

func TestFolderThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := embedded.Open(t.Context(), embedded.Config{Dir: filepath.Join(file, "mirror")})
	var e *embedded.Error
	if !errors.As(err, &e) || e.Reason() != "mirror" || e.Hint() == "" {
		t.Errorf("error %v", err)
	}
}
