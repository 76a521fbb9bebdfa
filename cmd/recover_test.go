//go:build !site

package cmd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

// lossSite is a site on folders that loses parts of itself.
type lossSite struct {
	t        *testing.T
	dir      string
	whole    string // a copy of it as it was
	registry atomic.Pointer[http.Handler]
}

func newRegistry() *http.Handler {
	h := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	return &h
}

// run runs sallyport on the site.
func (s *lossSite) run(args ...string) (code int, out, told string) {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	code = Main(append([]string{"--site", s.path("site.yaml"), "--progress", "plain"}, args...), strings.NewReader(""), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// must runs sallyport with --json, which has to succeed, into v.
func (s *lossSite) must(v any, args ...string) {
	s.t.Helper()
	code, out, told := s.run(append(args, "--json")...)
	if code != exitDone {
		s.t.Fatalf("sallyport %s: exit status %d\n%s%s", strings.Join(args, " "), code, out, told)
	}
	if err := json.Unmarshal([]byte(out), v); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
}

func (s *lossSite) path(name string) string { return filepath.Join(s.dir, name) }

// newLossSite makes a site that runs shop 2.0.0 and can go back to 1.0.0, with an embedded mirror or a registry of others.
func newLossSite(t *testing.T, shop string, embedded bool) *lossSite {
	t.Helper()
	s := &lossSite{t: t, dir: t.TempDir(), whole: t.TempDir()}
	s.registry.Store(newRegistry())
	var mirror string
	if embedded {
		address, err := freeAddress()
		if err != nil {
			t.Fatal(err)
		}
		mirror = fmt.Sprintf("{dir: %s, listen: %q}", s.path("mirror"), address)
	} else {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*s.registry.Load()).ServeHTTP(w, r) }))
		t.Cleanup(server.Close)
		mirror = fmt.Sprintf("{url: %q}", server.URL)
	}
	site := fmt.Sprintf("apiVersion: sallyport.dev/v1\nkind: Site\nmetadata: {name: store}\nspec:\n  state: %s\n  trust: %s\n  mirror: %s\n  target:\n    manifestsDir: {path: %s}\n",
		s.path("state"), filepath.Join(shop, "shop.pub"), mirror, s.path("manifests"))
	if err := os.WriteFile(s.path("site.yaml"), []byte(site), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(s.path("manifests"), 0o755); err != nil {
		t.Fatal(err)
	}
	var res struct{ Result string }
	s.must(&res, "apply", filepath.Join(shop, "r1.tar"))
	s.must(&res, "apply", filepath.Join(shop, "r2full.tar"))
	s.copy(s.dir+"/.", s.whole)
	return s
}

// copy copies a tree with all permissions: what is for the owner alone stays so.
func (s *lossSite) copy(from, to string) {
	s.t.Helper()
	if out, err := exec.CommandContext(s.t.Context(), "cp", "-a", from, to).CombinedOutput(); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
}

