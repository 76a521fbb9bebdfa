package kube

import (
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// podOf makes a pod of a specification and a status, unchanged for so long.
func podOf(t *testing.T, spec, status string, quiet time.Duration) pod {
	t.Helper()
	p := pod{quiet: quiet, timed: true}
	if err := yaml.Unmarshal([]byte("{metadata: {name: p}, spec: "+spec+", status: "+status+"}"), &p.Pod); err != nil {
		t.Fatal(err)
	}
	return p
}

const (
	plain     = "{containers: [{name: server}]}"
	ready     = "{containers: [{name: server, readinessProbe: {tcpSocket: {port: 80}}}]}"
	startup   = "{containers: [{name: server, startupProbe: {tcpSocket: {port: 80}}}]}"
	liveness  = "{containers: [{name: server, livenessProbe: {tcpSocket: {port: 80}}}]}"
	prepared  = "{containers: [{name: server}], initContainers: [{name: migrate}]}"
	sidecar   = "{containers: [{name: server, readinessProbe: {}}], initContainers: [{name: proxy, restartPolicy: Always}]}"
	runs      = "{name: server, ready: true, state: {running: {}}}"
	restarted = "{name: server, ready: true, restartCount: 3, state: {running: {}}, lastState: {terminated: {exitCode: 1, reason: Error}}}"
)

func TestUnsteady(t *testing.T) {
	statuses := func(containers string) string { return "{phase: Running, containerStatuses: [" + containers + "]}" }
	for _, tt := range []struct {
		name, spec, status string
		quiet              time.Duration
		want               string // empty: steady
	}{
		{"just started", plain, statuses(runs), time.Second, "pod p: container server has run for 1 s of 5"},
		{"started a while ago", plain, statuses(runs), 5 * time.Second, ""},
		{"just started, with a readiness probe", ready, statuses(runs), 0, ""},
		{"just started, with a startup probe", startup, statuses(runs), 0, ""},
		{"a liveness probe does not speak for it", liveness, statuses(runs), 0, "has run for 0 s of 5"},
		{"started again", plain, statuses(restarted), 6 * time.Second,
			"pod p: container server exited with status 1, 3 times; it runs again, for 6 s of 15"},
		{"started again, with a readiness probe", ready, statuses(restarted), 14 * time.Second, "for 14 s of 15"},
		{"started again and ran on", plain, statuses(restarted), 15 * time.Second, ""},
		{"started again, the node forgot why", plain, statuses("{name: server, ready: true, restartCount: 1, state: {running: {}}}"), 0,
			"container server exited, once; it runs again"},
		{"just ended", ready, statuses("{name: server, state: {terminated: {exitCode: 0, reason: Completed}}}"), 0,
			"container server exited with status 0, once"},
		{"init container that ended and the server just started", prepared,
			"{phase: Running, initContainerStatuses: [{name: migrate, restartCount: 2, state: {terminated: {exitCode: 0}}}], containerStatuses: [" + runs + "]}",
			9 * time.Second, ""},
		{"sidecar that just started", sidecar,
			"{phase: Running, initContainerStatuses: [{name: proxy, state: {running: {}}}], containerStatuses: [" + runs + "]}",
			time.Second, "container proxy has run for 1 s of 5"},
		{"pod that ended well", plain, "{phase: Succeeded, containerStatuses: [{name: server, state: {terminated: {exitCode: 0}}}]}", 0, ""},
		{"pod that was evicted", plain, "{phase: Failed, containerStatuses: [{name: server, state: {terminated: {exitCode: 137}}}]}", 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := unsteady([]pod{podOf(t, tt.spec, tt.status, tt.quiet)})
			if got == "" != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	p := podOf(t, plain, statuses(runs), 0)
	p.timed = false
	if got := unsteady([]pod{p}); got != "" {
		t.Errorf("without times: got %q, want Kubernetes' word taken", got)
	}
	p = podOf(t, plain, statuses("{name: server, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 2}}}"), 0)
	p.timed = false
	if got := unsteady([]pod{p}); !strings.Contains(got, "exited with status 2, once") {
		t.Errorf("a crash without times: got %q", got)
	}
}

func TestWorst(t *testing.T) {
	for _, tt := range []struct{ name, spec, status, want string }{
		{"begins", plain, "{containerStatuses: [{name: server, state: {waiting: {reason: ContainerCreating}}}]}", ""},
		{"runs", plain, "{containerStatuses: [" + runs + "]}", ""},
		{"no image", plain, "{containerStatuses: [{name: server, state: {waiting: {reason: ImagePullBackOff, message: \"not\\nfound\"}}}]}",
			"pod p: container server: ImagePullBackOff: not found"},
		{"no image after a crash", plain,
			"{containerStatuses: [{name: server, restartCount: 1, state: {waiting: {reason: ErrImagePull}}, lastState: {terminated: {exitCode: 1}}}]}",
			"pod p: container server: ErrImagePull"},
		{"crash loop", plain,
			"{containerStatuses: [{name: server, restartCount: 2, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 1, reason: Error}}}]}",
			"pod p: container server exited with status 1, 3 times"},
		{"crash loop with last words", plain,
			"{containerStatuses: [{name: server, restartCount: 2, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 1, message: \"trace\\nno \\x1bbed\\n\"}}}]}",
			`pod p: container server exited with status 1, 3 times: no \x1bbed`},
		{"out of memory", plain, "{containerStatuses: [{name: server, state: {terminated: {exitCode: 137, reason: OOMKilled}}}]}",
			"pod p: container server exited with status 137, once: OOMKilled"},
		{"runs again", ready, "{containerStatuses: [{name: server, restartCount: 2, state: {running: {}}, lastState: {terminated: {exitCode: 1}}}]}",
			"pod p: container server exited with status 1, 2 times; it runs again and is not ready"},
		{"init container fails", prepared,
			"{initContainerStatuses: [{name: migrate, restartCount: 1, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 3}}}]}",
			"pod p: container migrate exited with status 3, 2 times"},
		{"init container is done", prepared, "{initContainerStatuses: [{name: migrate, state: {terminated: {exitCode: 0}}}]}", ""},
		{"cannot be placed", plain, "{conditions: [{type: PodScheduled, status: 'False', message: no room}]}", "pod p: it cannot be placed: no room"},
		{"evicted", plain, "{phase: Failed, containerStatuses: [{name: server, state: {terminated: {exitCode: 137}}}]}", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := worst([]pod{podOf(t, tt.spec, tt.status, 0)}, false); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	evicted := podOf(t, plain, "{phase: Failed, containerStatuses: [{name: server, state: {terminated: {exitCode: 1}}}]}", 0)
	if got := worst([]pod{evicted}, true); got != "pod p: container server exited with status 1, once" {
		t.Errorf("a job's pod that failed: got %q", got)
	}
}
