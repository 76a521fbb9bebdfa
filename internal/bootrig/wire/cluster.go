package wire

import "strings"

// The Kubernetes API of guests that have one, and who may do everything there.
const (
	ClusterFolder = "/var/lib/kube"
	ClusterServer = "https://127.0.0.1:6443"
	ClusterCert   = ClusterFolder + "/tls.crt"
	ClusterToken  = "administrator"
)

// ClusterObject is the ConfigMap of namespace default that every release of the rig has.
const ClusterObject = "rig"

// OwnObject is the ConfigMap that the release of that version has, and no other.
func OwnObject(version string) string {
	return ClusterObject + "-" + strings.ReplaceAll(version, ".", "-")
}
