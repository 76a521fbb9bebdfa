package apply

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/check"
	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

func sampleRelease(version string, sequence uint64, s slot.Name) *Release {
	return &Release{Name: "store-platform", Version: version, Sequence: sequence, Digest: digest.FromString(version),
		Identity: digest.FromString(version + " as such"), Slot: s}
}

// sampleJournal is in the middle of a trial.
func sampleJournal() *journal {
	j := newJournal()
	j.Phase, j.Transaction, j.Attempts = Trial, 7, 1
	j.Name, j.Names = "store-platform", map[string]line{"store-platform": {RollbackIndex: 2, Newest: digest.FromString("2.0.0 as such")}}
	j.Current, j.Trial = sampleRelease("2.0.0", 2, slot.A), sampleRelease("3.0.0", 3, slot.B)
	j.Attempt = &Attempt{Transaction: 7, Release: *j.Trial, Verb: verbApply, Began: noon, Signers: []string{"release"}}
	last := Attempt{Transaction: 6, Release: *j.Current, Verb: verbApply, Result: ResultCommitted, Began: noon, Ended: noon,
		Checks: []check.Result{{Name: "sample", Kind: "http", Verdict: check.Pass, Required: true}}}
	j.LastAttempted = &last
	j.Live = kube.NewInventory(kube.ID{Version: "v1", Kind: "ConfigMap", Namespace: "shop", Name: "a"})
	j.Bad = []digest.Digest{digest.FromString("bad")}
	return j
}

func TestJournalComesBackAsItWas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	for name, j := range map[string]*journal{"new": newJournal(), "trial": sampleJournal()} {
		if err := j.save(durable.Disk{}, path); err != nil {
			t.Fatal(err)
		}
		got, err := loadJournal(path)
		if err != nil {
			t.Fatal(err)
		}
		want, err := j.marshal()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := got.marshal(); err != nil || !bytes.Equal(again, want) {
			t.Errorf("%s: came back as %s (%v), was %s", name, again, err, want)
		}
	}
}

func TestMissingJournalIsANewSite(t *testing.T) {
	j, err := loadJournal(filepath.Join(t.TempDir(), "state.json"))
	if err != nil || j.Phase != Idle || j.Current != nil {
		t.Errorf("journal %+v, error %v", j, err)
	}
}

func TestDamagedJournalNeedsAPerson(t *testing.T) {
	whole, err := sampleJournal().marshal()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"empty":       "",
		"torn":        string(whole[:len(whole)/2]),
		"other field": strings.Replace(string(whole), `"phase"`, `"fase"`, 1),
		"other form":  strings.Replace(string(whole), "\n ", "\n  ", 1),
		"two":         string(whole) + string(whole),
		"phase":       strings.Replace(string(whole), `"phase": "trial"`, `"phase": "idle"`, 1),
		"no phase":    strings.Replace(string(whole), `"phase": "trial"`, `"phase": "lost"`, 1),
		"slot":        strings.Replace(string(whole), `"slot": "b"`, `"slot": "a"`, 2),
		"index":       strings.Replace(string(whole), `"rollbackIndex": 2`, `"rollbackIndex": 1`, 1),
		"newer":       strings.Replace(string(whole), "sallyport.dev/v1", "sallyport.dev/v2", 1),
	} {
		if data == string(whole) {
			t.Fatalf("%s: nothing was changed", name)
		}
		path := filepath.Join(t.TempDir(), "state.json")
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := loadJournal(path); reasonOf(err) != "person" || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

func TestUnsoundJournalIsNotWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	j := sampleJournal()
	j.Trial = nil
	if err := j.save(durable.Disk{}, path); err == nil {
		t.Error("a trial of nothing was written")
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("there is a file")
	}
}

