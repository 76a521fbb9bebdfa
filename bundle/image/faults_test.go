package image_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle/image"
)

// fault answers a request in place of the registry.
type fault func(w http.ResponseWriter, r *http.Request)

func answers(code int, headers ...string) fault {
	return func(w http.ResponseWriter, _ *http.Request) {
		for k := 0; k+1 < len(headers); k += 2 {
			w.Header().Set(headers[k], headers[k+1])
		}
		w.WriteHeader(code)
	}
}

func says(mediaType, body string) fault {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		io.WriteString(w, body)
	}
}

func hangs(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func hangsUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// faulty is a registry that meets the requests which match with a fault, as often as is left.
type faulty struct {
	mu    sync.Mutex
	match func(path string) bool
	fault fault
	left  int
}

func (f *faulty) set(left int, fault fault, match func(path string) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left, f.fault, f.match = left, fault, match
}

func (f *faulty) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		met := f.left > 0 && f.match(r.URL.Path)
		if met {
			f.left--
		}
		fault := f.fault
		f.mu.Unlock()
		if met {
			fault(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

const always = 1 << 30

// optionalPath tells what is asked for only in case it is there.
func optionalPath(path string) bool {
	return strings.Contains(path, "/manifests/sha256-") || strings.Contains(path, "/referrers/")
}

// Registries have many ways to say that there is no such tag: sigstore/cosign#2972, #2973 (403), oras-project/oras#1161
// (400 and 405 to the referrers API), and login pages with status 200.
func TestRegistryWithoutOptionalThings(t *testing.T) {
	var f faulty
	host := memoryRegistry(t, f.wrap)
	img := newImage("amd64", "plain")
	push(t, host+"/app:1", img)
	login := httptest.NewServer(http.HandlerFunc(says("text/html", "<html>who are you?</html>")))
	defer login.Close()
	for name, c := range map[string]struct {
		fault fault
		note  string // that stands in one of the notes; none if empty
	}{
		"404":          {answers(404), ""},
		"400":          {answers(400), "answers 400 Bad Request"},
		"401":          {answers(401), "denies access"},
		"403":          {answers(403), "answers 403 Forbidden"},
		"405":          {answers(405), "answers 405 Method Not Allowed"},
		"406":          {answers(406), "answers 406 Not Acceptable"},
		"410":          {answers(410), "answers 410 Gone"},
		"500":          {answers(500), "answers 500 Internal Server Error"},
		"501":          {answers(501), "answers 501 Not Implemented"},
		"nothing":      {says(ocispec.MediaTypeImageManifest, ""), "is not JSON"},
		"empty list":   {says(ocispec.MediaTypeImageIndex, ""), "is not JSON"},
		"HTML":         {says("text/html", "<html>"), "is not JSON"},
		"HTML in JSON": {says(ocispec.MediaTypeImageIndex, "<html>"), "is not JSON"},
		"other JSON":   {says("application/json", `{"tags":[]}`), `media type "application/json"`},
		"no object":    {says(ocispec.MediaTypeImageIndex, `[1,2]`), "is not JSON"},
		"endless":      {says(ocispec.MediaTypeImageIndex, strings.Repeat(" ", 5<<20)), "larger than"},
		"login page":   {answers(302, "Location", login.URL+"/login"), "is not JSON"},
		"login down":   {answers(302, "Location", "http://127.0.0.1:1/login"), "127.0.0.1:1 refuses connections"},
		"circle":       {answers(302, "Location", "/v2/app/manifests/sha256-0"), "from one address to another"},
		"stale list": {says(ocispec.MediaTypeImageIndex, `{"manifests":[{"mediaType":"`+ocispec.MediaTypeImageManifest+
			`","size":2,"digest":"sha256:`+strings.Repeat("0", 64)+`"}]}`), "it is listed but not there"},
	} {
		t.Run(name, func(t *testing.T) {
			f.set(always, c.fault, optionalPath)
			got := resolve(t, image.Config{Patience: hasty}, host+"/app:1", "")
			checkImage(t, got, img)
			if len(got.Attached) != 0 {
				t.Errorf("attached: %v", got.Attached)
			}
			notes := strings.Join(got.Notes, "\n")
			if c.note == "" && notes != "" || !strings.Contains(notes, c.note) {
				t.Errorf("notes %q, want %q", notes, c.note)
			}
			if len(got.Notes) > 3 {
				t.Errorf("%d notes say the same: %q", len(got.Notes), got.Notes)
			}
		})
	}
}

// A fault of the moment must not cost a signature: the same build an hour later would make another bundle.
func TestOptionalThingsAreWaitedFor(t *testing.T) {
	var f faulty
	host := memoryRegistry(t, f.wrap)
	img := newImage("amd64", "signed")
	push(t, host+"/app:1", img)
	push(t, host+"/app:"+cosignTag(img, ".sig"), newArtifact("signature"))
	for name, fault := range map[string]fault{"503": answers(503), "429": answers(429), "hangs": hangs, "hangs up": hangsUp} {
		t.Run(name, func(t *testing.T) {
			f.set(1, fault, optionalPath)
			if got := resolve(t, image.Config{Patience: hasty}, host+"/app:1", ""); len(got.Attached) != 1 || len(got.Notes) != 0 {
				t.Errorf("attached %v, notes %q", got.Attached, got.Notes)
			}
			f.set(always, fault, optionalPath)
			_, err := image.NewResolver(image.Config{Patience: hasty}).Resolve(context.Background(), host+"/app:1", "")
			checkError(t, err, host, "run the same command again", false)
		})
	}
}

// What is attached but not whole stays behind (zarf-dev/zarf#5272, openshift/oc-mirror#1526).
func TestAttachedWithoutItsBlobs(t *testing.T) {
	var f faulty
	host := memoryRegistry(t, f.wrap)
	img := newImage("amd64", "signed")
	sig := newArtifact("signature")
	push(t, host+"/app:1", img)
	push(t, host+"/app:"+cosignTag(img, ".sig"), sig)
	layer := must(must(sig.Layers())[0].Digest()).String()
	for name, c := range map[string]struct {
		fault fault
		note  string
	}{
		"gone":    {answers(404), "it is listed but not there"},
		"damaged": {says("application/octet-stream", "sigNature"), "does not have this digest"},
	} {
		t.Run(name, func(t *testing.T) {
			f.set(always, c.fault, func(path string) bool { return strings.HasSuffix(path, layer) })
			got := resolve(t, image.Config{Patience: hasty}, host+"/app:1", "")
			if len(got.Attached) != 0 || len(got.Notes) != 1 || !strings.Contains(got.Notes[0], c.note) {
				t.Errorf("attached %v, notes %q", got.Attached, got.Notes)
			}
			checkImage(t, got, img)
		})
	}
}

// google/go-containerregistry#424 (429) and what else passes by itself.
func TestRegistryIsAskedAgain(t *testing.T) {
	var f faulty
	host := memoryRegistry(t, f.wrap)
	img := newImage("amd64", noise(t, 5000))
	push(t, host+"/app:1", img)
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5000")
		w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
	}
	stalls := func(w http.ResponseWriter, r *http.Request) {
		cut(w, r)
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	faults := map[string]fault{
		"408": answers(408), "425": answers(425), "429": answers(429), "500": answers(500), "502": answers(502),
		"503": answers(503), "504": answers(504), "520": answers(520),
		"429, later": answers(429, "Retry-After", "0"), "503, later": answers(503, "Retry-After", time.Now().UTC().Format(http.TimeFormat)),
		"hangs": hangs, "hangs up": hangsUp, "cut short": cut, "stalls": stalls,
	}
	config, layer := must(img.ConfigName()).String(), must(must(img.Layers())[0].Digest()).String()
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			for _, what := range []string{"/v2/", "/manifests/1", config, layer} {
				if what == "/v2/" && (name == "cut short" || name == "stalls") {
					continue // its body says nothing
				}
				f.set(1, fault, func(path string) bool { return strings.HasSuffix(path, what) })
				checkImage(t, resolve(t, image.Config{Patience: hasty}, host+"/app:1", ""), img)
				if f.left != 0 {
					t.Errorf("%s was not asked for", what)
				}
			}
		})
	}
}

