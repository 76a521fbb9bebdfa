// Package manifest renders what a release deploys: plain YAML and kustomizations become a list of Kubernetes objects,
// and the images that they name are found, each with the place where it is written.
//
// # Sources
//
// A source is one of
//
//   - a YAML or JSON file, of one or many documents
//   - a folder that holds a kustomization.yaml: it is built as kubectl kustomize does, with the same restrictions,
//     and without plugins, programs or the network
//   - any other folder: every *.yaml, *.yml and *.json file in it and below, sorted by path. Names that begin with a
//     dot are passed over; a sub-folder with a kustomization is built
//
// YAML is read as kubectl reads it (YAML 1.1: yes is a boolean), except that repeated keys are errors. Documents
// without content are skipped, lists (kind: List) are taken apart. Two objects of the same group, kind, namespace and
// name are an error, because the later would silently win. So is an object without a name: it could not be found again.
//
// # Images
//
// Images are found in every pod specification, wherever it stands in an object, so that custom resources with pod
// templates need no configuration: containers, initContainers, ephemeralContainers and image volumes. Other fields of
// custom resources are named by ImageField. Custom resource definitions are not searched, they hold no images.
//
// Kustomize does not tell where its output comes from. For its objects the place is searched: the file in its tree
// that has an object of the same kind and name, or the image's name. What cannot be found is at the kustomization.yaml.
package manifest
