package bundle_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/bundletest"
)

var update = flag.Bool("update", false, "write testdata/vectors/bundle again")

const vectorDir = "../testdata/vectors/bundle"

// A vector is a bundle with one fault and what a reader must say of it: "ok" or a reason.
type vector struct {
	name, expect, about string
	file                []byte
}

// Entries of the minimal bundle without a signature, by number.
const (
	inLayout = iota
	inIndex
	inManifest
	inDescriptor
	inImage
	inConfig
	inObjects
	inLayer
)

// vectors makes all of them. New ones may be added; none may change its meaning, for other readers are tested with them.
func vectors(t testing.TB) []vector {
	signed := bundletest.Minimal().Bytes(t, bundle.PredicateSignature)
	v := []vector{
		{"good_plain", "ok", "a plain bundle without a signature", bundletest.Minimal().Bytes(t)},
		{"good_signed", "ok", "the same with a stand-in for a signature", signed},
		{"good_attested", "ok", "the same with a second one, so that the empty config stands once", bundletest.Minimal().Bytes(t, bundle.PredicateSignature, provenance)},
		{"good_delta", "ok", "blobs in all four forms, an index, attached artifacts", bundletest.Delta().Bytes(t, bundle.PredicateSignature)},
		{"good_costs", "ok", "what files cost in a patch, and the room that applying takes", withCosts(t, func(*bundle.Descriptor) {})},
		{"good_nothing", "ok", "no image and no object", bundletest.Release{}.Bytes(t)},
	}
	v = append(v, truncated(t)...)
	v = append(v, flipped(t)...)
	v = append(v, arranged(t)...)
	v = append(v, headers(t)...)
	v = append(v, documents(t)...)
	return append(v, signatureVectors(t)...)
}

// withCosts is a bundle that tells of its patches' files.
func withCosts(t testing.TB, change func(d *bundle.Descriptor)) []byte {
	t.Helper()
	c := bundletest.Delta().Contents(t)
	costs(c.Descriptor)
	change(c.Descriptor)
	s, err := bundle.Seal(c)
	if err != nil {
		t.Fatal(err)
	}
	return bundletest.Write(t, s)
}

func costs(d *bundle.Descriptor) {
	b := find(d, bundle.FormDelta)
	b.Payload.Scratch = 1 << 20
	b.Files = []bundle.FileCost{{Name: "usr/bin/app", Bytes: 20, Why: "1,204 changed functions"}, {Name: "etc/app <conf>", Bytes: 1, Why: "new file"}}
}

func truncated(t testing.TB) []vector {
	file := bundletest.Minimal().Bytes(t)
	f := forge(t, file)
	at := func(name, about string, n int) vector {
		return vector{"truncated_" + name, "truncated", about, file[:n]}
	}
	return []vector{
		at("empty", "no byte at all", 0),
		at("in_first_header", "the end within the first header", 100),
		at("after_layout", "the end after oci-layout", f.offset(inIndex)),
		at("in_index", "the end within index.json", f.offset(inIndex)+600),
		at("in_descriptor", "the end within the descriptor", f.offset(inDescriptor)+700),
		at("after_front", "the end where the metadata should begin", f.offset(inImage)),
		at("in_layer", "the end within the last blob", f.offset(inLayer)+512+3),
		at("in_padding", "the end within the padding of the last blob", f.offset(inLayer)+512+100),
		at("before_end_marker", "no end marker", len(file)-1024),
		at("in_end_marker", "half an end marker", len(file)-512),
		at("last_byte", "all but the last byte", len(file)-1),
	}
}

func flipped(t testing.TB) []vector {
	file := bundletest.Minimal().Bytes(t)
	f := forge(t, file)
	at := func(name, expect, about string, n int) vector {
		return vector{"flipped_" + name, expect, about, flip(file, n)}
	}
	return []vector{
		at("first_header", "format", "a bit in the first header", 3),
		at("layout", "format", "a bit in the body of oci-layout", f.offset(inLayout)+515),
		at("index_digest", "format", "a bit in the release's digest in index.json", f.offset(inIndex)+512+bytes.Index(f.entries[inIndex].body, []byte("sha256:"))+9),
		at("index_padding", "format", "a bit in the padding of index.json", f.offset(inManifest)-1),
		at("manifest", "digest", "a bit in the release manifest", f.offset(inManifest)+512+40),
		at("descriptor", "digest", "a bit in the descriptor", f.offset(inDescriptor)+512+40),
		at("image", "digest", "a bit in an image manifest", f.offset(inImage)+512+40),
		at("header", "format", "a bit in the mode of a blob", f.offset(inLayer)+100),
		at("header_unused", "format", "a bit in a part of a header that nothing uses", f.offset(inLayer)+510),
		at("payload", "digest", "a bit in a layer", f.offset(inLayer)+512),
		at("padding", "format", "a bit in the padding of a layer", f.offset(inLayer)+512+200),
		at("end_marker", "format", "a bit in the end marker", len(file)-700),
	}
}

