// Package manifest renders what a release deploys: plain YAML, kustomizations and Helm charts become a list of Kubernetes objects,
// and the images that they name are found, each with the place where it is written.
//
// # Sources
//
// A source is one of
//
//   - a YAML or JSON file, of one or many documents
//   - a folder that holds a kustomization.yaml: it is built as kubectl kustomize does, with the same restrictions,
//     and without plugins, programs or the network
//   - a Helm chart, as a folder with a Chart.yaml or as an archive: see package helm. Its objects get the namespace of the
//     chart's release where they name none, by the scope of their kind, as helm install gives it
//   - any other folder: every *.yaml, *.yml and *.json file in it and below, sorted by path. Names that begin with a
//     dot are passed over; a sub-folder with a kustomization or a chart is built
//
// Files are read by package kubeyaml: as kubectl reads them, and what kubectl would drop or change without a word is an
// error. So are two objects of the same group, kind, namespace and name, because the later would silently win, objects
// that kustomize would leave out, and what is no text where Kubernetes wants text.
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
