package apply

import (
	"github.com/sallyport-dev/sallyport/apply/check"
	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/bundle"
)

// What came of a verb.
const (
	ResultCommitted  = "committed"  // the release runs and has passed its checks
	ResultArmed      = "armed"      // the release will be on trial after a reboot
	ResultStaged     = "staged"     // the release is ready; nothing that runs has changed
	ResultRolledBack = "rolledBack" // the previous release runs again
	ResultNothing    = "nothing"    // there was nothing to do
	ResultRecovered  = "recovered"  // the release that ran is whole again

	resultRepaired    = "repaired"    // of a repair of what differed on the target
	resultFailed      = "failed"      // of an attempt that changed nothing
	resultInterrupted = "interrupted" // of an attempt that a power cut or a person ended
	resultPerson      = "needsPerson" // of an attempt that could not be undone
)

// AttemptResults are what an attempt may have come to.
var AttemptResults = []string{ResultCommitted, ResultStaged, ResultRolledBack, ResultRecovered, resultRepaired, resultFailed,
	resultInterrupted, resultPerson}

// Result is what a verb did, as scripts see it.
type Result struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Result     string `json:"result"`
	// Why tells what an unattended pass waits for: locked, frozen, window, held, backoff, copying, link or clock; empty if for nothing.
	Why      string         `json:"why,omitempty"`
	Phase    Phase          `json:"phase"`
	Release  *Release       `json:"release"`          // the release that the verb was about
	Previous *Release       `json:"previous"`         // what can be rolled back to
	Mended   []string       `json:"mended,omitempty"` // what was damaged here and was brought back
	Checks   []check.Result `json:"checks"`
	Bytes    Bytes          `json:"bytes"`
	Seconds  float64        `json:"seconds"`
	// Left are objects that are not as the release that runs has them, Leaving those that should be gone and are not.
	Left    []Left `json:"left,omitempty"`
	Leaving []Left `json:"leaving,omitempty"`
	// Proved is what a recovery read again when all was done, and found good.
	Proved []string `json:"proved,omitempty"`
	// Drift is what differs on the target from the release that runs.
	Drift []kube.Difference `json:"drift,omitempty"`
}

// Bytes tells what a load cost.
type Bytes struct {
	Read   int64 `json:"read"`   // of the bundle
	Pushed int64 `json:"pushed"` // to the mirror
	Reused int64 `json:"reused"` // of blobs that the mirror had
	// Written, Zeroed and Skipped are of parts of an operating system: what was written to its places, what a device was told to
	// make zeros, and what was there already.
	Written int64 `json:"written,omitempty"`
	Zeroed  int64 `json:"zeroed,omitempty"`
	Skipped int64 `json:"skipped,omitempty"`
}

func newResult(what string, j *journal, about *Release) *Result {
	return &Result{APIVersion: bundle.APIVersion, Kind: "Result", Result: what, Phase: j.Phase, Release: about,
		Previous: j.Previous, Checks: []check.Result{}, Left: j.Left, Leaving: stuckAmong(j.Leaving)}
}