func arranged(t testing.TB) []vector {
	with := func(name, about string, change func(f *forgery)) vector {
		f := forge(t, bundletest.Minimal().Bytes(t))
		change(f)
		return vector{name, "format", about, f.bytes()}
	}
	stowaway := entry{"blobs/sha256/" + strings.Repeat("ab", 32), []byte("stowaway")}
	delta := forge(t, bundletest.Delta().Bytes(t))
	n := len(delta.entries)
	delta.entries[n-1], delta.entries[n-2] = delta.entries[n-2], delta.entries[n-1]
	return []vector{
		{"reordered_payload", "format", "two payload blobs in the other order", delta.bytes()},
		with("reordered_metadata", "two metadata blobs in the other order", func(f *forgery) {
			f.entries[inImage], f.entries[inConfig] = f.entries[inConfig], f.entries[inImage]
		}),
		with("reordered_front", "index.json before oci-layout", func(f *forgery) {
			f.entries[inLayout], f.entries[inIndex] = f.entries[inIndex], f.entries[inLayout]
		}),
		with("duplicated_blob", "a layer twice", func(f *forgery) { f.entries = append(f.entries, f.entries[inLayer]) }),
		with("duplicated_index", "index.json twice", func(f *forgery) {
			f.entries = slices.Insert(f.entries, inManifest, f.entries[inIndex])
		}),
		with("extra_blob", "a blob that nothing names, at the end", func(f *forgery) { f.entries = append(f.entries, stowaway) }),
		with("extra_blob_in_front", "a blob that nothing names, before the metadata", func(f *forgery) {
			f.entries = slices.Insert(f.entries, inImage, stowaway)
		}),
		with("extra_file", "a file that is no blob", func(f *forgery) {
			f.entries = append(f.entries, entry{"README", []byte("hello")})
		}),
		with("missing_blob", "no layer, and a proper end", func(f *forgery) { f.entries = f.entries[:inLayer] }),
		with("missing_metadata", "no image config", func(f *forgery) { f.entries = slices.Delete(f.entries, inConfig, inConfig+1) }),
		with("swapped_blob", "the bytes of another blob under a blob's name", func(f *forgery) {
			f.entries[inLayer].body = []byte("another layer")
		}),
		{"trailing_byte", "format", "one byte after the end", append(bundletest.Minimal().Bytes(t), 'x')},
		{"trailing_block", "format", "a third zero block at the end", append(bundletest.Minimal().Bytes(t), make([]byte, 512)...)},
		{"trailing_bundle", "format", "a second bundle after the first", append(bundletest.Minimal().Bytes(t), bundletest.Minimal().Bytes(t)...)},
	}
}

func headers(t testing.TB) []vector {
	with := func(name, about string, change func(h *tar.Header)) vector {
		f := forge(t, bundletest.Minimal().Bytes(t))
		last := f.entries[inLayer].name
		return vector{"header_" + name, "format", about, f.with(func(h *tar.Header) {
			if h.Name == last {
				change(h)
			}
		})}
	}
	wrongSize := forge(t, bundletest.Minimal().Bytes(t))
	wrongSize.entries[inLayer].body = append(wrongSize.entries[inLayer].body, '!')
	return []vector{
		with("mode", "a blob with another mode", func(h *tar.Header) { h.Mode = 0o755 }),
		with("owner", "a blob that belongs to a user", func(h *tar.Header) { h.Uid = 1000 }),
		with("owner_name", "a blob that belongs to a named user", func(h *tar.Header) { h.Uname = "root" }),
		with("symlink", "a symbolic link in place of a blob", func(h *tar.Header) {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, "/etc/passwd", 0
		}),
		with("path", "a blob with a path that leads elsewhere", func(h *tar.Header) { h.Name = "blobs/sha256/../../../etc/passwd" }),
		with("pax", "a blob with a PAX header", func(h *tar.Header) {
			h.Format, h.PAXRecords = tar.FormatPAX, map[string]string{"SALLYPORT.x": "y"}
		}),
		with("gnu", "a blob with a GNU header", func(h *tar.Header) { h.Format = tar.FormatGNU }),
		{"header_size", "format", "a blob with another size than the manifest says", wrongSize.bytes()},
	}
}

