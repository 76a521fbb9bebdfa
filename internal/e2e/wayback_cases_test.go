//go:build e2e

package e2e

import (
	_ "embed"
	"time"
)

var (
	//go:embed testdata/mixed-old.yaml
	mixedOld string
	//go:embed testdata/mixed-new.yaml
	mixedNew string
)

const (
	namespaceYAML = "apiVersion: v1\nkind: Namespace\nmetadata: {name: $ns}\n"
	podImages     = "get pods --sort-by=.metadata.name -o jsonpath={.items[*].spec.containers[*].image}"
)

// wayBacks are the cases, each with the public report that it comes from, if there is one.
func wayBacks() []wayBack {
	return []wayBack{
		mixed(),
		immutable(),
		orderedStatefulSet(),
		recreate(),
		recreateSwapped(),
		renamedDaemonSet(),
		onlySettings(),
		namespaceLeaves(),
		deadConversion(),
		jobFails(),
		jobTakesTooLong(),
		noPodAllowed(),
	}
}

// workload is one whose pods have one container.
func workload(kind, name, spec, container string) string {
	return "---\napiVersion: apps/v1\nkind: " + kind + "\nmetadata: {name: " + name + ", namespace: $ns}\nspec:\n" +
		"  selector: {matchLabels: {app: " + name + "}}\n" + spec +
		"  template:\n    metadata: {labels: {app: " + name + "}}\n    spec: {terminationGracePeriodSeconds: 1, containers: [{" + container + "}]}\n"
}

// immutable: the failed release has made a ConfigMap immutable, which no write takes back.
func immutable() wayBack {
	settings := func(version, seal string) string {
		return "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: $ns}\ndata: {version: \"" + version + "\"}\n" + seal
	}
	oneWay := "oneWay: [{kind: ConfigMap, namespace: $ns, name: settings}]"
	return wayBack{name: "immutable", releases: []arrival{
		{manifests: namespaceYAML + settings("1", "") + workload("Deployment", "web", "", "$well")},
		{manifests: namespaceYAML + settings("2", "immutable: true\n") + workload("Deployment", "web", "", "$crash"), spec: oneWay, exit: 5},
		{manifests: namespaceYAML + settings("2", "immutable: true\n") + workload("Deployment", "web", "", "$better"), spec: oneWay},
	}}
}

// orderedStatefulSet is kubernetes#60164: it waits for its broken Pod before it replaces it.
func orderedStatefulSet() wayBack {
	return wayBack{
		name:  "ordered",
		keeps: []string{"get pod store-0 -o jsonpath={.metadata.uid}", podImages},
		releases: []arrival{
			{manifests: namespaceYAML + workload("StatefulSet", "store", "  replicas: 2\n  minReadySeconds: 2\n", "$well")},
			{manifests: namespaceYAML + workload("StatefulSet", "store", "  replicas: 2\n  minReadySeconds: 2\n", "$crash"), exit: 5, says: []string{"store-1"}},
		},
	}
}

// renamedDaemonSet is timoni#622: the new workload needs the old one's host port, which a prune after the checks would free.
func renamedDaemonSet() wayBack {
	edge := func(name, container string) string {
		return namespaceYAML + workload("DaemonSet", name, "", container+", ports: [{containerPort: 8080, hostPort: 8443}]")
	}
	return wayBack{
		name:  "renamed",
		keeps: []string{podImages},
		releases: []arrival{
			{manifests: edge("edge", "$well")},
			{manifests: edge("edge-proxy", "$crash"), exit: 5, gone: []string{"daemonset/edge-proxy"}},
			{manifests: edge("edge-proxy", "$better"), gone: []string{"daemonset/edge"}, within: time.Minute},
		},
	}
}

// mixed has one object of some forty kinds; of its new release, only the last check fails.
func mixed() wayBack {
	return wayBack{
		name:  "mixed",
		keeps: []string{podImages},
		releases: []arrival{
			{manifests: mixedOld},
			{manifests: mixedNew, checks: `- {name: till, tcp: {address: "127.0.0.1:9"}, interval: 500ms, timeout: 2s}`, exit: 5, says: []string{"till"}},
		},
	}
}

const toRecreate = "  strategy: {type: Recreate}\n"

// recreate is kubernetes#24198: Recreate is refused while the rollingUpdate that the server filled stands beside it.
func recreate() wayBack {
	return wayBack{
		name:  "recreate",
		keeps: []string{podImages},
		releases: []arrival{
			{manifests: namespaceYAML + workload("Deployment", "web", toRecreate, "$well")},
			{manifests: namespaceYAML + workload("Deployment", "web", "", "$crash"), exit: 5},
		},
	}
}

