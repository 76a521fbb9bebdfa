package attest

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	intoto "github.com/in-toto/attestation/go/v1"
	"github.com/opencontainers/go-digest"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/sallyport-dev/sallyport/bundle"
)

var update = flag.Bool("update", false, "write testdata anew")

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got)+"\n" != string(want) {
		t.Errorf("got\n%s\nwant (%s)\n%s", got, path, want)
	}
}

// validate has in-toto's own library read the statement.
func validate(t *testing.T, statement []byte) *intoto.Statement {
	t.Helper()
	var s intoto.Statement
	if err := protojson.Unmarshal(statement, &s); err != nil {
		t.Fatalf("in-toto does not read the statement: %v", err)
	}
	if err := s.Validate(); err != nil {
		t.Fatalf("in-toto refuses the statement: %v", err)
	}
	return &s
}

func TestReleaseSignature(t *testing.T) {
	got, err := ReleaseSignature(digest.FromString("release"))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "signature.json", got)

	// in-toto's Validate demands a predicate, and cosign writes none, so cosign's own way of writing is what to compare with.
	cosigns, err := protojson.Marshal(&intoto.Statement{
		Type:          intoto.StatementTypeUri,
		Subject:       []*intoto.ResourceDescriptor{{Digest: map[string]string{"sha256": digest.FromString("release").Encoded()}}},
		PredicateType: bundle.PredicateSignature,
	})
	if err != nil {
		t.Fatal(err)
	}
	if compact(t, cosigns) != string(got) {
		t.Errorf("got  %s\nwant %s, as cosign writes it", got, cosigns)
	}
}

// compact takes out the white space that protojson adds at random. None stands within the strings here.
func compact(t *testing.T, b []byte) string {
	t.Helper()
	return strings.ReplaceAll(string(b), " ", "")
}

func TestReleaseSignatureRefusesWhatIsNoDigest(t *testing.T) {
	for _, d := range []digest.Digest{"", "sha256:00", "release"} {
		if _, err := ReleaseSignature(d); err == nil || !strings.Contains(err.Error(), "digest") {
			t.Errorf("ReleaseSignature(%q): error %v, want one about the digest", d, err)
		}
	}
}

func descriptor() *bundle.Descriptor {
	return &bundle.Descriptor{
		Name: "store-platform", Version: "2.4.0", Sequence: 17,
		Bases: []bundle.Base{{Digest: digest.FromString("base"), Name: "store-platform", Version: "2.3.0", Sequence: 16}},
		Images: []bundle.Image{{
			Name:      "registry.example.com/pick-engine:2.4.0",
			Digest:    digest.FromString("image"),
			MediaType: "application/vnd.oci.image.index.v1+json",
		}},
		OS:        &bundle.OS{Version: "12.8", Parts: []bundle.OSPart{{Name: "root", Digest: digest.FromString("root"), Size: 4}}},
		Manifests: bundle.Manifests{Digest: digest.FromString("manifests"), Size: 9, Objects: 1},
		SBOMs: []bundle.SBOM{
			{Image: digest.FromString("amd64"), Format: "spdx", Digest: digest.FromString("spdx")},
			{Image: digest.FromString("amd64"), Format: "cyclonedx", Digest: digest.FromString("cyclonedx")},
		},
	}
}

func provenance() Provenance {
	return Provenance{
		Release:        digest.FromString("release"),
		Descriptor:     descriptor(),
		Spec:           json.RawMessage(`{"kind": "Release", "note": "a<b & c"}`),
		BuilderID:      "https://ci.example.com/runners/7",
		BuilderVersion: "1.0.0",
		Invocation:     "https://ci.example.com/jobs/42",
		Started:        time.Date(2026, 11, 20, 10, 0, 0, 999, time.FixedZone("", 3600)),
		Finished:       time.Date(2026, 11, 20, 9, 1, 0, 0, time.UTC),
	}
}

func TestProvenance(t *testing.T) {
	got, err := provenance().Statement()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "provenance.json", got)
	s := validate(t, got)
	if s.PredicateType != PredicateProvenance || s.Subject[0].Digest["sha256"] != digest.FromString("release").Encoded() {
		t.Errorf("the statement is of type %s about %v", s.PredicateType, s.Subject)
	}
	again, err := provenance().Statement()
	if err != nil {
		t.Fatal(err)
	}
	if string(again) != string(got) {
		t.Error("the same inputs gave other bytes")
	}
}

func TestProvenanceOfTheLeast(t *testing.T) {
	got, err := Provenance{
		Release:    digest.FromString("release"),
		Descriptor: &bundle.Descriptor{Name: "empty"},
		Spec:       json.RawMessage(`{}`),
	}.Statement()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "provenance-least.json", got)
	validate(t, got)
}

func TestProvenanceRefuses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Provenance)
		want   string
	}{
		{"no descriptor", func(p *Provenance) { p.Descriptor = nil }, "no descriptor"},
		{"no release", func(p *Provenance) { p.Release = "" }, "release: digest"},
		{"no spec", func(p *Provenance) { p.Spec = nil }, "spec is not a JSON object"},
		{"spec is null", func(p *Provenance) { p.Spec = json.RawMessage("null") }, "spec is not a JSON object"},
		{"spec is a list", func(p *Provenance) { p.Spec = json.RawMessage("[]") }, "spec is not a JSON object"},
		{"image digest", func(p *Provenance) { p.Descriptor.Images[0].Digest = "sha256:1" }, "image registry.example.com/pick-engine:2.4.0"},
		{"base digest", func(p *Provenance) { p.Descriptor.Bases[0].Digest = "x" }, "base store-platform 2.3.0"},
		{"part's digest", func(p *Provenance) { p.Descriptor.OS.Parts[0].Digest = "x" }, "part root of the operating system"},
		{"manifests digest", func(p *Provenance) { p.Descriptor.Manifests.Digest = "x" }, "manifests: digest"},
		{"SBOM digest", func(p *Provenance) { p.Descriptor.SBOMs[1].Digest = "x" }, "SBOM of sha256:"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := provenance()
			tt.change(&p)
			if _, err := p.Statement(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
		})
	}
}