func documents(t testing.TB) []vector {
	file := bundletest.Minimal().Bytes(t)
	chain := func(name, expect, about string, in int, old, new string) vector {
		return vector{name, expect, about, forge(t, file).editChain(in, old, new).bytes()}
	}
	dear := func(name, about, old, new string) vector {
		return vector{name, "format", about, forge(t, withCosts(t, func(*bundle.Descriptor) {})).editChain(inDescriptor, old, new).bytes()}
	}
	id := bundletest.Minimal().Contents(t).Descriptor.Identity().String()
	return []vector{
		chain("good_no_identity", "ok", "a release that does not tell its identity, as older programs made them", inDescriptor, `"identity":"`+id+`",`, ``),
		chain("descriptor_identity", "format", "the identity of another release, all digests right", inDescriptor, id, strings.Replace(id, id[7:11], "beef", 1)),
		dear("descriptor_costs_too_much", "a file that costs more than the whole patch", `"bytes":20`, `"bytes":2000`),
		dear("descriptor_negative_scratch", "less than no room", `"scratch":1048576`, `"scratch":-1`),
		chain("descriptor_unknown_field", "format", "a field that the format does not know, all digests right", inDescriptor, `{"apiVersion"`, `{"extra":true,"apiVersion"`),
		chain("descriptor_duplicate_key", "format", "a key twice, all digests right", inDescriptor, `"sequence":17`, `"sequence":18,"sequence":17`),
		chain("descriptor_white_space", "format", "white space, all digests right", inDescriptor, `,"kind"`, `, "kind"`),
		chain("descriptor_key_case", "format", "a key in capitals, all digests right", inDescriptor, `"sequence":17`, `"SEQUENCE":17`),
		chain("descriptor_null", "format", "a null where nothing should stand, all digests right", inDescriptor, `"images":[`, `"bases":null,"images":[`),
		chain("descriptor_wrong_size", "format", "a layer with another size, all digests right", inDescriptor, `"size":29,"mediaType"`, `"size":30,"mediaType"`),
		chain("descriptor_missing_blob", "format", "a layer that is not among the blobs", inDescriptor, `"layers":["sha256:`, `"layers":["sha256:0000000000000000000000000000000000000000000000000000000000000000","sha256:`),
		chain("descriptor_bad_name", "format", "a release name that is a path", inDescriptor, `"name":"store-platform"`, `"name":"../../etc/pass"`),
		chain("descriptor_newer", "newer", "a later version of the descriptor", inDescriptor, `sallyport.dev/v1`, `sallyport.dev/v2`),
		chain("manifest_unknown_field", "format", "a field more in the release manifest, all digests right", inManifest, `{"schemaVersion"`, `{"x":1,"schemaVersion"`),
		chain("manifest_duplicate_key", "format", "a key twice in the release manifest, all digests right", inManifest, `{"schemaVersion":2`, `{"schemaVersion":2,"schemaVersion":2`),
		chain("manifest_media_type", "format", "a layer with another media type in the release manifest", inManifest, `tar+gzip`, `tar+zstd`),
		chain("manifest_metadata_count", "format", "another number of metadata blobs", inManifest, `"dev.sallyport.metadata":"3"`, `"dev.sallyport.metadata":"2"`),
		chain("index_white_space", "format", "white space in index.json", inIndex, `,"manifests"`, `, "manifests"`),
		chain("index_annotation", "format", "an annotation more in index.json", inIndex, `"annotations":{`, `"annotations":{"a":"b",`),
		chain("index_image_name", "format", "another name for an image in index.json", inIndex, `pick-engine:2.4.0`, `pick-engine:2.4.1`),
		chain("index_newer", "newer", "a release of a later version", inIndex, `sallyport.release.v1+json`, `sallyport.release.v2+json`),
		chain("index_other_artifact", "format", "an OCI image layout that is no bundle", inIndex, `sallyport.release.v1+json`, `example.thing.v1+json`),
		chain("index_huge_release", "format", "a release manifest of 5 MB", inIndex, fmt.Sprintf(`"size":%d`, len(forge(t, file).entries[inManifest].body)), `"size":5000000`),
		chain("layout_version", "format", "another version in oci-layout", inLayout, `1.0.0`, `1.0.1`),
	}
}

