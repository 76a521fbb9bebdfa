package bundle_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/bundletest"
)

func TestDescriptorRoundTrip(t *testing.T) {
	for name, release := range samples() {
		t.Run(name, func(t *testing.T) {
			b, err := release.Contents(t).Descriptor.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			d, err := bundle.ParseDescriptor(b)
			if err != nil {
				t.Fatal(err)
			}
			again, err := d.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(b, again) {
				t.Errorf("parsed and marshalled, the descriptor is another:\n%s\n%s", b, again)
			}
		})
	}
}

// Every rule of the format that a descriptor can break, one at a time.
func TestValidate(t *testing.T) {
	other := digest.FromString("other")
	tests := []struct {
		name  string
		spoil func(d *bundle.Descriptor)
		want  string
	}{
		{"api version", func(d *bundle.Descriptor) { d.APIVersion = "v1" }, "apiVersion"},
		{"kind", func(d *bundle.Descriptor) { d.Kind = "Site" }, "kind"},
		{"no name", func(d *bundle.Descriptor) { d.Name = "" }, "release name"},
		{"name with a slash", func(d *bundle.Descriptor) { d.Name = "a/../b" }, "release name"},
		{"version with v", func(d *bundle.Descriptor) { d.Version = "v2.4.0" }, "semantic version"},
		{"short version", func(d *bundle.Descriptor) { d.Version = "2.4" }, "semantic version"},
		{"sequence 0", func(d *bundle.Descriptor) { d.Sequence = 0 }, "sequence"},
		{"sequence beyond JSON", func(d *bundle.Descriptor) { d.Sequence = 1 << 53 }, "sequence"},
		{"created with nanoseconds", func(d *bundle.Descriptor) { d.Created = d.Created.Add(1) }, "created"},
		{"created never", func(d *bundle.Descriptor) { d.Created = time.Time{} }, "created"},
		{"expires with nanoseconds", func(d *bundle.Descriptor) { e := d.Created.Add(1); d.Expires = &e }, "expires"},
		{"no platforms", func(d *bundle.Descriptor) { d.Platforms = nil }, "platforms"},
		{"bad platform", func(d *bundle.Descriptor) { d.Platforms = []string{"linux"} }, "not a platform"},
		{"platform in another form", func(d *bundle.Descriptor) { d.Platforms = append(d.Platforms, "linux/arm64/v8") }, "write linux/arm64"},
		{"platform twice", func(d *bundle.Descriptor) { d.Platforms = append(d.Platforms, "linux/amd64") }, "twice"},
		{"platform of no release", func(d *bundle.Descriptor) { d.Platforms = []string{"linux/amd64"} }, "not one of the release's"},
		{"one-way without name", func(d *bundle.Descriptor) { d.OneWay = []bundle.ObjectRef{{Kind: "Secret"}} }, "no name"},
		{"one-way twice", func(d *bundle.Descriptor) {
			d.OneWay = []bundle.ObjectRef{{Kind: "Secret", Name: "a"}, {Kind: "Secret", Name: "a"}}
		}, "repeats"},
		{"catch up", func(d *bundle.Descriptor) { d.CatchUp = "never" }, "catchUp"},
		{"required range", func(d *bundle.Descriptor) { d.Requires = &bundle.Requires{Releases: "newish"} }, "version range"},
		{"required Kubernetes", func(d *bundle.Descriptor) { d.Requires = &bundle.Requires{Kubernetes: []string{">=1.30", "newish"}} }, "version range"},
		{"many ranges", func(d *bundle.Descriptor) {
			d.Requires = &bundle.Requires{Kubernetes: slices.Repeat([]string{">=1.30"}, 300)}
		}, "300 ranges"},
		{"many charts", func(d *bundle.Descriptor) { d.Charts = make([]bundle.Chart, 257) }, "257 entries"},
		{"chart without a name", func(d *bundle.Descriptor) { d.Charts = []bundle.Chart{{Version: "1", Release: "a", Namespace: "b"}} }, "no name or version"},
		{"chart with controls", func(d *bundle.Descriptor) {
			d.Charts = []bundle.Chart{{Name: "a\x1b[2J", Version: "1", Release: "a", Namespace: "b"}}
		}, "no name or version"},
		{"hook without a name", func(d *bundle.Descriptor) {
			d.Charts = []bundle.Chart{{Name: "a", Version: "1", Release: "a", Namespace: "b", Hooks: []bundle.ObjectRef{{Kind: "Pod"}}}}
		}, "does not name a hook"},
		{"required label", func(d *bundle.Descriptor) { d.Requires = &bundle.Requires{Labels: map[string]string{"": "x"}} }, "not a label"},

		{"base twice", func(d *bundle.Descriptor) { d.Bases = append(d.Bases, d.Bases[0]) }, "twice"},
		{"base digest", func(d *bundle.Descriptor) { d.Bases[0].Digest = "sha256:beef" }, "not a sha256 digest"},
		{"base name", func(d *bundle.Descriptor) { d.Bases[0].Name = "A" }, "release name"},
		{"base version", func(d *bundle.Descriptor) { d.Bases[0].Version = "1" }, "semantic version"},
		{"base sequence", func(d *bundle.Descriptor) { d.Bases[0].Sequence = 0 }, "sequence"},
		{"no base for a delta", func(d *bundle.Descriptor) { d.Bases = nil }, "names none"},

		{"image twice", func(d *bundle.Descriptor) { d.Images = append(d.Images, d.Images[0]) }, "listed twice"},
		{"short image name", func(d *bundle.Descriptor) { d.Images[0].Name = "nginx" }, "write docker.io/library/nginx:latest"},
		{"not a name", func(d *bundle.Descriptor) { d.Images[0].Name = "registry.example.com/UPPER:1" }, "not an image reference"},
		{"another digest in the name", func(d *bundle.Descriptor) { d.Images[0].Name = "a.example/b@" + other.String() }, "pins another digest"},
		{"image digest", func(d *bundle.Descriptor) { d.Images[1].Digest = "md5:00" }, "not a sha256 digest"},
		{"image size", func(d *bundle.Descriptor) { d.Images[0].Size = bundle.MaxManifestSize + 1 }, "size"},
		{"image media type", func(d *bundle.Descriptor) { d.Images[0].MediaType = "text/plain" }, "neither a manifest's nor an index's"},
		{"no manifests", func(d *bundle.Descriptor) { d.Images[0].Manifests = nil }, "no image manifest"},
		{"manifest twice", func(d *bundle.Descriptor) {
			d.Images[0].Manifests = append(d.Images[0].Manifests, d.Images[0].Manifests[0])
		}, "listed twice"},
		{"index that lists itself", func(d *bundle.Descriptor) { d.Images[0].Manifests[0].Digest = d.Images[0].Digest }, "listed twice"},
		{"manifest of another digest", func(d *bundle.Descriptor) { d.Images[1].Manifests[0].Digest = other }, "its only manifest"},
		{"manifest media type", func(d *bundle.Descriptor) { d.Images[0].Manifests[0].MediaType = "text/plain" }, "not an image manifest's"},
		{"config of nobody", func(d *bundle.Descriptor) { d.Images[0].Manifests[0].Config = other }, "is not listed"},
		{"layer of nobody", func(d *bundle.Descriptor) { d.Images[0].Manifests[0].Layers[0] = other }, "is not listed"},
		{"manifest told twice, differently", func(d *bundle.Descriptor) {
			im := d.Images[1]
			im.Name = "registry.example.com/copy:1"
			im.Manifests = append([]bundle.ImageManifest{}, im.Manifests...)
			im.Manifests[0].Layers = im.Manifests[0].Layers[:1]
			d.Images = append(d.Images, im)
		}, "different things"},

		{"subject of nobody", func(d *bundle.Descriptor) { d.Images[0].Attached[0].Subject = other }, "subject"},
		{"attached twice", func(d *bundle.Descriptor) {
			d.Images[0].Attached = append(d.Images[0].Attached, d.Images[0].Attached[0])
		}, "listed twice"},
		{"any other tag", func(d *bundle.Descriptor) { d.Images[0].Attached[0].Tag = "latest" }, "not cosign's"},
		{"attached media type", func(d *bundle.Descriptor) { d.Images[0].Attached[0].MediaType = "text/plain" }, "not an image manifest's"},
		{"attached blob of nobody", func(d *bundle.Descriptor) { d.Images[0].Attached[0].Blobs[0] = other }, "is not listed"},
		{"annotation that is not text", func(d *bundle.Descriptor) {
			d.Images[0].Attached[1].Annotations = map[string]string{"a": "\xff"}
		}, "UTF-8"},

		{"blob twice", func(d *bundle.Descriptor) { d.Blobs = append(d.Blobs, d.Blobs[0]) }, "listed twice"},
		{"blob of no image", func(d *bundle.Descriptor) {
			d.Blobs = append(d.Blobs, bundle.Blob{Digest: other, Size: 1, MediaType: "a/b", Form: bundle.FormFull,
				Payload: &bundle.Payload{Digest: other, Size: 1}})
		}, "belongs to no image"},
		{"blob size", func(d *bundle.Descriptor) { find(d, bundle.FormReuse).Size = bundle.MaxBlobSize + 1 }, "size"},
		{"negative size", func(d *bundle.Descriptor) { find(d, bundle.FormReuse).Size = -1 }, "size"},
		{"blob media type", func(d *bundle.Descriptor) { d.Blobs[0].MediaType = "" }, "media type"},
		{"note", func(d *bundle.Descriptor) { d.Blobs[0].Note = strings.Repeat("x", 1025) }, "note"},
		{"files of a reused blob", func(d *bundle.Descriptor) { find(d, bundle.FormReuse).Files = []bundle.FileCost{{Name: "a"}} }, "in patches only"},
		{"too many files", func(d *bundle.Descriptor) {
			find(d, bundle.FormDelta).Files = make([]bundle.FileCost, bundle.MaxFileCosts+1)
		}, "more than 64"},
		{"file without a cost", func(d *bundle.Descriptor) {
			find(d, bundle.FormDelta).Files = []bundle.FileCost{{Name: "a", Bytes: -1}}
		}, "costs -1"},
		{"file that is not text", func(d *bundle.Descriptor) {
			find(d, bundle.FormDelta).Files = []bundle.FileCost{{Name: "a\xff"}}
		}, "UTF-8"},
		{"reason that is too long", func(d *bundle.Descriptor) {
			find(d, bundle.FormDelta).Files = []bundle.FileCost{{Name: "a", Why: strings.Repeat("x", 257)}}
		}, "256"},
		{"too much scratch space", func(d *bundle.Descriptor) { find(d, bundle.FormDelta).Payload.Scratch = 1<<42 + 1 }, "scratch"},
		{"unknown form", func(d *bundle.Descriptor) { d.Blobs[0].Form = "half" }, "form"},
		{"full with another payload", func(d *bundle.Descriptor) { find(d, bundle.FormFull).Payload.Size++ }, "its own payload"},
		{"full without payload", func(d *bundle.Descriptor) { find(d, bundle.FormFull).Payload = nil }, "its own payload"},
		{"reuse with payload", func(d *bundle.Descriptor) {
			find(d, bundle.FormReuse).Payload = &bundle.Payload{Digest: other, Size: 1}
		}, "neither payload"},
		{"delta without bases", func(d *bundle.Descriptor) { find(d, bundle.FormDelta).Bases = nil }, "at least one base"},
		{"delta without payload", func(d *bundle.Descriptor) { find(d, bundle.FormDelta).Payload = nil }, "payload of its own"},
		{"recompressed with bases", func(d *bundle.Descriptor) {
			find(d, bundle.FormRecompressed).Bases = find(d, bundle.FormDelta).Bases
		}, "no bases"},
		{"payload of two blobs", func(d *bundle.Descriptor) {
			find(d, bundle.FormDelta).Payload = find(d, bundle.FormRecompressed).Payload
		}, "another blob's too"},
		{"payload with two sizes", func(d *bundle.Descriptor) {
			find(d, bundle.FormDelta).Payload = &bundle.Payload{Digest: d.Images[0].Digest, Size: 1}
		}, "two sizes"},
		{"base blob twice", func(d *bundle.Descriptor) {
			b := find(d, bundle.FormDelta)
			b.Bases = append(b.Bases, b.Bases[0])
		}, "listed twice"},
		{"blob that is its own base", func(d *bundle.Descriptor) {
			b := find(d, bundle.FormDelta)
			b.Bases[0] = bundle.BaseBlob{Digest: b.Digest, Size: b.Size}
		}, "the blob itself"},
		{"plain size", func(d *bundle.Descriptor) { find(d, bundle.FormDelta).Bases[0].PlainSize = 1 << 43 }, "plain size"},
		{"plain with deltas", func(d *bundle.Descriptor) { d.Plain = true }, "plain bundle"},

		{"objects without bytes", func(d *bundle.Descriptor) { d.Manifests.Size = 0 }, "objects in 0 bytes"},
		{"too many objects", func(d *bundle.Descriptor) { d.Manifests.Size = bundle.MaxObjectsSize + 1 }, "size"},
		{"SBOM of nobody", func(d *bundle.Descriptor) {
			d.SBOMs = []bundle.SBOM{{Image: other, Format: "spdx", Form: bundle.FormFull}}
		}, "no such image"},
		{"SBOM of an index", func(d *bundle.Descriptor) { d.SBOMs = []bundle.SBOM{{Image: d.Images[0].Digest, Format: "spdx"}} }, "no such image"},
		{"SBOM format", func(d *bundle.Descriptor) { d.SBOMs = []bundle.SBOM{{Image: d.Images[1].Digest, Format: "csv"}} }, "neither spdx"},
		{"SBOM form", func(d *bundle.Descriptor) {
			d.SBOMs = []bundle.SBOM{{Image: d.Images[1].Digest, Format: "spdx", Form: bundle.FormDelta}}
		}, "neither full nor reuse"},
		{"SBOM packages", func(d *bundle.Descriptor) {
			d.SBOMs = []bundle.SBOM{{Image: d.Images[1].Digest, Format: "spdx", Packages: -1}}
		}, "-1 packages"},

		{"check twice", func(d *bundle.Descriptor) { d.Checks = append(d.Checks, d.Checks[0]) }, "listed twice"},
		{"check without a kind", func(d *bundle.Descriptor) { d.Checks[0].Kubernetes = nil }, "none of kubernetes"},
		{"check of two kinds", func(d *bundle.Descriptor) { d.Checks[0].Image = &bundle.ImageCheck{} }, "more than one kind"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := bundletest.Delta().Contents(t).Descriptor
			tt.spoil(d)
			wantReason(t, d.Validate(), "format", tt.want)
		})
	}
}

