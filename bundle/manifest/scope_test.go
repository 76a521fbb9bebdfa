package manifest

import (
	"strings"
	"testing"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/sallyport-dev/sallyport/internal/testcluster"
)

// What is known of Kubernetes' own kinds is what an API server says.
func TestScopesAsTheServerHasThem(t *testing.T) {
	config, err := clientcmd.BuildConfigFromFlags("", testcluster.Start(t).Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	_, lists, err := client.ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, list := range lists {
		group, _, found := strings.Cut(list.GroupVersion, "/")
		if !found {
			group = ""
		}
		for _, r := range list.APIResources {
			if strings.Contains(r.Name, "/") {
				continue
			}
			if namespaced, known := builtinScope(group, r.Kind); !known || namespaced != r.Namespaced {
				t.Errorf("%s %s: namespaced %v, known %v; the server says %v", list.GroupVersion, r.Kind, namespaced, known, r.Namespaced)
			}
			checked++
		}
	}
	if checked < 60 {
		t.Errorf("only %d kinds were compared", checked)
	}
}
