// Package apply is the site's one transaction: it takes a verified bundle and makes the release in it the one that
// runs, or leaves the site with the release it had.
//
// The transaction is a walk through phases, journalled in state.json before each begins:
//
//	idle -> verified -> loaded -> written -> armed -> trial -> good -> idle
//	                                           any failure: rolling back -> idle
//
// Until "armed" nothing that runs is touched. Every phase may be cut short at any instruction and is begun again by
// the same code: there is one table of phases (phases.go) and one loop that walks it, for a fresh run and for a run
// that takes up what a power cut left. Nothing is remembered that is not on disk, and a failed write of the journal
// ends the run. docs/state-machine.md tells, phase by phase, what is on disk and what a crash there does.
//
// [Site] has one method for each verb. Those that change anything hold the site's lock for as long as they run and
// first finish or undo what an earlier run left.
package apply
