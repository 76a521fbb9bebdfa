package apply

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/apply/inbox"
	"github.com/sallyport-dev/sallyport/apply/window"
	"github.com/sallyport-dev/sallyport/bundle"
)

// shelf is an inbox in memory that counts what is read of it.
type shelf struct {
	lying []inbox.Candidate
	read  int64
	opens int
}

func (s *shelf) String() string { return "shelf" }

func (s *shelf) List(_ context.Context, found func(inbox.Candidate) error) error {
	for _, c := range s.lying {
		if err := found(c); err != nil {
			return err
		}
	}
	return nil
}

// put lays bytes on the shelf, in place of what has the same name.
func (s *shelf) put(name string, b []byte) {
	s.lying = slices.DeleteFunc(s.lying, func(c inbox.Candidate) bool { return c.Name == name })
	s.lying = append(s.lying, inbox.Candidate{Name: name, Size: int64(len(b)), ID: fmt.Sprintf("%s %d %d", name, len(b), len(s.lying)+s.opens),
		Changed: noon.Add(-time.Hour),
		Open: func(context.Context) (io.ReadCloser, error) {
			s.opens++
			return io.NopCloser(io.TeeReader(bytes.NewReader(b), writerFunc(func(p []byte) (int, error) { s.read += int64(len(p)); return len(p), nil }))), nil
		},
		Tail: func(p []byte) (int, error) { return copy(p, b[max(len(b)-len(p), 0):]), nil }})
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// night is a site with a clock that can be set, a window each night, and a shelf.
type night struct {
	*testSite
	now   time.Time
	shelf shelf
}

func newNight(t *testing.T, f *factory, windows ...string) *night {
	t.Helper()
	s := &night{testSite: newTestSite(t, f, newWorld()), now: noon}
	s.deps.Now = func() time.Time { return s.now }
	s.opens(windows...)
	return s
}

func (s *night) opens(windows ...string) {
	s.t.Helper()
	s.cfg.plan.Windows = nil
	for _, text := range windows {
		w, err := window.Parse(text)
		if err != nil {
			s.t.Fatal(err)
		}
		s.cfg.plan.Windows = append(s.cfg.plan.Windows, w)
	}
}

// run is one pass that must not fail, with its result and what it waits for.
func (s *night) run() (result, why string) {
	s.t.Helper()
	res, err := s.Run(context.Background(), []inbox.Source{&s.shelf})
	if err != nil {
		s.t.Fatalf("run at %s: %v", s.now, err)
	}
	return res.Result, res.Why
}

// wants is one pass with the result that it must have.
func (s *night) wants(result, why string) {
	s.t.Helper()
	if r, w := s.run(); r != result || w != why {
		s.t.Fatalf("run at %s: %q %q, want %q %q\n%v", s.now.Format(time.RFC3339), r, w, result, why, s.said)
	}
}

func (s *night) attempts() []Attempt {
	s.t.Helper()
	h, err := s.History()
	if err != nil {
		s.t.Fatal(err)
	}
	return h.Attempts
}

func (s *night) at(text string) {
	s.t.Helper()
	var err error
	if s.now, err = time.Parse(time.RFC3339, text); err != nil {
		s.t.Fatal(err)
	}
}

func TestRunStagesAtAnyTimeAndSwitchesInTheWindow(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory, "daily 02:00-04:00 Europe/Budapest")
	s.wants(ResultNothing, "")
	s.shelf.put("one.tar", r.one.bytes)
	s.wants(ResultStaged, whyWindow)
	s.wants(ResultNothing, whyWindow) // sees that the bundle is of no more use
	read := s.shelf.read
	for range 3 {
		s.wants(ResultNothing, whyWindow)
	}
	if s.shelf.read != read {
		t.Errorf("waiting read %d bytes", s.shelf.read-read)
	}
	open, _ := s.cfg.plan.Next(s.now, 0)
	begin := open.Begin("store-0142", s.needs(nil))
	if !begin.After(open.Start) {
		t.Fatalf("the site begins with the window: choose another name")
	}
	s.now = begin.Add(-time.Second)
	s.wants(ResultNothing, whyWindow)
	s.now = begin
	s.wants(ResultCommitted, "")
	if p := s.problem(&r.one); p != "" {
		t.Error(p)
	}
	s.wants(ResultNothing, "")
	// The site was off at its moment of the next night. Trap systemd#18678, #21166.
	s.shelf.put("two.tar", r.two.bytes)
	s.at("2026-11-23T03:10:00+01:00")
	s.wants(ResultCommitted, "")
	s.wants(ResultNothing, "")
}

