package report

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/receipt"
)

// entry is what is kept of a receipt.
type entry struct {
	number   uint64
	previous digest.Digest // empty of the first one
	digest   digest.Digest
	site     string
	file     string
}

// told is what the newest statement of a site says of it.
type told struct {
	labels   map[string]string
	standing receipt.Standing
	clock    receipt.Clock
	merged   []receipt.Merged
	made     time.Time
	number   uint64 // of the newest receipt then
	after    bool   // it was told after that receipt, which may be of the same instant
}

// attempt is the newest attempt.
type attempt struct {
	verb, result, reason string
	ended                time.Time
	number               uint64
}

// voice is what is told under one key of a site. Within it later numbers are newer, whatever the clock said.
type voice struct {
	first time.Time // when the key was enrolled or first told of
	now   told
	last  attempt
}

// account is what the statements of one site add up to.
type account struct {
	name     string
	voices   map[string]*voice // by key
	seen     time.Time
	applied  time.Time
	receipts int
	failed   int
	bytes    receipt.Bytes
}

// voice is that of a key, which told of itself at some time.
func (a *account) voice(key string, at time.Time) *voice {
	v := a.voices[key]
	if v == nil {
		v = &voice{first: at}
		a.voices[key] = v
	}
	if at.Before(v.first) {
		v.first = at
	}
	if at.After(a.seen) {
		a.seen = at
	}
	return v
}

// newest is the voice that has spoken last.
func (a *account) newest() (last *voice) {
	for _, key := range a.keys() {
		if v := a.voices[key]; last == nil || v.now.made.After(last.now.made) {
			last = v
		}
	}
	return last
}

// keys are those of the site, the earliest first.
func (a *account) keys() []string {
	keys := slices.Sorted(maps.Keys(a.voices))
	slices.SortStableFunc(keys, func(x, y string) int { return a.voices[x].first.Compare(a.voices[y].first) })
	return keys
}

func (a *account) present(key string, p *receipt.Presence) {
	n := told{p.Site.Labels, p.Standing, p.Clock, p.Merged, p.Made, 0, true}
	if p.Last != nil {
		n.number = p.Last.Number
	}
	a.voice(key, p.Made).newer(n)
}

// newer keeps what was said last.
func (v *voice) newer(n told) {
	if v.now.made.IsZero() || n.number > v.now.number ||
		n.number == v.now.number && (n.made.After(v.now.made) || n.made.Equal(v.now.made) && n.after) {
		v.now = n
	}
}

func (a *account) receipt(key string, st *receipt.Statement) *entry {
	r := st.Receipt
	v := a.voice(key, r.Made)
	v.newer(told{r.Site.Labels, r.Standing, r.Clock, r.Merged, r.Made, r.Number, false})
	if v.last.number < r.Number || v.last.number == r.Number && r.Ended.After(v.last.ended) {
		v.last = attempt{r.Verb, r.Result, r.Reason, r.Ended, r.Number}
	}
	a.receipts++
	if failure(r.Verb, r.Result, r.Reason) {
		a.failed++
	}
	if r.Result == "committed" && r.Ended.After(a.applied) {
		a.applied = r.Ended
	}
	a.bytes = add(a.bytes, r.Bytes)
	e := &entry{number: r.Number, digest: st.Digest, site: a.name}
	if r.Previous != nil {
		e.previous = r.Previous.Digest
	}
	return e
}

// failure tells whether an attempt was one that did not succeed. A rollback that somebody asked for is none.
func failure(verb, result, reason string) bool {
	switch result {
	case "failed", "needsPerson":
		return true
	case "rolledBack":
		return verb != "rollback" || reason != ""
	}
	return false
}

// state says how the site is, and why.
func (a *account) state(o Options) (state, why string) {
	v := a.newest()
	st, last, age := v.now.standing, v.last, o.Now.Sub(a.seen)
	switch {
	case st.Person != "":
		return StatePerson, st.Person
	case last.result == "needsPerson":
		return StatePerson, last.reason
	case failure(last.verb, last.result, last.reason):
		return StateFailed, last.reason
	case age >= o.OfflineAfter:
		return StateOffline, fmt.Sprintf("nothing was heard for %d days", int(age.Hours()/24))
	case st.Held != "":
		return StateHeld, st.Held
	case st.Staged != nil && st.NextWindow != nil:
		return StateNotDue, fmt.Sprintf("%s %s is staged, the window opens %s", st.Staged.Name, st.Staged.Version, st.NextWindow.UTC().Format(time.RFC3339))
	case st.Staged != nil:
		return StateNotDue, fmt.Sprintf("%s %s is staged", st.Staged.Name, st.Staged.Version)
	}
	return StateOK, ""
}

// count adds up the receipts that the site holds no more.
func (t told) count() (n uint64) {
	for _, m := range t.merged {
		n += m.Count
	}
	return n
}

func (a *account) site(o Options) Site {
	v := a.newest()
	n, st := v.now, v.now.standing
	s := Site{Name: a.name, Labels: n.labels, Region: n.labels["region"], Ring: n.labels["ring"], Runs: st.Runs, Staged: st.Staged,
		Seen: a.seen, Applied: a.applied, Attempted: v.last.ended, ClockTrusted: n.clock.Trusted, Result: v.last.result,
		NextWindow: st.NextWindow, Drift: st.Drift, Mirror: st.Mirror, Receipts: a.receipts, Failed: a.failed, Merged: n.count(),
		Bytes: a.bytes, Keys: a.keys(), Apart: []string{}}
	if s.Labels == nil {
		s.Labels = map[string]string{}
	}
	s.State, s.Why = a.state(o)
	return s
}
