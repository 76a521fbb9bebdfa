// Package check decides a trial: it runs a release's checks, and those of the site, one after the other.
//
// A check is measured until it has given Count good answers (pass), more bad ones than FailureLimit (fail), or until
// its Timeout is over (fail). The first failed check that is required ends the run, because every further second
// delays the rollback; the checks behind it are reported as skipped. A failed check that is not required is reported
// and forgiven.
//
// Two outcomes are kept apart from a failure: verdict "error" for a check that could never be measured (a program that
// does not exist, a target that tells no health), which counts as a failure of the trial, and an ended context, which
// is no verdict at all: Run then returns the context's error and the trial stays undecided.
package check