// lose takes away a part.
func (s *lossSite) lose(part string) {
	s.t.Helper()
	var err error
	switch part {
	case "state":
		err = os.RemoveAll(s.path("state"))
	case "mirror":
		err = os.RemoveAll(s.path("mirror"))
		s.registry.Store(newRegistry())
	case "slots":
		err = os.RemoveAll(s.path("state/slots"))
	case "objects":
		err = os.Remove(s.path("manifests/sallyport.yaml"))
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// reset makes the folders what they were.
func (s *lossSite) reset() {
	s.t.Helper()
	for _, name := range []string{"state", "mirror", "manifests"} {
		if err := os.RemoveAll(s.path(name)); err != nil {
			s.t.Fatal(err)
		}
		from := filepath.Join(s.whole, name)
		if _, err := os.Stat(from); err != nil {
			continue
		}
		s.copy(from, s.path(name))
	}
}

// manifests is what the cluster is given.
func (s *lossSite) manifests() string {
	s.t.Helper()
	b, err := os.ReadFile(s.path("manifests/sallyport.yaml"))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

// wholeAgain wants the site to run shop 2.0.0, every byte of it, and says what does not.
func (s *lossSite) wholeAgain(objects string) {
	s.t.Helper()
	var st struct {
		Current       struct{ Version string }
		NeedsPerson   bool
		Person, Phase string
		RollbackIndex int
		Drift         []any
	}
	s.must(&st, "status")
	if st.Current.Version != "2.0.0" || st.NeedsPerson || st.Phase != "idle" || st.RollbackIndex != 2 || len(st.Drift) > 0 {
		s.t.Errorf("status: %+v", st)
	}
	if got := s.manifests(); got != objects {
		s.t.Errorf("the cluster is given\n%s\nnot\n%s", got, objects)
	}
	var fsck struct{ Problems []any }
	s.must(&fsck, "mirror", "fsck")
	if len(fsck.Problems) > 0 {
		s.t.Errorf("mirror: %v", fsck.Problems)
	}
}

// TestRecoverTable rebuilds a site that has lost any of its parts, or several, or all. What is lost is named before anything is done,
// what was done is told, and all of it is read again.
func TestRecoverTable(t *testing.T) {
	shop := newShop(t)
	full := filepath.Join(shop, "r2full.yaml")
	if err := writeRelease(full, "2.0.0", runtime.GOARCH, "sequence: 2"); err != nil {
		t.Fatal(err)
	}
	var told bytes.Buffer
	if code := Main([]string{"build", "-f", full, "--key", filepath.Join(shop, "shop.key"), "-o", filepath.Join(shop, "r2full.tar")}, nil, &told, &told); code != exitDone {
		t.Fatalf("exit status %d\n%s", code, told.String())
	}
	parts := []string{"state", "mirror", "slots", "objects"}
	for _, embedded := range []bool{true, false} {
		s := newLossSite(t, shop, embedded)
		objects := s.manifests()
		for set := range 1 << len(parts) {
			var lost []string
			for i, p := range parts {
				if set>>i&1 == 1 {
					lost = append(lost, p)
				}
			}
			t.Run(fmt.Sprintf("embedded=%t/lost=%s", embedded, strings.Join(lost, "+")), func(t *testing.T) {
				s.t = t
				s.reset()
				refillRegistry(s, shop, embedded)
				for _, p := range lost {
					if p != "slots" || !slices.Contains(lost, "state") {
						s.lose(p)
					}
				}
				s.recovered(shop, lost)
				s.wholeAgain(objects)
			})
		}
	}
}

// refillRegistry gives a registry of others, which is not in the folders, what it had.
func refillRegistry(s *lossSite, shop string, embedded bool) {
	s.t.Helper()
	if embedded {
		return
	}
	var res struct{ Result string }
	s.must(&res, "recover", filepath.Join(shop, "r1.tar"), filepath.Join(shop, "r2full.tar"))
}

// recovered runs the recovery, and compares what it names and does with what was lost.
func (s *lossSite) recovered(shop string, lost []string) {
	s.t.Helper()
	bundles := []string{filepath.Join(shop, "r1.tar"), filepath.Join(shop, "r2full.tar")}
	var plan struct {
		Lost  []struct{ Part string }
		Steps []string
	}
	s.must(&plan, append([]string{"recover", "--dry-run"}, bundles...)...)
	named := map[string]bool{}
	for _, l := range plan.Lost {
		named[l.Part] = true
	}
	stateGone := slices.Contains(lost, "state")
	for _, p := range []string{"state", "mirror", "slots", "objects"} {
		// Without the state nothing tells any more what slots and target should hold; the plan says that the state is lost.
		want := slices.Contains(lost, p) && (p == "state" || p == "mirror" || !stateGone) && (p != "objects" || !slices.Contains(lost, "slots"))
		if named[p] != want && (p != "objects" || !stateGone) {
			s.t.Errorf("lost %v: the plan names %s: %t", lost, p, named[p])
		}
	}
	var res struct {
		Result         string
		Mended, Proved []string
	}
	s.must(&res, append([]string{"recover"}, bundles...)...)
	want := "recovered"
	switch {
	case stateGone:
		want = "committed"
	case len(lost) == 0:
		want = "nothing"
	}
	if res.Result != want {
		s.t.Errorf("result %s, want %s", res.Result, want)
	}
	if want != "nothing" && (len(res.Proved) != 3 || len(plan.Steps) == 0) {
		s.t.Errorf("proved %q, steps %q", res.Proved, plan.Steps)
	}
	for _, p := range lost {
		word := map[string]string{"mirror": "the mirror lacked", "slots": "slot B", "objects": "objects"}[p]
		if !stateGone && (p != "objects" || !slices.Contains(lost, "slots")) && !strings.Contains(strings.Join(res.Mended, "\n"), word) {
			s.t.Errorf("lost %v: mended is %q, without %q", lost, res.Mended, word)
		}
	}
}
