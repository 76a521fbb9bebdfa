package kube

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// unusable is the reason of a target that somebody has to mend first.
const unusable = "unusable"

// TargetError tells that the target did not do what it was asked.
type TargetError struct {
	Target string // the server's URL or the folder
	Doing  string // "apply Deployment a/b"
	Err    error
	Advice string
	// Word is the reason if the target cannot be had as things are, whoever waits: "unusable" until somebody mends what is
	// named, "room" until there is some. Empty: the target is out of order, and another try may do better.
	Word string
}

// Error says what could not be done, and where.
func (e *TargetError) Error() string {
	return fmt.Sprintf("%s cannot %s: %v", e.Target, e.Doing, e.Err)
}

// Unwrap returns the cause.
func (e *TargetError) Unwrap() error { return e.Err }

// Reason is the stable word for scripts.
func (e *TargetError) Reason() string { return cmp.Or(e.Word, "target") }

// Away tells that the target could not be asked, and may be back by itself.
func (e *TargetError) Away() bool { return e.Word == "" && isAway(e.Err) }

// Hint says what to do next.
func (e *TargetError) Hint() string { return e.Advice }

// RefusedError tells that the target refuses objects of the release. Nothing of the stage that they belong to was
// changed.
type RefusedError struct {
	Target  string
	Refused []Change // with Action Conflict
}

// Error names each object, the first few with their reasons.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s refuses %s", e.Target, listed(e.Refused, func(c Change) string { return c.Note }))
}

// listed says how many objects there are, and of the first few what why tells of them.
func listed(changes []Change, why func(Change) string) string {
	const most = 5
	var b strings.Builder
	b.WriteString(plural(len(changes), "object"))
	for i, c := range changes {
		if i == most {
			fmt.Fprintf(&b, "; and %d more", len(changes)-most)
			break
		}
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		fmt.Fprintf(&b, "%s%s: %s", sep, c.ID, why(c))
	}
	return b.String()
}

// Reason is the stable word for scripts.
func (e *RefusedError) Reason() string {
	if e.lacksRights() {
		return unusable
	}
	return "refused"
}

func (e *RefusedError) lacksRights() bool {
	return slices.ContainsFunc(e.Refused, func(c Change) bool { return lacksRight(c.Note) })
}

// Hint says what to do next, about the refusal that has the clearest way out.
func (e *RefusedError) Hint() string {
	if e.lacksRights() {
		var notes []string
		for _, c := range e.Refused {
			notes = append(notes, c.Note)
		}
		return rightsAdvice(notes)
	}
	for _, advice := range []func(Change) string{ownerAdvice, changeAdvice, kindAdvice} {
		for _, c := range e.Refused {
			if s := advice(c); s != "" {
				return s
			}
		}
	}
	return "nothing has changed; have these objects corrected where the release is made, or the rule of the cluster that they break"
}

// What begins the notes of refusals for which there is a way out.
const (
	foreignNote = "it belongs to the release "
	unknownNote = "the cluster does not know this kind and version"
)

func ownerAdvice(c Change) string {
	owner, ok := strings.CutPrefix(c.Note, foreignNote)
	if !ok {
		return ""
	}
	where := ""
	if c.Namespace != "" {
		where = " -n " + c.Namespace
	}
	return fmt.Sprintf("take %s out of this release or out of %s; if %s is no longer used here, give the object up for it: kubectl label %s %s%s %s-",
		c, owner, owner, strings.ToLower(c.Kind), c.Name, where, OwnerLabel)
}

func kindAdvice(c Change) string {
	if !strings.HasPrefix(c.Note, unknownNote) {
		return ""
	}
	return fmt.Sprintf("put the CustomResourceDefinition of %s into the release, or install what serves it first", c.gvk())
}

func changeAdvice(c Change) string {
	if !strings.Contains(c.Note, "cannot be changed") {
		return ""
	}
	return "give " + c.String() + " another name, or annotate it " + ForceAnnotation + ": enabled to have it deleted and created again"
}

// ManifestError tells that the release's objects cannot be read.
type ManifestError struct {
	Err error
}

// Error says what is wrong with them.
func (e *ManifestError) Error() string { return "the release's manifests: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ManifestError) Unwrap() error { return e.Err }

// Reason is the stable word for scripts.
func (e *ManifestError) Reason() string { return "manifest" }

// UnhealthyError tells which objects are not as they should be.
type UnhealthyError struct {
	Total     int
	Unhealthy []ObjectStatus
}

// Error names the first few with their messages, those that have failed before the others.
func (e *UnhealthyError) Error() string {
	const most = 3
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %s not ready", len(e.Unhealthy), plural(e.Total, "object"))
	for i, s := range e.Unhealthy {
		if i == most {
			fmt.Fprintf(&b, "; and %d more", len(e.Unhealthy)-most)
			break
		}
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		fmt.Fprintf(&b, "%s%s: %s", sep, s.ID, s.Message)
	}
	return b.String()
}

// Final tells that no later look can be better: an object that counts has failed for good.
func (e *UnhealthyError) Final() bool {
	return slices.ContainsFunc(e.Unhealthy, func(s ObjectStatus) bool { return s.Final })
}

// Permanent tells that no later look can be better: the target does not tell health at all.
func (e *UnhealthyError) Permanent() bool { return e.Unhealthy[0].Status == Unknown }

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
