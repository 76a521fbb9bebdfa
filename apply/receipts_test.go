package apply

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/apply/receipt"
	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/internal/durable/durabletest"
)

// receipts makes what is missing, writes all of it into a folder, and reads that back, in the order of the chain.
func (s *testSite) receipts() (all []*receipt.Receipt) {
	s.t.Helper()
	ctx := context.Background()
	rs, err := s.OpenReceipts(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = rs.Close() }() // it only gives a lock back
	dir := s.t.TempDir()
	if _, err := rs.Export(ctx, dir); err != nil {
		s.t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	key, err := receipt.LoadKey(s.keyPath())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, name := range names {
		b, err := receipt.ReadFile(name)
		if err != nil {
			s.t.Fatal(err)
		}
		st, err := receipt.Open(b)
		if err != nil {
			s.t.Fatalf("%s: %v", name, err)
		}
		if err := st.By(key.Key); err != nil {
			s.t.Errorf("%s: %v", name, err)
		}
		if st.Receipt != nil {
			all = append(all, st.Receipt)
		}
	}
	slices.SortFunc(all, func(a, b *receipt.Receipt) int { return int(a.Number) - int(b.Number) })
	return all
}

// toldOf is each receipt in short.
func toldOf(all []*receipt.Receipt) string {
	var text []string
	for _, r := range all {
		text = append(text, fmt.Sprintf("%d:%d.%d %s %s %s", r.Number, r.Transaction, r.Attempt, r.Verb, r.Release.Version, r.Result))
	}
	return strings.Join(text, "; ")
}

func TestEachAttemptHasOneReceipt(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.deps.BootID = func() (string, error) { return "boot-1", nil }
	s.must(r.one)
	s.world.failing = func(version string) bool { return version == "2.0.0" }
	if _, err := s.apply(r.two); reasonOf(err) != "rolled-back" {
		t.Fatal(err)
	}
	if _, err := s.Stage(context.Background(), r.three.input(), Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ApplyStaged(context.Background(), Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Rollback(context.Background(), RollbackOptions{}); err != nil {
		t.Fatal(err)
	}
	want := "1:1.1 apply 1.0.0 committed; 2:2.1 apply 2.0.0 rolledBack; 3:3.1 stage 3.0.0 staged; 4:3.2 stage 3.0.0 committed; 5:4.1 rollback 1.0.0 rolledBack"
	var all []*receipt.Receipt
	for range 2 {
		all = s.receipts()
		if got := toldOf(all); got != want {
			t.Errorf("told: %s\nwant: %s", got, want)
		}
	}
	failed := all[1]
	if failed.Reason == "" || len(failed.Checks) == 0 || failed.Verification == nil || len(failed.Verification.Signers) != 1 || failed.Clock.Trusted ||
		failed.Bytes.Read != int64(len(r.two.bytes)) || failed.Bytes.Restored == 0 || failed.Standing.Runs.Version != "1.0.0" {
		t.Errorf("the receipt of a failure is %+v", failed)
	}
	var phases []string
	for _, p := range failed.Phases {
		if p.Boot != "boot-1" || p.At.IsZero() {
			t.Errorf("phase %+v", p)
		}
		phases = append(phases, p.Phase)
	}
	if got := strings.Join(phases, " "); got != "verified loaded written armed trial rollingBack" {
		t.Errorf("the phases are %s", got)
	}
	if all[4].Verification != nil || all[4].Bytes.Read != 0 {
		t.Errorf("a rollback reads no bundle: %+v", all[4])
	}
}

// A trial that a reboot or power cut interrupted tells both boots.
func TestReceiptTellsOfEachBoot(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	boot := "boot-1"
	s.deps.BootID = func() (string, error) { return boot, nil }
	ctx, cancel := context.WithCancel(context.Background())
	s.deps.RunChecks = interruptedChecks(cancel)
	if _, err := s.Apply(ctx, r.one.input(), Options{}); reasonOf(err) != "interrupted" {
		t.Fatal(err)
	}
	s.deps.RunChecks = s.world.runChecks
	boot = "boot-2"
	if _, err := s.Confirm(context.Background()); err != nil {
		t.Fatal(err)
	}
	var marks []string
	for _, p := range s.receipts()[0].Phases {
		marks = append(marks, p.Phase+" "+p.Boot)
	}
	want := "verified boot-1, loaded boot-1, written boot-1, armed boot-1, trial boot-1, trial boot-2, good boot-2"
	if got := strings.Join(marks, ", "); got != want {
		t.Errorf("marks: %s\nwant:  %s", got, want)
	}
}

// Whatever the disk does while a receipt is made: the verb's result stands, and in the end each attempt has one receipt.
func TestReceiptsUnderEveryFault(t *testing.T) {
	r := newReleases(t)
	before := newTestSite(t, r.factory, newWorld())
	before.must(r.one)
	before.receipts()
	before.must(r.two)
	for _, mode := range durabletest.Modes {
		for at := 0; ; at++ {
			s := siteAt(t, copyDir(t, before.cfg.Spec.State), r.factory, before.world.clone())
			faults := &durabletest.Faults{At: at, Mode: mode}
			s.deps.Disk = faults.Disk()
			if rs, err := s.OpenReceipts(context.Background()); err == nil {
				_ = rs.Close()
			}
			s.deps.Disk = durable.Disk{}
			if got := toldOf(s.receipts()); got != "1:1.1 apply 1.0.0 committed; 2:2.1 apply 2.0.0 committed" {
				t.Errorf("%s: told: %s", faults, got)
			}
			if p := s.problem(&r.two); p != "" {
				t.Errorf("%s: %s", faults, p)
			}
			if !faults.Fell() {
				break
			}
		}
	}
}

// A site with a long history from before there were receipts gets some for the newest attempts, and a count of the others.
func TestOldHistoryIsCounted(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	attempts, _, err := readHistory(s.historyPath())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		a := attempts[0]
		a.Transaction, a.Evidence = uint64(i+2), nil
		if err := appendHistory(durable.Disk{}, s.historyPath(), a); err != nil {
			t.Fatal(err)
		}
	}
	all := s.receipts()
	if len(all) != newest || all[0].Number != 1 || all[0].Transaction != 101-newest+1 {
		t.Errorf("%d receipts, the first is %+v", len(all), all[0])
	}
	if m := all[0].Merged; len(m) != 1 || m[0].Count != 101-newest || m[0].Result != ResultCommitted {
		t.Errorf("counted: %+v", m)
	}
}

// A stick that is full of links, or has a file in the way, changes no result; the receipt goes to the next one.
func TestReceiptGoesToTheNextStick(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	carry := func(dir string) ([]string, error) {
		t.Helper()
		rs, err := s.OpenReceipts(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rs.Close() }() // it only gives a lock back
		return rs.Carry(context.Background(), dir)
	}
	bad, good := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(bad, receipt.Folder), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if put, err := carry(bad); err == nil {
		t.Errorf("written: %v", put)
	}
	if put, err := carry(good); err != nil || !slices.Equal(put, []string{"receipts/store-0142-1.json"}) {
		t.Errorf("written: %v, %v", put, err)
	}
	if put, err := carry(t.TempDir()); err != nil || len(put) != 0 {
		t.Errorf("written again: %v, %v", put, err)
	}
	if s.Medium(good, "") != good || s.Medium(s.journalPath(), s.journalPath()) != "" {
		t.Error("a folder is a medium, and a file on the site's own disk is on none")
	}
}
