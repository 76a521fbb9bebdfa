package apply

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/delta"
)

// realSite is a site with nothing in place of anything: the embedded mirror, a manifests folder, and a server that
// behaves as the objects in that folder say, as a cluster would make it.
type realSite struct {
	*Site
	t         *testing.T
	manifests string
	server    *httptest.Server
}

func newRealSite(t *testing.T, f *factory) *realSite {
	t.Helper()
	dir := t.TempDir()
	s := &realSite{t: t, manifests: filepath.Join(dir, "manifests")}
	if err := os.Mkdir(s.manifests, 0o755); err != nil {
		t.Fatal(err)
	}
	pub, err := f.signer.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "release.pub"), pub, 0o600); err != nil {
		t.Fatal(err)
	}
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listen.Addr().String()
	if err := listen.Close(); err != nil {
		t.Fatal(err)
	}
	cfg, err := parseConfig(filepath.Join(dir, "site.yaml"), fmt.Appendf(nil, `apiVersion: sallyport.dev/v1
kind: Site
metadata: {name: store-0142}
spec:
  state: state
  trust: release.pub
  platform: linux/amd64
  mirror: {dir: mirror, listen: %q}
  target:
    manifestsDir: {path: manifests}
`, address))
	if err != nil {
		t.Fatal(err)
	}
	s.Site = Open(cfg, func(e Event) { t.Logf("%-10s %s %d/%d", e.Label, e.Text, e.Done, e.Total) })
	s.server = httptest.NewServer(http.HandlerFunc(s.answer))
	t.Cleanup(s.server.Close)
	return s
}

// answer is the server that the release runs: it knows its version from the deployed objects, and version 3 is broken.
func (s *realSite) answer(w http.ResponseWriter, _ *http.Request) {
	b, err := os.ReadFile(filepath.Join(s.manifests, "sallyport.yaml"))
	if err != nil {
		http.Error(w, "nothing is deployed", http.StatusNotFound)
		return
	}
	if strings.Contains(string(b), "3.0.0") {
		w.WriteHeader(http.StatusInternalServerError)
	}
	_, _ = w.Write(b)
}

func (s *realSite) apply(b sealed) (*Result, error) {
	return s.Apply(context.Background(), b.input(), Options{})
}

