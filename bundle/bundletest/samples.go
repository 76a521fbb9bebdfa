package bundletest

import (
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
)

// Minimal is the smallest release that is of any use: one image of one layer, one object.
func Minimal() Release {
	return Release{
		Plain: true,
		Images: []Image{{Name: "registry.example.com/pick-engine:2.4.0", Layers: []Layer{
			{Bytes: []byte("the only layer of pick-engine")}}}},
		Objects: "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: limits\n  namespace: warehouse\ndata:\n  max: \"7\"\n",
	}
}

// Delta is a release against a base, in which blobs travel in all four forms, one of them for two images, and one image has
// two platforms and attached artifacts.
func Delta() Release {
	shared := Layer{Bytes: []byte(strings.Repeat("shared layer ", 100)), Form: bundle.FormDelta, Payload: []byte("patch of the shared layer"),
		Bases: []bundle.BaseBlob{{Digest: digest.FromString("old shared layer"), Size: 16, PlainSize: 4096}}}
	return Release{
		Platforms: []string{"linux/amd64", "linux/arm64"},
		Bases:     []bundle.Base{{Digest: digest.FromString("base"), Name: "store-platform", Version: "2.3.0", Sequence: 16}},
		Images: []Image{
			{Name: "registry.example.com/pick-engine:2.4.0", Platforms: []string{"linux/amd64", "linux/arm64"}, Layers: []Layer{
				{Bytes: []byte(strings.Repeat("debian ", 200)), Form: bundle.FormReuse},
				shared,
				{Bytes: []byte(strings.Repeat("app ", 50)), Note: "no recipe for its gzip"},
			}, Attached: []Artifact{
				{Suffix: ".sig", Blob: []byte(`{"critical":{}}`)},
				{ArtifactType: bundle.MediaTypeSigstoreBundle, Blob: []byte("an attestation"), Annotations: map[string]string{
					"dev.sigstore.bundle.predicateType": "https://slsa.dev/provenance/v1"}},
			}},
			{Name: "registry.example.com/telemetry:5.1.2", Layers: []Layer{
				shared,
				{Bytes: []byte(strings.Repeat("telemetry ", 60)), Form: bundle.FormRecompressed, Payload: []byte("recompressed telemetry")},
			}},
		},
		Objects: Minimal().Objects,
		Checks:  []bundle.Check{{Name: "ready", Kubernetes: &bundle.KubernetesCheck{Wait: "all"}}},
	}
}

// System is a release that brings an operating system and nothing else: its parts travel in all four forms.
func System() Release {
	old := []byte(strings.Repeat("old root ", 70))
	return Release{
		Bases: Delta().Bases,
		OS: &OS{Version: "12.8", Parts: []OSPart{
			{Name: "initrd", Layer: Layer{Bytes: []byte(strings.Repeat("initrd ", 90)), Form: bundle.FormRecompressed, Payload: []byte("recompressed initrd")}},
			{Name: "kernel", Layer: Layer{Bytes: []byte(strings.Repeat("kernel ", 80)), Form: bundle.FormReuse}},
			{Name: "root", Layer: Layer{Bytes: []byte(strings.Repeat("new root ", 80)), Form: bundle.FormDelta, Payload: []byte("patch of the root"),
				Bases: []bundle.BaseBlob{{Digest: digest.FromBytes(old), Size: int64(len(old)), PlainSize: int64(len(old))}}}},
			{Name: "verity", Layer: Layer{Bytes: []byte(strings.Repeat("verity ", 60))}},
		}},
	}
}
