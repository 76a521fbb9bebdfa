package apply

import (
	"time"

	"github.com/sallyport-dev/sallyport/bundle"
)

// retries remembers what failed in unattended passes without anybody being to blame for good, and when it is tried again. A
// release is remembered by what it is, a bundle that could not be read by its name.
type retries struct {
	APIVersion string           `json:"apiVersion"`
	Kind       string           `json:"kind"`
	Failed     map[string]retry `json:"failed"`
}

// retry is what failed, how often, and when last.
type retry struct {
	Count int       `json:"count"`
	Last  time.Time `json:"last"`
	// ID is that of the file that failed; empty of a release.
	ID string `json:"id,omitempty"`
	// Trials is how often it was a trial that failed, which disturbs those who use the site.
	Trials int `json:"trials,omitempty"`
}

const (
	retriesKind = "Retries"
	maxRetries  = 256
	// maxTrials is how often a release is put on trial by itself that others were to blame for.
	maxTrials  = 3
	firstWait  = time.Minute
	longWait   = time.Hour
	brokenWait = 24 * time.Hour
)

func (s *Site) retriesPath() string { return s.path("retries.json") }

// wait is how long it is left alone after so many failures: 1, 2, 4 … 60 minutes.
func (r retry) wait() time.Duration {
	return min(firstWait<<min(max(r.Count-1, 0), 10), longWait)
}

// loadRetries reads what failed. A file that tells nothing is empty. What failed later than now, by a clock that was ahead, failed now.
func (u *unattended) loadRetries() {
	u.failed = retries{bundle.APIVersion, retriesKind, map[string]retry{}}
	var before retries
	if err := loadSmall(u.retriesPath(), &before); err != nil {
		return
	}
	ahead := false
	for key, r := range before.Failed {
		if now := u.deps.Now().UTC(); r.Last.After(now) {
			r.Last, ahead = now, true
		}
		u.failed.Failed[key] = r
	}
	if ahead {
		u.saveRetries()
	}
}

// saveRetries writes what failed. Where that cannot be done it is tried again too early, and no more.
func (u *unattended) saveRetries() {
	for len(u.failed.Failed) > maxRetries {
		oldest := ""
		for key, r := range u.failed.Failed {
			if oldest == "" || r.Last.Before(u.failed.Failed[oldest].Last) {
				oldest = key
			}
		}
		delete(u.failed.Failed, oldest)
	}
	if err := u.saveSmall(u.retriesPath(), verbRun, u.failed); err != nil {
		u.say("note", "%s", oneLine(err.Error()))
	}
}

// later tells whether it is too early to try again what is remembered by a key. A file that failed is tried again once it has
// changed; one that has changed and failed several times is still being written to, and waits longer each time.
func (u *unattended) later(key, id string) bool {
	r, ok := u.failed.Failed[key]
	if !ok {
		return false
	}
	wait := r.wait()
	switch {
	case id != "" && r.ID == id:
		wait = brokenWait
	case id != "" && r.Count == 1:
		return false
	}
	return u.deps.Now().Before(r.Last.Add(wait))
}

// givenUp tells whether a release has failed too many trials to be tried by itself.
func (u *unattended) givenUp(r Release) bool {
	return u.failed.Failed[r.tried().String()].Trials >= maxTrials
}

// failedNow remembers a failure.
func (u *unattended) failedNow(key, id string, trial bool) {
	r := u.failed.Failed[key]
	r.Count, r.Last, r.ID = r.Count+1, u.deps.Now().UTC(), id
	if trial {
		r.Trials++
	}
	u.failed.Failed[key] = r
	u.saveRetries()
}

// wellNow forgets a failure.
func (u *unattended) wellNow(key string) {
	if _, ok := u.failed.Failed[key]; ok {
		delete(u.failed.Failed, key)
		u.saveRetries()
	}
}