// Trap zincati#301, scylla-manager#3085: one hour is left of the window on the night on which clocks go forward.
func TestRunWaitsAWeekForAWindowThatIsLongEnough(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory, "Sun 01:30-03:30 Europe/Budapest")
	need := bundle.Duration(70 * time.Minute)
	s.cfg.Spec.WindowNeed = &need
	s.shelf.put("one.tar", r.one.bytes)
	s.at("2027-03-27T12:00:00Z")
	s.wants(ResultStaged, whyWindow)
	for minute := 0; minute < 70; minute += 5 {
		s.at("2027-03-28T01:30:00+01:00")
		s.now = s.now.Add(time.Duration(minute) * time.Minute)
		s.wants(ResultNothing, whyWindow)
	}
	if next := s.status().NextWindow; next == nil || next.Format(time.RFC3339) != "2027-04-04T01:30:00+02:00" {
		t.Errorf("nextWindow is %v", next)
	}
	s.at("2027-04-04T02:20:00+02:00")
	s.wants(ResultCommitted, "")
}

func TestRunTakesABundleOnceItIsWhole(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory)
	whole := r.one.bytes
	for _, n := range []int{0, 1, 511, 600, len(whole) / 2, len(whole) - 1} {
		s.shelf.put("one.tar", whole[:n])
		s.wants(ResultNothing, whyCopying)
	}
	// Its room was reserved, and is filled from the front.
	reserved := append(bytes.Clone(whole[:len(whole)/2]), make([]byte, len(whole)-len(whole)/2)...)
	reserved = append(reserved, make([]byte, 2*tailBytes)...)
	s.shelf.put("one.tar", reserved)
	s.wants(ResultNothing, whyCopying)
	s.shelf.put("one.tar", whole)
	s.wants(ResultCommitted, "")
}

// A bundle that is not what its front says is no failure while somebody may be writing to it, and one afterwards.
func TestRunLeavesABrokenBundleAlone(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory)
	broken := bytes.Clone(r.one.bytes)
	broken[len(broken)-1536] ^= 1 // in the last blob
	s.shelf.put("one.tar", broken)
	s.shelf.lying[0].Changed = s.now
	s.wants(ResultNothing, whyCopying)
	read := s.shelf.read
	s.now = s.now.Add(time.Minute)
	s.wants(ResultNothing, whyCopying)
	if s.shelf.read != read {
		t.Errorf("it was read again: %d bytes", s.shelf.read-read)
	}
	s.shelf.put("one.tar", slices.Concat(broken))
	if _, err := s.Run(context.Background(), []inbox.Source{&s.shelf}); reasonOf(err) != "digest" {
		t.Fatalf("a broken bundle gives %v", err)
	}
	s.wants(ResultNothing, whyCopying)
	s.shelf.put("mended.tar", r.one.bytes)
	s.wants(ResultCommitted, "")
}

// needs lets a release require what runs.
func (r *releases) needs(t *testing.T, version string, sequence uint64, catchUp, required string) sealed {
	t.Helper()
	c := newContent(version, sequence)
	c.image(t, "registry.example.com/app:stable", []byte("app layer "+version))
	c.configMaps("a")
	c.d.CatchUp = catchUp
	if required != "" {
		c.d.Requires = &bundle.Requires{Releases: required}
	}
	return r.seal(t, c)
}

func TestRunStepsThroughSteppingStones(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory)
	s.must(r.one)
	s.shelf.put("5", r.needs(t, "5.0.0", 5, "", "~4.0").bytes)
	s.shelf.put("3", r.needs(t, "3.0.0", 3, "", "<2").bytes) // from here nothing leads on
	s.shelf.put("2", r.needs(t, "2.0.0", 2, "", "").bytes)
	s.shelf.put("4", r.needs(t, "4.0.0", 4, "", "~2.0").bytes)
	s.shelf.put("9", r.needs(t, "9.0.0", 9, "", "~8.0").bytes)
	s.wants(ResultCommitted, "")
	var ran []string
	for _, a := range s.attempts() {
		if a.Result == ResultCommitted {
			ran = append(ran, a.Version)
		}
	}
	if got := strings.Join(ran, " "); got != "1.0.0 2.0.0 4.0.0 5.0.0" {
		t.Errorf("the site ran %s", got)
	}
	s.wants(ResultNothing, "")
}