func TestBadReleasesAreBounded(t *testing.T) {
	j := newJournal()
	for i := range 2 * maxBad {
		j.markBad(*sampleRelease(fmt.Sprintf("1.0.%d", i), 1, slot.A))
	}
	newest := *sampleRelease(fmt.Sprintf("1.0.%d", 2*maxBad-1), 1, slot.A)
	j.markBad(newest)
	if len(j.Bad) != maxBad || j.Bad[maxBad-1] != newest.Identity {
		t.Errorf("%d are remembered, the newest is %s", len(j.Bad), j.Bad[len(j.Bad)-1])
	}
}

func FuzzJournal(f *testing.F) {
	for _, j := range []*journal{newJournal(), sampleJournal()} {
		b, err := j.marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		j, err := parseJournal(data)
		if err != nil {
			return
		}
		again, err := j.marshal()
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("%q came back as %q (%v)", data, again, err)
		}
	})
}

func TestHistoryDropsWhatCannotBeRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.jsonl")
	first := *sampleJournal().LastAttempted
	for i := range uint64(3) {
		a := first
		a.Transaction += i
		for range 2 { // told twice, written once
			if err := appendHistory(durable.Disk{}, path, a); err != nil {
				t.Fatal(err)
			}
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(data, []byte{'\n'})
	damaged := bytes.Join([][]byte{lines[0], []byte("garbage\n"), lines[2], []byte(`{"torn`)}, nil)
	if err := os.WriteFile(path, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	attempts, bad, err := readHistory(path)
	if err != nil || len(attempts) != 2 || bad != 1 {
		t.Fatalf("%d attempts, %d damaged, error %v", len(attempts), bad, err)
	}
	if attempts[0].Transaction != 6 || attempts[1].Transaction != 8 {
		t.Errorf("attempts are %+v", attempts)
	}
}

func TestHistoryIsReadFromItsEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.jsonl")
	a := *sampleJournal().LastAttempted
	a.Reason = strings.Repeat("x", 1<<16)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	const lines = maxHistory/(1<<16) + 20
	for i := range uint64(lines) {
		a.Transaction = i + 1
		b, err := marshalLine(a)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	attempts, damaged, err := readHistory(path)
	if err != nil || damaged != 0 || len(attempts) == 0 || len(attempts) >= lines {
		t.Fatalf("%d attempts, %d damaged, error %v", len(attempts), damaged, err)
	}
	if last := attempts[len(attempts)-1].Transaction; last != lines {
		t.Errorf("the last one is %d", last)
	}
}

func FuzzHistory(f *testing.F) {
	b, err := marshalLine(*sampleJournal().LastAttempted)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("garbage\n{\"transaction\":1}\ntorn"))
	f.Fuzz(func(t *testing.T, data []byte) {
		attempts, damaged := parseHistory(data)
		if lines := bytes.Count(data, []byte{'\n'}); len(attempts)+damaged != lines {
			t.Errorf("%d attempts and %d damaged of %d lines", len(attempts), damaged, lines)
		}
		for _, a := range attempts {
			if a.Transaction == 0 || a.Result == "" || a.Release.check() != nil {
				t.Errorf("accepted %+v", a)
			}
		}
	})
}

func marshalLine(a Attempt) ([]byte, error) {
	b, err := json.Marshal(a)
	return append(b, '\n'), err
}

// A journal that is gone takes the rollback index with it; the history has it too, and what ran.
func TestLostJournalKeepsTheRollbackIndex(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	s.must(r.two)
	if err := os.Remove(s.journalPath()); err != nil {
		t.Fatal(err)
	}
	if st := s.status(); st.RollbackIndex != 2 || st.Current.Version != "2.0.0" || st.Previous.Version != "1.0.0" {
		t.Errorf("status is %+v", st)
	}
	if _, err := s.apply(r.one); reasonOf(err) != "sequence" {
		t.Errorf("an older release: %v", err)
	}
	s.must(r.two)
	if p := s.problem(&r.two); p != "" {
		t.Error(p)
	}
	if res := s.must(r.four); res.Previous.Version != "2.0.0" {
		t.Errorf("result is %+v", res)
	}
	if h, err := s.History(); err != nil || len(h.Attempts) != 3 || h.Attempts[2].Transaction != 3 {
		t.Errorf("history is %+v, %v", h, err)
	}
}