// holds checks that the mirror has the release's very bytes, under its names.
func (s *realSite) holds(b sealed, c *content) {
	s.t.Helper()
	ctx := context.Background()
	m, stop, err := OpenMirror(ctx, &s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() {
		if err := stop(); err != nil {
			s.t.Error(err)
		}
	}()
	for _, img := range b.descriptor.Images {
		name, err := mirror.Repository(img.Name)
		if err != nil {
			s.t.Fatal(err)
		}
		raw, _, err := m.Manifest(ctx, name.Repository, name.Tag)
		if err != nil || digest.FromBytes(raw) != img.Digest {
			s.t.Errorf("%s is %s (%v), want %s", img.Name, digest.FromBytes(raw), err, img.Digest)
		}
		for _, d := range append([]digest.Digest{img.Manifests[0].Config}, img.Manifests[0].Layers...) {
			r, err := m.OpenBlob(ctx, name.Repository, d)
			if err != nil {
				s.t.Error(err)
				continue
			}
			got, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(got, c.blobs[d]) {
				s.t.Errorf("blob %s has %d bytes (%v), want %d", d, len(got), err, len(c.blobs[d]))
			}
			_ = r.Close()
		}
	}
}

// gzipLayer packs files as docker does; seed makes them incompressible and reproducible.
func gzipLayer(t *testing.T, seed uint64, note string) []byte {
	t.Helper()
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	tw := tar.NewWriter(zw)
	random := rand.New(rand.NewPCG(seed, 1))
	for i := range 4 {
		data := make([]byte, 64<<10)
		for j := range data {
			data[j] = byte(random.Uint32())
		}
		copy(data, note)
		h := &tar.Header{Name: fmt.Sprintf("usr/lib/file%d", i), Mode: 0o644, Size: int64(len(data)), ModTime: noon}
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func plainOf(t *testing.T, gz []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := delta.Expand(context.Background(), &b, bytes.NewReader(gz), 1<<30); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// realRelease makes a release of one image with an unchanging layer and one that changes a little, and the check of
// a real server.
func realRelease(t *testing.T, version string, sequence uint64, url string) (c *content, layers [2][]byte) {
	t.Helper()
	c = newContent(version, sequence)
	layers = [2][]byte{gzipLayer(t, 1, "base"), gzipLayer(t, 2, "app "+version)}
	c.image(t, "registry.example.com/shop/app:stable", layers[0], layers[1])
	c.configMaps("app")
	c.d.Checks = []bundle.Check{
		{Name: "images", Image: &bundle.ImageCheck{}},
		{Name: "answers", HTTP: &bundle.HTTPCheck{URL: url, Body: version},
			Interval: bundle.Duration(20 * time.Millisecond), Timeout: bundle.Duration(300 * time.Millisecond)},
	}
	return c, layers
}

// asDelta lets the second layer travel as a patch against the base's, and the first stay at home.
func asDelta(t *testing.T, c *content, base sealed, layers, old [2][]byte) {
	t.Helper()
	plain := plainOf(t, old[1])
	var patch bytes.Buffer
	_, err := delta.Diff(context.Background(), &patch, bytes.NewReader(layers[1]), int64(len(layers[1])),
		[]delta.Old{{ReaderAt: bytes.NewReader(plain), Size: int64(len(plain))}}, delta.Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	c.d.Bases = []bundle.Base{{Digest: base.release.Digest, Name: base.release.Name, Version: base.release.Version,
		Sequence: base.release.Sequence}}
	c.reuse(digest.FromBytes(layers[0]))
	c.travelAs(bundle.FormDelta, digest.FromBytes(layers[1]), patch.Bytes(), bundle.BaseBlob{
		Digest: digest.FromBytes(old[1]), Size: int64(len(old[1])), PlainSize: int64(len(plain))})
}

func TestRealSite(t *testing.T) {
	f := newFactory(t)
	s := newRealSite(t, f)
	c1, l1 := realRelease(t, "1.0.0", 1, s.server.URL)
	one := f.seal(t, c1)
	if _, err := s.apply(one); err != nil {
		t.Fatal(err)
	}
	s.holds(one, c1)

	c2, l2 := realRelease(t, "2.0.0", 2, s.server.URL)
	asDelta(t, c2, one, l2, l1)
	two := f.seal(t, c2)
	if len(two.bytes) > len(one.bytes)/4 {
		t.Errorf("the delta bundle has %d bytes, the full one %d", len(two.bytes), len(one.bytes))
	}
	res, err := s.apply(two)
	if err != nil {
		t.Fatal(err)
	}
	if want := int64(len(l2[1])); res.Bytes.Pushed < want || res.Bytes.Reused < int64(len(l2[0])) {
		t.Errorf("bytes are %+v, the layers have %d and %d", res.Bytes, len(l2[0]), want)
	}
	s.holds(two, c2)

	// Version 3 answers 500: the real server says so, and 2.0.0 answers again afterwards.
	c3, l3 := realRelease(t, "3.0.0", 3, s.server.URL)
	asDelta(t, c3, two, l3, l2)
	_, err = s.apply(f.seal(t, c3))
	if reasonOf(err) != "rolled-back" || !strings.Contains(err.Error(), "answered 500") {
		t.Fatalf("error is %v", err)
	}
	s.runs("2.0.0")
	s.holds(two, c2)

	if _, err := s.Rollback(context.Background(), RollbackOptions{}); err != nil {
		t.Fatal(err)
	}
	s.runs("1.0.0")
	s.holds(one, c1)

	if res, err := s.apply(one); err != nil || res.Result != ResultNothing {
		t.Errorf("result %+v, error %v", res, err)
	}
}

func (s *realSite) runs(version string) {
	s.t.Helper()
	resp, err := http.Get(s.server.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(b), version) {
		s.t.Errorf("the server says %q (%v), want %s", b, err, version)
	}
	st, err := s.Status()
	if err != nil || st.Current.Version != version {
		s.t.Errorf("status is %+v, %v", st, err)
	}
}

func TestDoctorOfARealSite(t *testing.T) {
	f := newFactory(t)
	s := newRealSite(t, f)
	for _, x := range s.Doctor(context.Background(), false) {
		if !x.OK && x.Name != "runtime" && x.Name != "room" { // those tell of this machine
			t.Errorf("%s: %s", x.Name, x.Message)
		}
	}
	if err := os.RemoveAll(s.manifests); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.cfg.Spec.Trust); err != nil {
		t.Fatal(err)
	}
	s.cfg.Spec.ChecksDir = filepath.Join(t.TempDir(), "none")
	wrong := map[string]bool{}
	for _, x := range s.Doctor(context.Background(), false) {
		if !x.OK {
			wrong[x.Name] = true
			if x.Mend == "" {
				t.Errorf("%s: %s: no word on how to mend it", x.Name, x.Message)
			}
		}
	}
	for _, name := range []string{"target", "trust", "checks"} {
		if !wrong[name] {
			t.Errorf("%s was not found to be wrong", name)
		}
	}
}

func TestSiteChecksDecideToo(t *testing.T) {
	f := newFactory(t)
	s := newRealSite(t, f)
	s.cfg.Spec.ChecksDir = t.TempDir()
	file := filepath.Join(s.cfg.Spec.ChecksDir, "own.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, _ := realRelease(t, "1.0.0", 1, s.server.URL)
	one := f.seal(t, c)
	write("checks:\n  - name: own\n    htpp: {url: http://127.0.0.1}\n")
	if _, err := s.apply(one); reasonOf(err) != "spec" || !strings.Contains(err.Error(), file+":3") {
		t.Fatalf("error is %v", err)
	}
	if st, err := s.Status(); err != nil || st.Phase != Idle {
		t.Errorf("status is %+v, %v", st, err)
	}
	write("checks:\n  - name: own\n    http: {url: \"" + s.server.URL + "\", body: never}\n    timeout: 100ms\n")
	if _, err := s.apply(one); reasonOf(err) != "rolled-back" || !strings.Contains(err.Error(), "check own") {
		t.Fatalf("error is %v", err)
	}
	write("checks:\n  - name: own\n    http: {url: \"" + s.server.URL + "\"}\n    timeout: 1s\n")
	res, err := s.Apply(context.Background(), one.input(), Options{Retry: true})
	if err != nil || len(res.Checks) != 3 {
		t.Errorf("result %+v, error %v", res, err)
	}
	tills := filepath.Join(s.cfg.Spec.ChecksDir, "tills")
	if err := os.WriteFile(tills, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _ = realRelease(t, "2.0.0", 2, s.server.URL)
	two := f.seal(t, c)
	if _, err := s.apply(two); reasonOf(err) != "checks" || !strings.Contains(err.Error(), tills+": it is neither executable nor") {
		t.Errorf("a program that is not executable: error is %v", err)
	}
	if err := os.Chmod(tills, 0o700); err != nil {
		t.Fatal(err)
	}
	if res, err := s.apply(two); err != nil || len(res.Checks) != 4 || res.Checks[3].Name != "tills" {
		t.Errorf("result %+v, error %v", res, err)
	}
}