func TestRunHoldsForAPerson(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory)
	if _, err := s.Approve(""); reasonOf(err) != "usage" {
		t.Errorf("nothing is staged, and approve says %v", err)
	}
	s.shelf.put("hold", r.needs(t, "1.0.0", 1, catchUpHold, "").bytes)
	s.wants(ResultStaged, whyHeld)
	s.wants(ResultNothing, whyHeld)
	if !s.status().Held {
		t.Error("status does not tell that it is held")
	}
	if _, err := s.Approve("2.0.0"); reasonOf(err) != "usage" {
		t.Errorf("another version is approved: %v", err)
	}
	s.wants(ResultNothing, whyHeld)
	if _, err := s.Approve("1.0.0"); err != nil {
		t.Fatal(err)
	}
	s.wants(ResultCommitted, "")
}

func TestRunDoesNotHoldWhereThereIsAnotherWay(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory)
	s.shelf.put("hold", r.needs(t, "2.0.0", 2, catchUpHold, "").bytes)
	s.shelf.put("free", r.needs(t, "1.0.0", 1, "", "").bytes)
	s.wants(ResultStaged, whyHeld) // after 1.0.0
	if st := s.status(); st.Current == nil || st.Current.Version != "1.0.0" || st.Staged.Version != "2.0.0" {
		t.Errorf("status is %+v", st)
	}
}

func TestImmediatePassesWindowsAndNothingElse(t *testing.T) {
	r := newReleases(t)
	for _, c := range []struct {
		name, why string
		prepare   func(s *night)
	}{
		{"outside a window", "", func(*night) {}},
		{"forbidden in site.yaml", whyWindow, func(s *night) { s.cfg.Spec.CatchUp.Immediate = immediateNever }},
		{"in a blackout", whyWindow, func(s *night) {
			b, err := window.ParseBlackout("2026-11-21 UTC")
			if err != nil {
				s.t.Fatal(err)
			}
			s.cfg.plan.Blackouts = []window.Blackout{b}
		}},
		{"frozen", whyFrozen, func(s *night) {
			if _, err := s.Freeze("stocktaking", nil, 0); err != nil {
				s.t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newNight(t, r.factory, "daily 02:00-04:00 UTC")
			c.prepare(s)
			s.shelf.put("now", r.needs(t, "1.0.0", 1, catchUpImmediate, "").bytes)
			if result, why := s.run(); why != c.why || (result == ResultCommitted) != (c.why == "") {
				t.Errorf("%s %q, want %q", result, why, c.why)
			}
		})
	}
}

func TestRunLeavesABadReleaseAloneAndTakesAMendedOne(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory)
	s.must(r.one)
	s.world.failing = func(version string) bool { return version == "2.0.0" }
	s.shelf.put("two.tar", r.two.bytes)
	if _, err := s.Run(context.Background(), []inbox.Source{&s.shelf}); reasonOf(err) != "rolled-back" {
		t.Fatalf("a bad release gives %v", err)
	}
	tried := s.attempts()
	s.wants(ResultNothing, "")
	s.shelf.put("again.tar", r.variant(t, "2.0.0", 2, "b", "c").bytes)
	s.wants(ResultNothing, "")
	if got := s.attempts(); len(got) != len(tried) {
		t.Errorf("it was tried again: %v", got)
	}
	s.shelf.put("three.tar", r.three.bytes)
	s.wants(ResultCommitted, "")
}

// Trap systemd#6821: a stamp from the year 2030 holds retries up for years.
func TestRetriesDoNotBelieveAClockThatWasAhead(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory)
	s.world.down = true
	s.shelf.put("one.tar", r.one.bytes)
	s.at("2030-01-01T00:00:00Z")
	fails := func() {
		t.Helper()
		if _, err := s.Run(context.Background(), []inbox.Source{&s.shelf}); err == nil {
			t.Fatal("a cluster that is away is no failure")
		}
	}
	fails()
	s.wants(ResultNothing, whyBackoff)
	s.now = noon
	s.wants(ResultNothing, whyBackoff)
	s.now = noon.Add(firstWait)
	s.world.down = false
	s.wants(ResultCommitted, "")
}

func TestRetriesWaitLongerEachTimeAndUpToAnHour(t *testing.T) {
	var waits []time.Duration
	for n := range 9 {
		waits = append(waits, retry{Count: n + 1}.wait())
	}
	want := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60}
	for i := range want {
		if waits[i] != want[i]*time.Minute {
			t.Errorf("after %d failures it waits %s", i+1, waits[i])
		}
	}
	if got := (retry{Count: 1 << 40}).wait(); got != time.Hour {
		t.Errorf("after very many it waits %s", got)
	}
}

func TestRunSaysNothingWhileAnotherIsAtWork(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory)
	s.must(r.one)
	l, err := takeLock(s.cfg.Spec.State, "apply")
	if err != nil {
		t.Fatal(err)
	}
	defer l.release() //nolint:errcheck // the test is over
	s.wants(ResultNothing, whyLocked)
}