// What does not pass ends soon, and is told in words.
func TestRegistryDoesNotGetBetter(t *testing.T) {
	var f faulty
	host := memoryRegistry(t, f.wrap)
	img := newImage("amd64", noise(t, 5000))
	push(t, host+"/app:1", img)
	halfway := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5000")
		io.WriteString(w, strings.Repeat("x", 100))
	}
	trickles := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5000")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
	for name, c := range map[string]struct {
		fault         fault
		message, hint string
	}{
		"503":       {answers(503), "answers 503 Service Unavailable", "run the same command again"},
		"busy":      {answers(429, "Retry-After", "7200"), "answers 429 Too Many Requests", "left alone for 2h0m0s"},
		"hangs":     {hangs, "does not answer", "run the same command again"},
		"hangs up":  {hangsUp, "broke the connection off", "run the same command again"},
		"cut short": {halfway, "broke the connection off", "run the same command again"},
		"stalls":    {trickles, "sends nothing more", "run the same command again"},
	} {
		for _, what := range []string{"/manifests/1", "/blobs/"} {
			t.Run(name+what, func(t *testing.T) {
				f.set(always, c.fault, func(path string) bool { return strings.Contains(path, what) })
				began := time.Now()
				_, err := image.NewResolver(image.Config{Patience: hasty}).Resolve(context.Background(), host+"/app:1", "")
				checkError(t, err, host+" "+c.message, c.hint, false)
				checkWords(t, err)
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("took %v", took)
				}
			})
		}
	}
}