// recreateSwapped is kubernetes#24198 forward.
func recreateSwapped() wayBack {
	return wayBack{name: "swapped", releases: []arrival{
		{manifests: namespaceYAML + workload("Deployment", "web", "", "$well")},
		{manifests: namespaceYAML + workload("Deployment", "web", toRecreate, "$better")},
	}}
}

// onlySettings is kubernetes#22368: nothing restarts when a ConfigMap alone changes, and pods with the old one are judged.
func onlySettings() wayBack {
	with := func(mode string) string {
		return namespaceYAML + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: $ns}\ndata: {mode: " + mode + "}\n" +
			workload("Deployment", "web", "", "$well, env: [{name: MODE, valueFrom: {configMapKeyRef: {name: settings, key: mode}}}]")
	}
	return wayBack{name: "settings", keeps: []string{podImages}, releases: []arrival{
		{manifests: with("good")},
		{manifests: with("bad"), exit: 5, says: []string{"cannot start: its configuration is broken"}},
	}}
}

// namespaceLeaves is cli-utils#274: the Namespace leaves the release, what is in it stays.
func namespaceLeaves() wayBack {
	settings := "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: $ns}\ndata: {a: b}\n"
	return wayBack{name: "leaves", releases: []arrival{
		{manifests: namespaceYAML + settings},
		{manifests: settings, says: []string{"left on the target: Namespace leaves: "}, there: []string{"namespace/leaves", "configmap/settings"}},
	}}
}

// deadConversion is kubernetes#71925: the conversion webhook of the new definition has no endpoints, and no object of the
// kind can be read.
func deadConversion() wayBack {
	definition := func(more, conversion string) string {
		version := func(name, storage string) string {
			return "    - {name: " + name + ", served: true, storage: " + storage + ", schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}\n"
		}
		v := version("v1", "true")
		if more != "" {
			v += version(more, "false")
		}
		return namespaceYAML + "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: gadgets.$ns.example.com}\nspec:\n" +
			"  group: $ns.example.com\n  scope: Namespaced\n  names: {plural: gadgets, singular: gadget, kind: Gadget}\n" + conversion + "  versions:\n" + v
	}
	gadget := func(version, size string) string {
		return "---\napiVersion: $ns.example.com/" + version + "\nkind: Gadget\nmetadata: {name: one, namespace: $ns}\nspec: {size: " + size + "}\n"
	}
	const dead = "  conversion: {strategy: Webhook, webhook: {conversionReviewVersions: [v1], clientConfig: {service: {name: nobody, namespace: $ns}}}}\n"
	return wayBack{name: "conversion", keeps: []string{podImages}, releases: []arrival{
		{manifests: definition("", "") + gadget("v1", "1") + workload("Deployment", "web", "", "$well")},
		{manifests: definition("v2", dead) + gadget("v2", "2") + workload("Deployment", "web", "", "$crash"), exit: 5},
	}}
}

// job is one that is tried once.
func job(name, spec, container string) string {
	return "---\napiVersion: batch/v1\nkind: Job\nmetadata: {name: " + name + ", namespace: $ns}\nspec:\n  backoffLimit: 0\n" + spec +
		"  template: {spec: {restartPolicy: Never, terminationGracePeriodSeconds: 1, containers: [{" + container + "}]}}\n"
}

// jobFails: a Job that has failed is known at once, not when the check's time is over.
func jobFails() wayBack {
	return wayBack{name: "jobfails", releases: []arrival{
		{manifests: namespaceYAML},
		{manifests: namespaceYAML + job("migrate", "", "$crash"), exit: 5, says: []string{"jobfails/migrate", "cannot start"}, within: 15 * time.Second, gone: []string{"job/migrate"}},
	}}
}

// jobTakesTooLong: so is one whose deadline has passed.
func jobTakesTooLong() wayBack {
	return wayBack{name: "joblate", releases: []arrival{
		{manifests: namespaceYAML},
		{manifests: namespaceYAML + job("migrate", "  activeDeadlineSeconds: 2\n", "$well"), exit: 5, says: []string{"joblate/migrate", "deadline"}, within: 15 * time.Second, gone: []string{"job/migrate"}},
	}}
}

// noPodAllowed: where no Pod is made at all, the server's own reason is said.
func noPodAllowed() wayBack {
	quota := "---\napiVersion: v1\nkind: ResourceQuota\nmetadata: {name: none, namespace: $ns}\nspec: {hard: {pods: \"0\"}}\n"
	return wayBack{name: "quota", keeps: []string{podImages}, releases: []arrival{
		{manifests: namespaceYAML + workload("Deployment", "web", "", "$well")},
		{manifests: namespaceYAML + quota + workload("Deployment", "web", "", "$better"), exit: 5, says: []string{"exceeded quota"}},
	}}
}
