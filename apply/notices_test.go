package apply

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle/notice"
)

// notice signs a notice about the releases of the tests.
func (f *factory) notice(t *testing.T, change func(n *notice.Notice)) []byte {
	t.Helper()
	n := &notice.Notice{Name: "store-platform", Reason: "2.0.0 loses orders", Issued: noon.Add(-time.Hour), LiftedBy: 3}
	change(n)
	statement, err := n.Statement()
	if err != nil {
		t.Fatal(err)
	}
	b, err := f.signer.SignStatement(context.Background(), statement)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func asItIs(*notice.Notice) {}

// A notice on a stick holds the site, whatever its windows, until a release that it lets pass was committed. No word of a person here lifts it.
func TestNoticeHoldsUntilARelease(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory)
	s.must(r.one)
	s.shelf.put("stop.freeze.json", r.notice(t, asItIs))
	s.shelf.put("two.tar", r.two.bytes)
	s.wants(ResultStaged, whyFrozen)
	st := s.status()
	if !st.Frozen || st.Freeze.Signer == nil || st.Freeze.LiftedBy != 3 || !strings.Contains(st.Freeze.String(), "by a notice that release (SHA256:") {
		t.Fatalf("status is %+v", st.Freeze)
	}
	for name, o := range map[string]Options{"now": {Now: true}, "by hand": {}} {
		if _, err := s.Apply(context.Background(), r.two.input(), o); reasonOf(err) != "frozen" || !strings.Contains(err.Error(), "2.0.0 loses orders") {
			t.Errorf("apply, %s: %v", name, err)
		}
	}
	if _, err := s.Unfreeze(); reasonOf(err) != "frozen" {
		t.Errorf("unfreeze: %v", err)
	}
	s.shelf.put("three.tar", r.three.bytes)
	s.wants(ResultCommitted, "")
	if st := s.status(); st.Frozen || st.Current.Version != "3.0.0" {
		t.Errorf("after the release that lifts it: %+v", st)
	}
	// The old stick comes back.
	s.shelf.put("stop.freeze.json", r.notice(t, asItIs))
	s.shelf.put("four.tar", r.four.bytes)
	s.wants(ResultCommitted, "")
}

func TestNoticeEnds(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory)
	s.must(r.one)
	until := noon.Add(time.Hour)
	s.shelf.put("stop.freeze.json", r.notice(t, func(n *notice.Notice) { n.LiftedBy, n.Until = 0, &until }))
	s.shelf.put("two.tar", r.two.bytes)
	s.wants(ResultStaged, whyFrozen)
	s.now = until.Add(-time.Second)
	s.wants(ResultNothing, whyFrozen)
	s.now = until
	s.wants(ResultCommitted, "")
	// A clock that was reset does not make it one that nobody ends.
	s.now = time.Unix(1, 0)
	if st := s.status(); !st.Frozen {
		t.Error("the end is believed of a clock that stands before it")
	}
}

// Of two notices the one that was issued last counts, in whatever order they come.
func TestLaterNoticeCounts(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory)
	s.must(r.one)
	lifts := r.notice(t, func(n *notice.Notice) { n.LiftedBy, n.Lifts, n.Issued = 0, true, n.Issued.Add(time.Minute) })
	s.shelf.put("stop.freeze.json", r.notice(t, asItIs))
	s.wants(ResultNothing, "")
	if !s.status().Frozen {
		t.Fatal("it is not frozen")
	}
	s.shelf.put("go.freeze.json", lifts)
	s.wants(ResultNothing, "")
	if s.status().Frozen {
		t.Fatal("it is frozen still")
	}
	s.shelf.put("again.freeze.json", r.notice(t, func(n *notice.Notice) { n.Issued = n.Issued.Add(time.Second) }))
	s.wants(ResultNothing, "")
	if s.status().Frozen {
		t.Error("an earlier notice counts")
	}
}

func TestNoticesForOthersAreLeft(t *testing.T) {
	r, others := newReleases(t), newFactory(t)
	for name, b := range map[string][]byte{
		"another key":     others.notice(t, asItIs),
		"another product": r.notice(t, func(n *notice.Notice) { n.Name = "till" }),
		"another site":    r.notice(t, func(n *notice.Notice) { n.Sites = []string{"store-0143"} }),
		"half of it":      r.notice(t, asItIs)[:200],
		"nothing":         nil,
		"very long":       []byte(strings.Repeat(" ", notice.MaxSize+1) + "{}"),
		"a release's own": r.one.bytes[:1024],
	} {
		t.Run(name, func(t *testing.T) {
			s := newNight(t, r.factory)
			s.must(r.one)
			s.shelf.put("stop.freeze.json", b)
			s.wants(ResultNothing, map[bool]string{true: whyCopying}[name == "half of it" || name == "nothing" || name == "a release's own"])
			if s.status().Frozen {
				t.Error("it freezes the site")
			}
		})
	}
}

// The notice names a release: the site goes back to it at once, if it holds it, and stays there.
func TestSafeRelease(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory, "daily 02:00-04:00 UTC")
	for _, b := range []sealed{r.one, r.two} {
		if _, err := s.Apply(context.Background(), b.input(), Options{Now: true}); err != nil {
			t.Fatal(err)
		}
	}
	safe := r.notice(t, func(n *notice.Notice) { n.Safe = &notice.Safe{Version: "1.0.0", Identity: r.one.release.Identity} })
	s.shelf.put("two.tar", r.two.bytes)
	s.shelf.put("stop.freeze.json", safe)
	s.wants(ResultRolledBack, "")
	if text := s.problem(&r.one); text != "" {
		t.Fatal(text)
	}
	for range 3 {
		s.wants(ResultNothing, "")
	}
	if st := s.status(); st.Current.Version != "1.0.0" || st.Freeze.Safe != "1.0.0" || st.Freeze.SafeMissing {
		t.Errorf("status is %+v, %+v", st.Current, st.Freeze)
	}
}

// A release that the site does not hold is asked for in vain: the site is frozen, and says what is missing.
func TestSafeReleaseThatIsNotHere(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory)
	s.must(r.two)
	s.shelf.put("stop.freeze.json", r.notice(t, func(n *notice.Notice) { n.Safe = &notice.Safe{Version: "1.0.0", Identity: digest.FromString("one")} }))
	s.wants(ResultNothing, "")
	if st := s.status(); !st.Frozen || !strings.Contains(st.Freeze.String(), "asks for 1.0.0 meanwhile, which is not here") {
		t.Errorf("status is %s", st.Freeze)
	}
}

// What a power cut leaves of the list counts as a freeze, which a person may lift and a notice writes anew.
func TestTornNotices(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory)
	s.must(r.one)
	tear := func() {
		t.Helper()
		if err := os.WriteFile(s.noticesPath(), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if !s.status().Frozen {
			t.Fatal("a torn list holds nobody")
		}
	}
	tear()
	if _, err := s.Unfreeze(); err != nil || s.status().Frozen {
		t.Errorf("unfreeze: %v", err)
	}
	tear()
	s.shelf.put("stop.freeze.json", r.notice(t, asItIs))
	s.wants(ResultNothing, "")
	if st := s.status(); !st.Frozen || st.Freeze.LiftedBy != 3 {
		t.Errorf("status is %+v", st.Freeze)
	}
}
