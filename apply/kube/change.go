package kube

// Action is what happens, or would happen, to an object.
type Action string

const (
	// Created means that the object is new.
	Created Action = "created"
	// Configured means that the object changes.
	Configured Action = "configured"
	// Unchanged means that the object is as wanted already.
	Unchanged Action = "unchanged"
	// Recreated means that the object is deleted and created again, as its annotation allows.
	Recreated Action = "recreated"
	// Stopped means that the object left the release and was stopped, since it held what an object of the release needs; Note
	// says what.
	Stopped Action = "stopped"
	// Pruned means that the object left the release and is deleted.
	Pruned Action = "pruned"
	// Runs means that the object is a hook, which does its work on the way to the release; Note says when.
	Runs Action = "runs"
	// Kept means that the object left the release and stays; Note says why.
	Kept Action = "kept"
	// GivenUp means that the object left the release and stays for others, who need it; from now on it is not ours. Note
	// says why.
	GivenUp Action = "givenUp"
	// Leaving means that the object left the release and is still there, because its deletion is refused or hangs; Note says
	// who holds it.
	Leaving Action = "leaving"
	// Conflict means that the target refuses the object, or that it is not ours to change; Note says why.
	Conflict Action = "conflict"
)

// Change is what happens, or would happen, to one object.
type Change struct {
	ID
	Action Action `json:"action"`
	// Fields are the differences, one line each: spec.replicas: 2 -> 3. Secret values are masked.
	Fields []string `json:"fields,omitempty"`
	// Untried tells that the server cannot dry-run the object, so that only the trial shows what becomes of it.
	Untried bool `json:"untried,omitempty"`
	// OneWay says what of the change no rollback can undo; empty: nothing. Accepted tells that the release allows it.
	OneWay   string `json:"oneWay,omitempty"`
	Accepted bool   `json:"accepted,omitempty"`
	// Note is one sentence on what the action does not say by itself.
	Note string `json:"note,omitempty"`
}

// Objects are the Kubernetes objects of one release.
type Objects struct {
	Release string // the release's name
	YAML    []byte // a multi-document stream
	// OneWay are those of which a change that no rollback can undo is accepted, by kind, namespace and name.
	OneWay []ID
	// NoRoll leaves workloads running whose ConfigMaps or Secrets alone change.
	NoRoll bool
	// Hooks is the change of releases for which hooks run; nil: none runs.
	Hooks *Hooks
}

// ObjectStatus is the health of one object at one moment.
type ObjectStatus struct {
	ID
	Status  Status `json:"status"`
	Message string `json:"message,omitempty"`
	// Final tells that no later look can be better: the object has failed for good.
	Final bool `json:"final,omitempty"`
	// Note is what has to be said of the object even where it is current, such as a template that waits; one sentence.
	Note string `json:"note,omitempty"`
}

// Status is a word of kstatus.
type Status string

const (
	// Current means that the object is as it should be.
	Current Status = "current"
	// InProgress means that it is on its way.
	InProgress Status = "inProgress"
	// Failed means that by its own account it will not get there.
	Failed Status = "failed"
	// Terminating means that it is being deleted.
	Terminating Status = "terminating"
	// NotFound means that it is not there.
	NotFound Status = "notFound"
	// Unknown means that nobody tells.
	Unknown Status = "unknown"
)