// checkWords looks for what only programmers understand.
func checkWords(t *testing.T, err error) {
	t.Helper()
	for _, no := range []string{`Get "`, "GET http", "dial tcp", "net/http", "x509:", "EOF", "context canceled", "lookup "} {
		if strings.Contains(err.Error(), no) {
			t.Errorf("%q is in %q", no, err)
		}
	}
}

// A large download may take any time, as long as bytes come.
func TestSlowDownload(t *testing.T) {
	var f faulty
	host := memoryRegistry(t, f.wrap)
	img := newImage("amd64", noise(t, 400))
	push(t, host+"/app:1", img)
	layer := must(img.Layers())[0]
	all := must(io.ReadAll(must(layer.Compressed())))
	f.set(always, func(w http.ResponseWriter, r *http.Request) {
		for k := 0; k < len(all); k += 100 {
			w.Write(all[k:min(len(all), k+100)])
			http.NewResponseController(w).Flush()
			time.Sleep(hasty.Stall / 2)
		}
	}, func(path string) bool { return strings.HasSuffix(path, must(layer.Digest()).String()) })
	if longest := time.Duration(len(all)/100) * hasty.Stall / 2; longest <= hasty.Stall {
		t.Fatalf("the download takes %v only", longest)
	}
	checkImage(t, resolve(t, image.Config{Patience: hasty}, host+"/app:1", ""), img)
}

// moby/moby#17595, #25122: servers that mark a compressed layer as a compressed transfer.
func TestContentEncoding(t *testing.T) {
	host := memoryRegistry(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/blobs/") {
				w.Header().Set("Content-Encoding", "gzip")
			}
			next.ServeHTTP(w, r)
		})
	})
	img := newImage("amd64", "encoded")
	push(t, host+"/app:1", img)
	checkImage(t, resolve(t, image.Config{}, host+"/app:1", ""), img)
}

type password struct{}

func (password) Resolve(authn.Resource) (authn.Authenticator, error) {
	return authn.FromConfig(authn.AuthConfig{Username: "u", Password: "p"}), nil
}

// A registry may send to another host for blobs. That one gets no password.
func TestRedirectedBlob(t *testing.T) {
	plain := memoryRegistry(t, nil)
	img := newImage("amd64", "elsewhere")
	push(t, plain+"/app:1", img)
	storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Errorf("the storage got %q", r.Header.Get("Authorization"))
		}
		http.Redirect(w, r, "http://"+plain+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer storage.Close()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, _, _ := r.BasicAuth(); user != "u" {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.URL.Path != "/v2/" {
			http.Redirect(w, r, storage.URL+r.URL.Path, http.StatusTemporaryRedirect)
		}
	}))
	defer front.Close()
	host := strings.TrimPrefix(front.URL, "http://")
	checkImage(t, resolve(t, image.Config{Keychain: password{}}, host+"/app:1", ""), img)
}

func TestRegistryOverTLS(t *testing.T) {
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	secure.Config.ErrorLog = nil
	_, err := image.NewResolver(image.Config{Patience: hasty}).Resolve(context.Background(), strings.TrimPrefix(secure.URL, "https://")+"/app:1", "")
	checkError(t, err, "is not trusted: certificate signed by unknown authority", "trust the CA", true)
	checkWords(t, err)

	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	there := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, plain.Listener.Addr().String())
	}}
	defer there.CloseIdleConnections()
	_, err = image.NewResolver(image.Config{Patience: hasty, Transport: there}).Resolve(context.Background(), "registry.example.com/app:1", "")
	checkError(t, err, "registry.example.com answers in plain HTTP", "HTTPS", true)
	checkWords(t, err)

	nameless := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "registry.example.com", IsNotFound: true}}
	}}
	_, err = image.NewResolver(image.Config{Patience: hasty, Transport: nameless}).Resolve(context.Background(), "registry.example.com/app:1", "")
	checkError(t, err, "registry.example.com has no address: no such host", "DNS", false)
	checkWords(t, err)

	noRegistry := httptest.NewServer(http.NotFoundHandler())
	defer noRegistry.Close()
	host := strings.TrimPrefix(noRegistry.URL, "http://")
	_, err = image.NewResolver(image.Config{Patience: hasty}).Resolve(context.Background(), host+"/app:1", "")
	checkError(t, err, host+" is not a registry", "check the name", true)
}

// A listener that accepts and is silent is what a hung registry looks like.
func TestSilentRegistry(t *testing.T) {
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	defer l.Close()
	began := time.Now()
	_, err := image.NewResolver(image.Config{Patience: hasty}).Resolve(context.Background(), l.Addr().String()+"/app:1", "")
	checkError(t, err, fmt.Sprintf("%s does not answer", l.Addr()), "run the same command again", false)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
	var trouble *image.NetworkError
	if !errors.As(err, &trouble) || trouble.Host != l.Addr().String() {
		t.Errorf("%v does not name the host", err)
	}
}