func signatureVectors(t testing.TB) []vector {
	file := bundletest.Minimal().Bytes(t, bundle.PredicateSignature)
	const referrer, empty, sig = inDescriptor + 1, inDescriptor + 2, inDescriptor + 3
	chain := func(name, about string, in int, old, new string) vector {
		return vector{name, "format", about, forge(t, file).editChain(in, old, new).bytes()}
	}
	without := func(i int) []byte {
		f := forge(t, file)
		f.entries = slices.Delete(f.entries, i, i+1)
		return f.bytes()
	}
	other := bundletest.Signature(t, bundletest.Delta().Seal(t).Desc(), bundle.PredicateSignature)
	transplant := forge(t, file)
	old := transplant.entries[referrer]
	transplant.entries[referrer].body = other.Manifest
	transplant.rename(referrer, old)
	return []vector{
		{"signature_of_another_release", "format", "a signature on another release", transplant.bytes()},
		{"signature_missing_bundle", "format", "a signature's manifest without the signature", without(sig)},
		{"signature_missing_config", "format", "a signature without its empty config", without(empty)},
		{"signature_missing_referrer", "format", "a signature without its manifest", without(referrer)},
		chain("signature_annotation", "an annotation more on a signature", referrer, `"annotations":{`, `"annotations":{"a":"b",`),
		chain("signature_predicate", "another predicate type in the signature's manifest than in the index", referrer, "cosign/sign/v1", "cosign/sign/v2"),
		{"signature_flipped", "digest", "a bit in a signature", flip(file, forge(t, file).offset(sig)+512+20)},
	}
}

// TestVectors reads every vector in the folder. A vector that stands there is never out of the test's sight.
func TestVectors(t *testing.T) {
	made := vectors(t)
	if *update {
		writeVectors(t, made)
	}
	files, err := filepath.Glob(filepath.Join(vectorDir, "*.tar"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 || len(files) < len(made) {
		t.Fatalf("%d vectors in %s, where %d can be made: run go test ./bundle -run TestVectors -update", len(files), vectorDir, len(made))
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".tar"), func(t *testing.T) {
			file, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want := expectation(t, path)
			if _, _, err = readAll(bytes.NewReader(file)); reasonOf(err) != want {
				t.Errorf("got %s (%v), want %s", reasonOf(err), err, want)
			}
		})
	}
}

// The vectors in the tree are the ones that the writer makes today: the format does not drift unseen.
func TestVectorsAreCurrent(t *testing.T) {
	for _, v := range vectors(t) {
		got, err := os.ReadFile(filepath.Join(vectorDir, v.name+".tar"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, v.file) {
			t.Errorf("%s is not what is made today: the format has changed", v.name)
		}
	}
}

func expectation(t *testing.T, path string) string {
	b, err := os.ReadFile(strings.TrimSuffix(path, ".tar") + ".expect")
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	want, ok := strings.CutPrefix(line, "expect: ")
	if !ok {
		t.Fatalf("%s has no expect: line", path)
	}
	return want
}

// reasonOf is "ok", the reason of a bundle.Error, or the text of any other error.
func reasonOf(err error) string {
	var e *bundle.Error
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &e):
		return e.Reason()
	default:
		return err.Error()
	}
}

func writeVectors(t *testing.T, made []vector) {
	if err := os.MkdirAll(vectorDir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, v := range made {
		stem := filepath.Join(vectorDir, v.name)
		if err := os.WriteFile(stem+".tar", v.file, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(stem+".expect", []byte(fmt.Sprintf("expect: %s\nabout: %s\n", v.expect, v.about)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Every byte counts: whichever one is changed, and wherever the file is cut, a reader notices.
func TestNoByteIsFree(t *testing.T) {
	file := bundletest.Minimal().Bytes(t, bundle.PredicateSignature)
	for i := range file {
		if _, _, err := readAll(bytes.NewReader(flip(file, i))); err == nil {
			t.Errorf("a bit at byte %d may be changed", i)
		}
		if i%5 != 0 {
			continue
		}
		_, _, err := readAll(bytes.NewReader(file[:i]))
		if reasonOf(err) != "truncated" {
			t.Errorf("cut at byte %d: got %v, want truncated", i, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(vectorDir, "*.tar"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no vectors to start from: %v", err)
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if _, _, err := readAll(bytes.NewReader(file)); err != nil {
			if r := reasonOf(err); !slices.Contains([]string{"format", "truncated", "digest", "newer"}, r) {
				t.Errorf("a bundle in memory cannot fail with %q", r)
			}
			return
		}
		r, err := bundle.NewReader(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		var again bytes.Buffer
		if err := r.Resign(t.Context(), &again, r.Signatures()); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(file, again.Bytes()) {
			t.Error("a bundle with two byte forms")
		}
	})
}
