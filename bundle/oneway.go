package bundle

import (
	"cmp"
	"fmt"
)

// ObjectRef names a Kubernetes object as people do, without its group and version.
type ObjectRef struct {
	Kind      string `json:"kind" yaml:"kind"`
	Namespace string `json:"namespace,omitempty" yaml:"namespace"` // empty: the namespace default, or none
	Name      string `json:"name" yaml:"name"`
}

// String is the kind and name: PersistentVolumeClaim warehouse/orders.
func (r ObjectRef) String() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

// Validate tells whether the reference names an object.
func (r ObjectRef) Validate() error {
	switch {
	case r.Kind == "":
		return fmt.Errorf("it has no kind")
	case r.Name == "":
		return fmt.Errorf("it has no name")
	}
	for what, s := range map[string]string{"kind": r.Kind, "namespace": r.Namespace, "name": r.Name} {
		if err := text(what, s, 253); err != nil {
			return err
		}
	}
	return nil
}

// CompareObjectRefs orders references by kind, namespace and name.
func CompareObjectRefs(a, b ObjectRef) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

func (v *validator) oneWay() error {
	list := v.d.OneWay
	if len(list) > MaxOneWay {
		return fmt.Errorf("oneWay: %d objects, more than %d", len(list), MaxOneWay)
	}
	for i, r := range list {
		if err := r.Validate(); err != nil {
			return fmt.Errorf("oneWay[%d]: %w", i, err)
		}
		if i > 0 && CompareObjectRefs(list[i-1], r) >= 0 {
			return fmt.Errorf("oneWay: %q repeats or is out of order", r)
		}
	}
	return nil
}