func find(d *bundle.Descriptor, form bundle.Form) *bundle.Blob {
	for i := range d.Blobs {
		if d.Blobs[i].Form == form {
			return &d.Blobs[i]
		}
	}
	return nil
}

func TestCheckValidate(t *testing.T) {
	minus := -1
	http := func(h bundle.HTTPCheck) bundle.Check { return bundle.Check{Name: "x", HTTP: &h} }
	tests := []struct {
		name  string
		check bundle.Check
		want  string // empty: it is valid
	}{
		{"kubernetes", bundle.Check{Name: "x", Kubernetes: &bundle.KubernetesCheck{Wait: "all"}}, ""},
		{"kubernetes some", bundle.Check{Name: "x", Kubernetes: &bundle.KubernetesCheck{Wait: "some"}}, "not all"},
		{"http", http(bundle.HTTPCheck{URL: "https://127.0.0.1:8080/health", Method: "HEAD", Status: 204, Body: "^ok$"}), ""},
		{"http elsewhere", http(bundle.HTTPCheck{URL: "ftp://x"}), "not an http"},
		{"http nowhere", http(bundle.HTTPCheck{URL: "http://"}), "not an http"},
		{"http method", http(bundle.HTTPCheck{URL: "http://x", Method: "get it"}), "method"},
		{"http status", http(bundle.HTTPCheck{URL: "http://x", Status: 42}), "status"},
		{"http body", http(bundle.HTTPCheck{URL: "http://x", Body: "("}), "regular expression"},
		{"tcp", bundle.Check{Name: "x", TCP: &bundle.TCPCheck{Address: "[::1]:80"}}, ""},
		{"tcp without port", bundle.Check{Name: "x", TCP: &bundle.TCPCheck{Address: "localhost"}}, "HOST:PORT"},
		{"tcp port 0", bundle.Check{Name: "x", TCP: &bundle.TCPCheck{Address: "localhost:0"}}, "no port"},
		{"exec", bundle.Check{Name: "x", Exec: &bundle.ExecCheck{Command: []string{"true"}}}, ""},
		{"exec nothing", bundle.Check{Name: "x", Exec: &bundle.ExecCheck{}}, "command is empty"},
		{"exec zero byte", bundle.Check{Name: "x", Exec: &bundle.ExecCheck{Command: []string{"a\x00"}}}, "zero byte"},
		{"image", bundle.Check{Name: "x", Image: &bundle.ImageCheck{}}, ""},
		{"no name", bundle.Check{Image: &bundle.ImageCheck{}}, "name"},
		{"interval", bundle.Check{Name: "x", Image: &bundle.ImageCheck{}, Interval: -1}, "negative"},
		{"count", bundle.Check{Name: "x", Image: &bundle.ImageCheck{}, Count: -1}, "count"},
		{"failure limit", bundle.Check{Name: "x", Image: &bundle.ImageCheck{}, FailureLimit: &minus}, "failureLimit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.check.Validate()
			if tt.want == "" && err != nil {
				t.Errorf("a valid check is refused: %v", err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want …%s…", err, tt.want)
			}
		})
	}
}

