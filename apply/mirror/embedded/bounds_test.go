package embedded_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/apply/mirror/embedded"
)

func TestUnfinishedUploadsAreBounded(t *testing.T) {
	dir := t.TempDir()
	c := serve(t, dir)
	var last string
	for i := range 100 {
		resp, err := http.DefaultClient.Do(request(t, http.MethodPost, c.URL()+"/v2/app/blobs/uploads/", nil))
		if err != nil || resp.StatusCode != http.StatusAccepted {
			t.Fatalf("upload %d: %v, %v", i, resp, err)
		}
		resp.Body.Close()
		last = resp.Header.Get("Location")
	}
	if left := mustGlob(t, filepath.Join(dir, "docker/registry/v2/repositories/app/_uploads/*")); len(left) != 64 {
		t.Errorf("%d uploads are on the disk, want 64", len(left))
	}
	data := []byte("the last one goes on")
	resp, err := http.DefaultClient.Do(request(t, http.MethodPut, c.URL()+last+"?digest="+digest.FromBytes(data).String(), bytes.NewReader(data)))
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("the last upload: %v, %v", resp, err)
	}
	resp.Body.Close()
	if ok, err := c.HasBlob(t.Context(), "app", digest.FromBytes(data)); !ok || err != nil {
		t.Errorf("what it brought: %v, %v", ok, err)
	}
}

// Uploads that requests are busy with are not thrown away for others.
func TestBusyUploadsStay(t *testing.T) {
	dir := t.TempDir()
	c := serve(t, dir)
	end := beginBusy(t, c, dir, 64)
	resp, err := http.DefaultClient.Do(request(t, http.MethodPost, c.URL()+"/v2/app/blobs/uploads/", nil))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("one more gave %s", resp.Status)
	}
	end()
}

// Who comes while an upload is thrown away for another one waits: there will be room.
func TestNoUploadIsRefusedWhileRoomIsMade(t *testing.T) {
	const callers = 4
	dir := t.TempDir()
	c := serve(t, dir)
	end := beginBusy(t, c, dir, 64-callers)
	refused := make(chan error, callers)
	for range callers {
		go func() {
			for range 50 {
				resp, err := http.DefaultClient.Do(request(t, http.MethodPost, c.URL()+"/v2/app/blobs/uploads/", nil))
				if err == nil {
					resp.Body.Close()
					if resp.StatusCode != http.StatusAccepted {
						err = fmt.Errorf("it gave %s", resp.Status)
					}
				}
				if err != nil {
					refused <- err
					return
				}
			}
			refused <- nil
		}()
	}
	for range callers {
		if err := <-refused; err != nil {
			t.Error(err)
		}
	}
	end()
}

// beginBusy begins uploads whose bytes do not come before end is called, which wants them taken.
func beginBusy(t *testing.T, c *mirror.Client, dir string, n int) (end func()) {
	t.Helper()
	var bodies []*io.PipeWriter
	ended := make(chan error, n)
	for range n {
		r, w := io.Pipe()
		bodies = append(bodies, w)
		go func() {
			resp, err := http.DefaultClient.Do(request(t, http.MethodPost, c.URL()+"/v2/app/blobs/uploads/?digest="+digest.FromString("x").String(), r))
			if err == nil {
				resp.Body.Close()
				if resp.StatusCode != http.StatusCreated {
					err = fmt.Errorf("it gave %s", resp.Status)
				}
			}
			ended <- err
		}()
	}
	begun := func() int {
		return len(mustGlob(t, filepath.Join(dir, "docker/registry/v2/repositories/app/_uploads/*")))
	}
	for late := time.Now().Add(time.Minute); begun() < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("%d of %d uploads have begun", begun(), n)
		}
	}
	return func() {
		for _, w := range bodies {
			_, err := w.Write([]byte("x"))
			if err := w.CloseWithError(err); err != nil {
				t.Error(err)
			}
		}
		for range bodies {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
}

// Connections that are held and not used (slowloris) keep nobody out.
func TestHeldConnectionsMakeRoom(t *testing.T) {
	at, stop, err := embedded.Attach(t.Context(), embedded.Config{Dir: t.TempDir(), Secret: secretFile(t)}, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	c := login(t, at.URL)
	pushImage(t, c, "app", "1", "layer")
	for i := range 600 {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(at.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		begun := []string{"", "GET /v2/ HTTP/1.1\r\nHost: localhost\r\n", "GET /v2/app/manifests/1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n{"}[i%3]
		if _, err := io.WriteString(conn, begun); err != nil {
			t.Fatal(err)
		}
	}
	begun := time.Now()
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(at.URL + "/v2/app/manifests/1")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || time.Since(begun) > 20*time.Second {
		t.Errorf("a pull gave %d after %s", resp.StatusCode, time.Since(begun))
	}
	push(t, c, "app", []byte("sallyport's own connection was kept, or made anew"))
}

func TestLongHeadsAreRefused(t *testing.T) {
	at, stop, err := embedded.Attach(t.Context(), embedded.Config{Dir: t.TempDir()}, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at.URL+"/v2/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Long", strings.Repeat("x", 64<<10))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("it gave %s", resp.Status)
	}
}

func TestHostileManifestsAreRefused(t *testing.T) {
	c := serve(t, t.TempDir())
	for name, body := range map[string]string{
		"dense": `{"schemaVersion":2,"layers":[` + strings.Repeat("{},", 1_300_000) + `{}]}`,
		"deep":  strings.Repeat(`{"manifests":[`, 200_000),
		"large": strings.Repeat(" ", 4<<20+1),
	} {
		for _, length := range []int64{int64(len(body)), -1} {
			req := request(t, http.MethodPut, c.URL()+"/v2/app/manifests/1", strings.NewReader(body))
			req.Header.Set("Content-Type", ocispec.MediaTypeImageManifest)
			req.ContentLength = length
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			text, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != http.StatusBadRequest || !bytes.Contains(text, []byte("MANIFEST_INVALID")) {
				t.Errorf("%s gave %s %s", name, resp.Status, text)
			}
		}
	}
}
