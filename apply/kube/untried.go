package kube

import (
	"errors"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The words for "this cannot be dry-run", since there is no code for it: those of the API server about webhooks whose
// sideEffects are Some or Unknown (as an internal error in old versions), about its own dryRun, and those of aggregated
// API servers.
var notDryRun = regexp.MustCompile(`(?i)(not|n't) support (server-side )?dry[ -]?run` +
	`|dry[ -]?run.{0,40}(not (supported|allowed|implemented)|unsupported|disabled)`)

// noDryRun tells that the server cannot say what it would do: not that it refuses the object.
func noDryRun(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Status != metav1.StatusSuccess && notDryRun.MatchString(status.Status().Message)
}

// leaveUntried makes the item one whose dry run nobody can do, so that only the trial shows what becomes of it.
func (it *item) leaveUntried(err error) {
	it.untried = true
	it.change.Action, it.change.Untried = Created, true
	if it.live != nil {
		it.change.Action = Configured
	}
	note, _, _ := refusal(err)
	if note == "" {
		note = tidy(err.Error())
	}
	it.change.Note = strings.TrimPrefix(it.change.Note+"; it cannot be tried beforehand: "+note, "; ")
}
