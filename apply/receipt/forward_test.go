package receipt

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// shelf is a server that takes statements, and answers for some names with a status.
type shelf struct {
	answers map[string]int
	kind    string
	have    map[string]string // body by path and query
	asked   []string
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked = append(s.asked, filepath.Base(r.URL.Path))
	if code := s.answers[filepath.Base(r.URL.Path)]; code != 0 {
		w.WriteHeader(code)
		return
	}
	if s.kind != "" {
		w.Header().Set("Content-Type", s.kind)
		_, _ = io.WriteString(w, "<html>welcome</html>")
		return
	}
	b, _ := io.ReadAll(r.Body)
	if r.Method == http.MethodPut {
		s.have[r.URL.String()] = string(b)
	}
	w.WriteHeader(http.StatusCreated)
}

func newShelf(t *testing.T) (*shelf, Target) {
	t.Helper()
	s := &shelf{answers: map[string]int{}, have: map[string]string{}}
	server := httptest.NewTLSServer(s)
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	target, err := OpenTarget(server.URL+"/fleet?token=secret", ca)
	if err != nil {
		t.Fatal(err)
	}
	return s, target
}

func three(t *testing.T) *Spool {
	t.Helper()
	s := spoolAt(t, t.TempDir(), newTestKey(t))
	for i := range 3 {
		s.must(t, sample(uint64(i+1), "committed"))
	}
	return s
}

func (s *Spool) pass(t *testing.T, now time.Time, targets ...Target) string {
	t.Helper()
	f, err := s.Forward(context.Background(), targets, now)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("sent %d refused %d waiting %d", f.Sent, f.Refused, f.Waiting)
}

// shakenfist#4054, fluent-bit#3082: one item that the server refuses for good blocks all behind it.
func TestOneThatIsRefusedBlocksNobody(t *testing.T) {
	s := three(t)
	server, target := newShelf(t)
	server.answers["store-1.json"] = http.StatusBadRequest
	if got := s.pass(t, noon, target); got != "sent 3 refused 1 waiting 0" {
		t.Error(got)
	}
	if len(server.have) != 3 || server.have["/fleet/store-3.json?token=secret"] == "" {
		t.Errorf("the server has %v", server.have)
	}
	if aside := s.Aside(); len(aside) != 1 || !strings.Contains(aside[0], "store-1.json") || !strings.Contains(aside[0], "400") {
		t.Errorf("set aside: %v", aside)
	}
	before := len(server.asked)
	if got := s.pass(t, noon.Add(time.Hour), target); got != "sent 0 refused 0 waiting 0" || len(server.asked) != before {
		t.Errorf("%s, asked %d times more", got, len(server.asked)-before)
	}
}

// One that the server cannot take now comes last in the next pass, and holds up nobody either.
func TestOneThatFailsBlocksNobody(t *testing.T) {
	s := three(t)
	server, target := newShelf(t)
	server.answers["store-1.json"] = http.StatusInternalServerError
	if got := s.pass(t, noon, target); got != "sent 3 refused 0 waiting 1" {
		t.Error(got)
	}
	s.must(t, sample(4, "committed"))
	server.asked = nil
	if got := s.pass(t, noon.Add(2*time.Minute), target); got != "sent 1 refused 0 waiting 1" {
		t.Error(got)
	}
	if !slices.Equal(server.asked, []string{"store-4.json", "store-1.json"}) {
		t.Errorf("asked for %v", server.asked)
	}
	delete(server.answers, "store-1.json")
	if got := s.pass(t, noon.Add(time.Hour), target); got != "sent 1 refused 0 waiting 0" {
		t.Error(got)
	}
}

// A target that fails is left alone for a while that doubles; the other one gets everything. A clock that was in the year 2030 once
// (systemd#6821) holds nothing up: later than now is now.
func TestTargetThatIsAway(t *testing.T) {
	s := three(t)
	_, good := newShelf(t)
	away, err := OpenTarget("http://127.0.0.1:1/fleet", "")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.pass(t, noon, away, good); got != "sent 4 refused 0 waiting 4" {
		t.Error(got)
	}
	pauseOf := func() pause { return s.index.Pauses[away.URL()] }
	if p := pauseOf(); p.Failures != 1 || p.over(noon.Add(59*time.Second)) || !p.over(noon.Add(time.Minute)) {
		t.Errorf("the pause is %+v", p)
	}
	s.pass(t, noon.Add(time.Minute), away)
	if p := pauseOf(); p.Failures != 2 || p.over(noon.Add(2*time.Minute)) {
		t.Errorf("the pause is %+v", p)
	}
	in2030 := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	s.pass(t, in2030, away)
	if p := pauseOf(); !p.over(noon) {
		t.Errorf("a clock that was wrong once holds it up: %+v", p)
	}
	if p := (pause{Failures: 40, Since: noon}); !p.over(noon.Add(time.Hour)) {
		t.Error("it never tries again")
	}
}

// A portal's page is no receipt that was taken, and where it leads is not followed.
func TestPortalTakesNothing(t *testing.T) {
	s := three(t)
	server, target := newShelf(t)
	server.kind = "text/html; charset=utf-8"
	if got := s.pass(t, noon, target); got != "sent 0 refused 0 waiting 4" {
		t.Error(got)
	}
	server.kind = ""
	for _, name := range []string{"store-1.json", "store-2.json", "store-3.json", "store.key.json"} {
		server.answers[name] = http.StatusFound
	}
	if got := s.pass(t, noon.Add(time.Hour), target); got != "sent 0 refused 0 waiting 4" {
		t.Error(got)
	}
}

func TestTargets(t *testing.T) {
	for target, at := range map[string]string{
		"https://h/a":            "https://h/a/n.json",
		"https://h/a/":           "https://h/a/n.json",
		"https://h/a?sig=1%2F2":  "https://h/a/n.json?sig=1%2F2",
		"https://h/{file}?sig=x": "https://h/n.json?sig=x",
		"https://h/a?key={file}": "https://h/a?key=n.json",
	} {
		opened, err := OpenTarget(target, "")
		if err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		if got := opened.(*folder).at("n.json"); got != at {
			t.Errorf("%s: %s, want %s", target, got, at)
		}
	}
	for _, target := range []string{"", "h/a", "ftp://h/a", "https://", "oci://h", "oci://h/", "oci://h/a?x=1", "oci://h/{file}", "file:///etc"} {
		if _, err := ParseTarget(target); err == nil {
			t.Errorf("%s was taken", target)
		}
	}
}