// A descriptor has one byte form: whatever else decodes to the same is refused.
func TestParseDescriptorIsStrict(t *testing.T) {
	good, err := bundletest.Delta().Contents(t).Descriptor.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, old, new, reason, want string
	}{
		{"white space", `{"apiVersion"`, `{ "apiVersion"`, "format", "one byte form"},
		{"line end", `"checks":`, "\n\"checks\":", "format", "one byte form"},
		{"unknown field", `{"apiVersion"`, `{"extra":1,"apiVersion"`, "format", `unknown field "extra"`},
		{"repeated key", `"name":"store-platform"`, `"name":"x","name":"store-platform"`, "format", "one byte form"},
		{"other spelling of a key", `"kind"`, `"Kind"`, "format", "one byte form"},
		{"other order", `"apiVersion":"sallyport.dev/v1","kind":"Release"`, `"kind":"Release","apiVersion":"sallyport.dev/v1"`, "format", "one byte form"},
		{"escape", `"Release"`, `"Releas\u0065"`, "format", "one byte form"},
		{"number", `"sequence":17`, `"sequence":17.0`, "format", "parse"},
		{"null list", `"sequence":17`, `"bases":null,"sequence":17`, "format", "one byte form"},
		{"later version", `sallyport.dev/v1`, `sallyport.dev/v2`, "newer", "sallyport.dev/v2"},
		{"not ours", `sallyport.dev/v1`, `example.com/v1`, "format", "apiVersion"},
		{"not JSON", `{"apiVersion"`, `["apiVersion"`, "format", "parse"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := bytes.Replace(good, []byte(tt.old), []byte(tt.new), 1)
			if bytes.Equal(b, good) {
				t.Fatalf("%s does not stand in the descriptor", tt.old)
			}
			_, err := bundle.ParseDescriptor(b)
			wantReason(t, err, tt.reason, tt.want)
		})
	}
	_, err = bundle.ParseDescriptor(append(good, ' '))
	wantReason(t, err, "format", "one byte form")
	_, err = bundle.ParseDescriptor(append(good, "{}"...))
	wantReason(t, err, "format", "")
}

