package manifest

import "github.com/sallyport-dev/sallyport/internal/kubeyaml"

// Object is one Kubernetes object. Its place is where it is written, or for what kustomize made without a model, its
// kustomization.yaml.
type Object struct {
	kubeyaml.Object

	// tree is the files that a kustomization is made of; nil for plain YAML.
	tree *tree
}
