// Package kube puts a release's Kubernetes objects on a site's target: a cluster's API, or a folder of manifests that a
// cluster watches.
//
// # Cluster
//
// Objects are applied server-side by one field manager, [FieldManager], which takes the fields that the release sets
// from whoever set them before. Before the first write every object is dry-run, so that a release which the server
// refuses changes nothing: all refusals are reported together, object by object. The exception is what cannot be asked
// yet, objects whose kind or namespace arrives with the release: namespaces and CustomResourceDefinitions are applied
// first and waited for, then the rest is dry-run and applied.
//
// # Who owns an object
//
// Each object carries the label [OwnerLabel] with the release's name. It is on the object itself, never on a pod
// template, so it restarts nothing. An object of another release is refused. An object that was there before sallyport
// came is taken over and says so in the annotation [AdoptedAnnotation].
//
// Prune deletes what an earlier [Inventory] lists and a later one does not, if it is certain that nothing else loses by
// it. It keeps, and reports as kept:
//
//   - objects without the owner label, or taken over from somebody else
//   - objects annotated [PruneAnnotation]: disabled, or helm.sh/resource-policy: keep
//   - PersistentVolumeClaims, PersistentVolumes, and CustomResourceDefinitions of which objects remain: they hold
//     data. [PruneAnnotation]: enabled lets them go
//
// A namespace in which anything remains is never deleted. If what remains is not itself about to leave, the namespace is
// given up: it is not ours any more. So is an object that somebody else has made anew.
//
// Custom resources go first: what they take with them is known to their controllers, which may be leaving, too. What
// cannot be read is not taken for gone.
//
// A field that cannot be changed (a Job's template, a selector) makes the server refuse the object. It is deleted and
// created again only if the release annotates it [ForceAnnotation]: enabled, and the server would take the new object.
//
// # The way back
//
// Restore is no Apply: it puts back each object that can be, and names the others. A server-side apply takes back only the
// fields that its manager owns. What else has to go is told by the difference to what was there, from a [Record], or to
// what the server would make of a new object; it goes with the same write.
//
// # Hooks and waves
//
// Objects with Helm's annotation helm.sh/hook are no part of what a release puts on the target. Those of pre-install or
// pre-upgrade are made after kinds and namespaces and before all else, in the order of their weights, and Jobs and Pods among
// them are waited for; those of post-install or post-upgrade come last; those of pre-rollback and post-rollback run when the
// release is taken back. Helm's policies say when they are deleted: before they are made again, unless they say otherwise.
// They are in no inventory, and keep no namespace from being deleted. Tests and the hooks of an uninstall never run.
//
// Objects may be in waves ([WaveAnnotation]). Kinds and namespaces come before the first.
//
// # Folder
//
// A manifests folder, as k3s deploys from, gets one file, [FolderFile], replaced atomically. The cluster behind it
// does the rest in its own time, and tells nothing: the health of every object is unknown.
package kube

// What sallyport writes into objects, or reads from them.
const (
	// FieldManager is the one manager of server-side apply.
	FieldManager = "sallyport"
	// OwnerLabel holds the name of the release that an object belongs to.
	OwnerLabel = "sallyport.dev/release-name"
	// AdoptedAnnotation is "true" on objects that were there before a release took them over.
	AdoptedAnnotation = "sallyport.dev/adopted"
	// PruneAnnotation: "disabled" keeps an object that left the release, "enabled" lets one go that holds data.
	PruneAnnotation = "sallyport.dev/prune"
	// ForceAnnotation: "enabled" lets an object be deleted and created again when a field cannot be changed.
	ForceAnnotation = "sallyport.dev/force"
	// WaveAnnotation holds a whole number: objects are applied wave by wave, and all but the last have to become healthy
	// before the next is begun. Without it an object is in wave 0. argocd.argoproj.io/sync-wave is taken for it.
	WaveAnnotation = "sallyport.dev/wave"
	// TimeoutAnnotation holds how long a hook, or the wave of an object, may take: 10m.
	TimeoutAnnotation = "sallyport.dev/timeout"
	// HookAnnotation is on the objects of hooks, and says for which change of releases they were made.
	HookAnnotation = "sallyport.dev/hook-run"
)
