package manifest

import "slices"

type kindKey struct{ group, kind string }

// scopes tells of kinds whether their objects have a namespace.
type scopes map[kindKey]bool

func (s scopes) has(group, kind string) bool {
	_, ok := s[kindKey{group, kind}]
	return ok
}

// definedScopes are those of the custom resources that the release defines.
func (r *Rendered) definedScopes() scopes {
	defined := make(scopes)
	for k := range r.Objects {
		o := &r.Objects[k]
		if o.group() != "apiextensions.k8s.io" || o.Kind() != "CustomResourceDefinition" {
			continue
		}
		spec, _ := o.Fields["spec"].(map[string]any)
		names, _ := spec["names"].(map[string]any)
		group, _ := spec["group"].(string)
		kind, _ := names["kind"].(string)
		defined[kindKey{group, kind}] = spec["scope"] != "Cluster"
	}
	return defined
}

// builtinScope tells whether objects of a kind of Kubernetes' own have a namespace. Of other kinds it knows nothing.
func builtinScope(group, kind string) (namespaced, known bool) {
	global, known := clusterKinds()[group]
	return known && !slices.Contains(global, kind), known
}

// clusterKinds are Kubernetes' own groups, those of former versions included, and their kinds that have no namespace.
func clusterKinds() map[string][]string {
	return map[string][]string{
		"":       {"ComponentStatus", "Namespace", "Node", "PersistentVolume"},
		"apps":   nil,
		"policy": {"PodSecurityPolicy"},
		"admissionregistration.k8s.io": {"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "MutatingWebhookConfiguration",
			"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration"},
		"apiextensions.k8s.io":         {"CustomResourceDefinition"},
		"apiregistration.k8s.io":       {"APIService"},
		"authentication.k8s.io":        {"SelfSubjectReview", "TokenReview"},
		"authorization.k8s.io":         {"SelfSubjectAccessReview", "SelfSubjectRulesReview", "SubjectAccessReview"},
		"autoscaling":                  nil,
		"batch":                        nil,
		"certificates.k8s.io":          {"CertificateSigningRequest", "ClusterTrustBundle"},
		"coordination.k8s.io":          nil,
		"discovery.k8s.io":             nil,
		"events.k8s.io":                nil,
		"extensions":                   {"PodSecurityPolicy"},
		"flowcontrol.apiserver.k8s.io": {"FlowSchema", "PriorityLevelConfiguration"},
		"internal.apiserver.k8s.io":    {"StorageVersion"},
		"networking.k8s.io":            {"ClusterCIDR", "IPAddress", "IngressClass", "ServiceCIDR"},
		"node.k8s.io":                  {"RuntimeClass"},
		"rbac.authorization.k8s.io":    {"ClusterRole", "ClusterRoleBinding"},
		"resource.k8s.io":              {"DeviceClass", "DeviceTaintRule", "ResourceClass", "ResourcePoolStatusRequest", "ResourceSlice"},
		"scheduling.k8s.io":            {"PriorityClass"},
		"storage.k8s.io":               {"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"},
		"storagemigration.k8s.io":      {"StorageVersionMigration"},
	}
}