// A few bytes of JSON must not become a great many bytes of memory.
func TestDenseJSONIsRefused(t *testing.T) {
	blobs := strings.TrimSuffix(strings.Repeat("{},", 1<<20), ",")
	_, err := bundle.ParseDescriptor([]byte(`{"apiVersion":"sallyport.dev/v1","blobs":[` + blobs + `]}`))
	wantReason(t, err, "format", "not a document that sallyport writes")
	_, err = bundle.ParseDescriptor(make([]byte, bundle.MaxDescriptorSize+1))
	wantReason(t, err, "format", "more than")
}

func TestDuration(t *testing.T) {
	var d bundle.Duration
	if err := json.Unmarshal([]byte(`"1m30s"`), &d); err != nil || time.Duration(d) != 90*time.Second {
		t.Errorf("1m30s is read as %v, %v", time.Duration(d), err)
	}
	if b, err := json.Marshal(d); err != nil || string(b) != `"1m30s"` {
		t.Errorf("1m30s is written as %s, %v", b, err)
	}
	for _, bad := range []string{`"-1s"`, `"1"`, `1`, `"soon"`} {
		if err := json.Unmarshal([]byte(bad), &d); err == nil {
			t.Errorf("%s is taken for a duration", bad)
		}
	}
}

func FuzzParseDescriptor(f *testing.F) {
	for _, r := range samples() {
		b, err := r.Contents(f).Descriptor.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"apiVersion":"sallyport.dev/v2"}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := bundle.ParseDescriptor(b)
		if err != nil {
			return
		}
		again, err := d.Marshal()
		if err != nil || !bytes.Equal(b, again) {
			t.Errorf("a descriptor with two byte forms: %v\n%s\n%s", err, b, again)
		}
	})
}