// Small files that a power loss cut to nothing break no verb, and a freeze counts.
func TestRunWithFilesOfItsOwnCutToNothing(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory)
	s.must(r.one)
	s.shelf.put("two.tar", r.two.bytes)
	for _, path := range []string{s.seenPath(), s.retriesPath(), s.approvalsPath(), s.freezePath()} {
		for _, text := range []string{"", "{", "\x00\x00\x00\x00", "[]"} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.wants(ResultStaged, whyFrozen)
	if st := s.status(); !st.Frozen || st.Freeze.String() == "" {
		t.Errorf("status is %+v", st)
	}
	if was, err := s.Unfreeze(); !was || err != nil {
		t.Errorf("unfreeze: %v, %v", was, err)
	}
	s.wants(ResultCommitted, "")
}

// An inbox of 100,000 files: they are looked at once, and nothing of them is read again.
func TestRunWithVeryManyFiles(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory)
	for i := range 100_000 {
		s.shelf.lying = append(s.shelf.lying, inbox.Candidate{Name: fmt.Sprintf("photo%06d.jpg", i), Size: 5, ID: fmt.Sprint(i),
			Open: func(context.Context) (io.ReadCloser, error) {
				s.shelf.opens++
				return io.NopCloser(strings.NewReader("photo")), nil
			}})
	}
	s.wants(ResultNothing, "")
	opens := s.shelf.opens
	s.wants(ResultNothing, "")
	if s.shelf.opens != opens || opens != 100_000 {
		t.Errorf("%d files were opened, then %d", opens, s.shelf.opens-opens)
	}
	s.shelf.put("one.tar", r.one.bytes)
	s.wants(ResultCommitted, "")
}

// A clock that jumps over the window either way begins nothing outside of it, and loses nothing.
func TestRunWithAClockThatJumps(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory, "daily 02:00-04:00 UTC")
	s.shelf.put("one.tar", r.one.bytes)
	for _, at := range []string{"2026-11-21T01:00:00Z", "2026-11-21T05:00:00Z", "2026-11-20T01:00:00Z", "2035-01-01T05:00:00Z", "1970-01-01T03:00:00Z"} {
		s.at(at)
		if result, _ := s.run(); result == ResultCommitted {
			t.Fatalf("switched at %s", at)
		}
	}
	s.at("2026-11-22T03:50:00Z")
	s.wants(ResultCommitted, "")
}

func TestRunOnABatteryThatIsNearlyEmpty(t *testing.T) {
	r := newReleases(t)
	s := newNight(t, r.factory)
	low := "it runs on its battery"
	s.deps.Power = func() string { return low }
	s.shelf.put("one.tar", r.one.bytes)
	if _, err := s.Run(context.Background(), []inbox.Source{&s.shelf}); reasonOf(err) != "unusable" {
		t.Fatalf("on a battery: %v", err)
	}
	s.wants(ResultNothing, whyBackoff)
	low = ""
	s.now = s.now.Add(time.Minute)
	s.wants(ResultCommitted, "")
}

func TestLowPower(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		low   bool
	}{
		"nothing is known":    {nil, false},
		"mains":               {map[string]string{"AC/type": "Mains", "AC/online": "1"}, false},
		"charging":            {map[string]string{"BAT0/type": "Battery", "BAT0/status": "Charging", "BAT0/capacity": "3"}, false},
		"nearly empty":        {map[string]string{"BAT0/type": "Battery", "BAT0/status": "Discharging", "BAT0/capacity": "12"}, true},
		"UPS":                 {map[string]string{"ups/type": "UPS", "ups/status": "Discharging", "ups/capacity": "29"}, true},
		"enough":              {map[string]string{"BAT0/type": "Battery", "BAT0/status": "Discharging", "BAT0/capacity": "30"}, false},
		"capacity is unknown": {map[string]string{"BAT0/type": "Battery", "BAT0/status": "Discharging"}, false},
		"a mouse":             {map[string]string{"hid/type": "Battery", "hid/scope": "Device", "hid/status": "Discharging", "hid/capacity": "1"}, false},
	} {
		dir := t.TempDir()
		for path, text := range c.files {
			path = filepath.Join(dir, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := lowPower(dir); (got != "") != c.low {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestFreeMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meminfo")
	for text, want := range map[string]int64{"": -1, "MemTotal: 5 kB\nMemAvailable:    1024 kB\n": 1 << 20, "MemAvailable: many\n": -1, "MemAvailable: -4 kB\n": -1} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, known := freeMemory(path); known != (want >= 0) || known && got != want {
			t.Errorf("%q gives %d, %v", text, got, known)
		}
	}
}
