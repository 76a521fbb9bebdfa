package apply

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// TestBundleOfAServer has a bundle come over a link that breaks in the middle, twice: each pass goes on where the one before it
// stopped, and says no more than that it waits.
func TestBundleOfAServer(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory)
	dir := t.TempDir()
	put := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(dir+"/"+name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("one.tar", r.one.bytes)
	var gets atomic.Int64
	var ranges []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("ETag", `"1"`)
		if req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, ".tar") {
			if n := gets.Add(1); n == 1 || n == 3 { // of the front, and of the whole bundle
				w.Header().Set("Content-Length", strconv.Itoa(len(r.one.bytes)))
				_, _ = w.Write(r.one.bytes[:200])
				_ = http.NewResponseController(w).Flush() // else the client asks once more by itself
				panic(http.ErrAbortHandler)
			}
			ranges = append(ranges, req.Header.Get("Range"))
		}
		http.FileServer(http.Dir(dir)).ServeHTTP(w, req)
	}))
	defer server.Close()
	s.cfg.Spec.Inbox = []string{server.URL + "/"}
	pass := func() *Result {
		t.Helper()
		from, err := s.Inboxes()
		if err != nil {
			t.Fatal(err)
		}
		res, err := s.Run(context.Background(), from)
		if err != nil {
			t.Fatalf("%v\n%v", err, s.said)
		}
		return res
	}
	// No list, then an empty one: a link that is down, and nothing to do.
	if res := pass(); res.Result != ResultNothing || res.Why != "" {
		t.Errorf("without a list: %+v", res)
	}
	put("bundles.txt", []byte("one.tar\n"))
	for _, want := range []struct{ result, why string }{{ResultNothing, ""}, {ResultNothing, whyLink}, {ResultCommitted, ""}} {
		if res := pass(); res.Result != want.result || res.Why != want.why {
			t.Fatalf("got %s %q, want %s %q\n%v", res.Result, res.Why, want.result, want.why, s.said)
		}
	}
	if want := []string{"", "", "bytes=200-"}; len(ranges) < 3 || !slices.Equal(ranges[:3], want) {
		t.Errorf("it asked for the ranges %q, want %q first", ranges, want)
	}
	left, err := os.ReadDir(s.path("fetched/0"))
	if err != nil || len(left) > 0 {
		t.Errorf("%v are left, %v", left, err)
	}
	if res := pass(); res.Result != ResultNothing || res.Why != "" {
		t.Errorf("with nothing to do: %+v", res)
	}
	asked := gets.Load()
	if res := pass(); res.Result != ResultNothing || res.Why != "" || gets.Load() != asked {
		t.Errorf("with nothing to do: %+v, and the bundle was asked for %d times", res, gets.Load()-asked)
	}
	for _, f := range s.inboxesAnswer(t.Context()) {
		if !f.OK || !strings.Contains(f.Message, "has 1 bundle") {
			t.Errorf("doctor finds %+v", f)
		}
	}
	server.Close()
	if res := pass(); res.Result != ResultNothing || res.Why != "" {
		t.Errorf("while the link is down: %+v", res)
	}
	for _, f := range s.inboxesAnswer(t.Context()) {
		if f.OK || !strings.Contains(f.Message, "does not answer") {
			t.Errorf("doctor finds %+v", f)
		}
	}
}
