package kube

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	// steadyAfter is how long a container must have run to count as healthy if no readiness or startup probe speaks
	// for it: Kubernetes calls it ready as soon as it has started, be it only to exit.
	steadyAfter = 5 * time.Second
	// steadyAgain is the same for a container that has ended before, with a probe or without. It is longer, because
	// such a container has shown that it can begin well and end badly.
	steadyAgain = 15 * time.Second
)

// unsteady says why pods that Kubernetes calls ready may not be relied on yet; empty if they may. If the server does
// not tell times that make sense, Kubernetes' word is taken: to wait for them could be to wait for ever.
func unsteady(pods []pod) string {
	for i := range pods {
		p := &pods[i]
		if p.finished() {
			continue
		}
		if s := trouble(p); s != "" {
			return describe("pod %s: %s", p.Name, s)
		}
		for _, cs := range p.running() {
			if wait := p.patience(cs); p.timed && p.quiet < wait {
				return describe("pod %s: %s", p.Name, p.since(cs, wait))
			}
		}
	}
	return ""
}

// running are the containers that are to run for as long as the pod, and run now.
func (p *pod) running() []corev1.ContainerStatus {
	all := slices.Concat(p.Status.ContainerStatuses, p.Status.InitContainerStatuses)
	return slices.DeleteFunc(all, func(cs corev1.ContainerStatus) bool {
		return cs.State.Running == nil || p.passing(cs.Name)
	})
}

// passing tells whether a container is an init container that is meant to end.
func (p *pod) passing(name string) bool {
	return slices.ContainsFunc(p.Spec.InitContainers, func(c corev1.Container) bool {
		return c.Name == name && (c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways)
	})
}

// patience is how long the container must have run.
func (p *pod) patience(cs corev1.ContainerStatus) time.Duration {
	if cs.RestartCount > 0 {
		return steadyAgain
	}
	for _, c := range slices.Concat(p.Spec.Containers, p.Spec.InitContainers) {
		if c.Name == cs.Name && (c.ReadinessProbe != nil || c.StartupProbe != nil) {
			return 0
		}
	}
	return steadyAfter
}

// since says how long a container has run, and what came before.
func (p *pod) since(cs corev1.ContainerStatus, wait time.Duration) string {
	runs := fmt.Sprintf("container %s has run for %.0f s of %.0f", cs.Name, p.quiet.Seconds(), wait.Seconds())
	if cs.RestartCount == 0 {
		return runs
	}
	return exits(cs, cs.LastTerminationState.Terminated, cs.RestartCount) + fmt.Sprintf("; it runs again, for %.0f s of %.0f",
		p.quiet.Seconds(), wait.Seconds())
}

// worst says what keeps pods from being ready: an image that cannot be pulled, a container that crashes. The newest
// come first, because they are those of the release on trial.
func worst(pods []pod, finished bool) string {
	for i := range pods {
		p := &pods[i]
		if p.finished() && !finished {
			continue // a workload replaces such pods, and nobody removes them at once
		}
		if s := trouble(p); s != "" {
			return describe("pod %s: %s", p.Name, s)
		}
	}
	return ""
}

// trouble says what is wrong with one pod; empty if nothing is, or if it only begins.
func trouble(p *pod) string {
	for _, cs := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		last := cs.LastTerminationState.Terminated
		switch w, t := cs.State.Waiting, cs.State.Terminated; {
		case w != nil && last != nil && (begins(w) || w.Reason == "CrashLoopBackOff"):
			return exits(cs, last, cs.RestartCount+1)
		case w != nil && !begins(w):
			return strings.TrimSuffix(fmt.Sprintf("container %s: %s: %s", cs.Name, w.Reason, w.Message), ": ")
		case t != nil && (t.ExitCode != 0 || p.restarts(cs.Name)):
			return exits(cs, t, cs.RestartCount+1)
		case cs.State.Running != nil && cs.RestartCount > 0 && !cs.Ready:
			return exits(cs, last, cs.RestartCount) + "; it runs again and is not ready"
		}
	}
	for _, cond := range p.Status.Conditions {
		if cond.Type == corev1.PodScheduled && cond.Status == corev1.ConditionFalse {
			return "it cannot be placed: " + cond.Message
		}
	}
	return ""
}

// begins tells whether a container waits only for its turn.
func begins(w *corev1.ContainerStateWaiting) bool {
	return w.Reason == "" || w.Reason == "ContainerCreating" || w.Reason == "PodInitializing"
}

// restarts tells whether a container is started again however it ends.
func (p *pod) restarts(name string) bool {
	return !p.passing(name) && (p.Spec.RestartPolicy == "" || p.Spec.RestartPolicy == corev1.RestartPolicyAlways)
}

// exits says how a container ended, how many times it has, and its last words. last is nil if the node has forgotten.
func exits(cs corev1.ContainerStatus, last *corev1.ContainerStateTerminated, n int32) string {
	s := fmt.Sprintf("container %s exited", cs.Name)
	if last != nil {
		s += fmt.Sprintf(" with status %d", last.ExitCode)
	}
	if n == 1 {
		s += ", once"
	} else {
		s += fmt.Sprintf(", %d times", n)
	}
	if words := lastWords(last); words != "" {
		s += ": " + words
	}
	return s
}

// lastWords are the end of a container's termination message, or else why the node ended it.
func lastWords(t *corev1.ContainerStateTerminated) string {
	if t == nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(t.Message), "\n")
	if s := tidy(lines[len(lines)-1]); s != "" {
		return s
	}
	if t.Reason == "Error" || t.Reason == "Completed" {
		return "" // the status says as much
	}
	return t.Reason
}
