package mirror_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

func TestBlobsComeBackAsTheyWere(t *testing.T) {
	onEach(t, func(t *testing.T, _, url string) {
		ctx, c := t.Context(), client(t, url)
		for _, size := range []int{0, 1, 2, 3_000_000} {
			b := randomBlob(size, "blob")
			if ok, err := c.HasBlob(ctx, "team/app", b.Digest); ok || err != nil {
				t.Fatalf("%d bytes: before the push there is %v, %v", size, ok, err)
			}
			if pushed, err := c.PushBlob(ctx, "team/app", b.Descriptor, b.open); !pushed || err != nil {
				t.Fatalf("%d bytes: push gave %v, %v", size, pushed, err)
			}
			got := readBlob(t, c, "team/app", b.Digest)
			if !bytes.Equal(got, b.data) {
				t.Errorf("%d bytes: other bytes came back", size)
			}
			if n, ok, err := c.StatBlob(ctx, "team/app", b.Digest); n != int64(size) || !ok || err != nil {
				t.Errorf("%d bytes: stat gave %d, %v, %v", size, n, ok, err)
			}
			again := func() (io.ReadCloser, error) { return nil, errors.New("must not be opened") }
			if pushed, err := c.PushBlob(ctx, "team/app", b.Descriptor, again); pushed || err != nil {
				t.Errorf("%d bytes: second push gave %v, %v", size, pushed, err)
			}
		}
	})
}

func readBlob(t *testing.T, c *mirror.Client, repo string, d digest.Digest) []byte {
	t.Helper()
	r, err := c.OpenBlob(t.Context(), repo, d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestStreamsArePushedOnce(t *testing.T) {
	onEach(t, func(t *testing.T, _, url string) {
		ctx, c := t.Context(), client(t, url)
		b := randomBlob(500_000, "stream")
		if pushed, err := c.StreamBlob(ctx, "app", b.Descriptor, iotest.HalfReader(bytes.NewReader(b.data))); !pushed || err != nil {
			t.Fatalf("push gave %v, %v", pushed, err)
		}
		rest := bytes.NewReader(b.data)
		if pushed, err := c.StreamBlob(ctx, "app", b.Descriptor, rest); pushed || err != nil || rest.Len() != len(b.data) {
			t.Errorf("second push gave %v, %v and read %d bytes", pushed, err, len(b.data)-rest.Len())
		}
	})
}

func TestBadSourcesLeaveNothingBehind(t *testing.T) {
	pulled := errors.New("the stick was pulled")
	b := randomBlob(400_000, "source")
	wrong := bytes.Clone(b.data)
	wrong[9] ^= 1
	for name, test := range map[string]struct {
		r    func() io.Reader
		want error // nil: one of the mirror
	}{
		"fails": {func() io.Reader {
			return io.MultiReader(bytes.NewReader(b.data[:300_000]), iotest.ErrReader(pulled))
		}, pulled},
		"ends early":  {func() io.Reader { return bytes.NewReader(b.data[:300_000]) }, io.ErrUnexpectedEOF},
		"wrong bytes": {func() io.Reader { return bytes.NewReader(wrong) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, _, url string) {
				c := client(t, url)
				_, err := c.StreamBlob(t.Context(), "app", b.Descriptor, test.r())
				var source *mirror.SourceError
				var me *mirror.Error
				if test.want != nil && (!errors.Is(err, test.want) || !errors.As(err, &source)) {
					t.Errorf("error %v, want a source's %v", err, test.want)
				}
				if test.want == nil && (!errors.As(err, &me) || !strings.Contains(err.Error(), "digest")) {
					t.Errorf("error %v, want one of the mirror about the digest", err)
				}
				if ok, err := c.HasBlob(t.Context(), "app", b.Digest); ok || err != nil {
					t.Errorf("after the failure there is %v, %v", ok, err)
				}
				if pushed, err := c.PushBlob(t.Context(), "app", b.Descriptor, b.open); !pushed || err != nil {
					t.Errorf("a good push after it gave %v, %v", pushed, err)
				}
			})
		})
	}
}

func TestMountSharesBlobs(t *testing.T) {
	onEach(t, func(t *testing.T, _, url string) {
		ctx, c := t.Context(), client(t, url)
		b := randomBlob(1000, "mount")
		if ok, err := c.Mount(ctx, "one", "two", b.Digest); ok || err != nil {
			t.Fatalf("mount of nothing gave %v, %v", ok, err)
		}
		if _, err := c.PushBlob(ctx, "one", b.Descriptor, b.open); err != nil {
			t.Fatal(err)
		}
		if ok, err := c.Mount(ctx, "one", "two", b.Digest); !ok || err != nil {
			t.Fatalf("mount gave %v, %v", ok, err)
		}
		if !bytes.Equal(readBlob(t, c, "two", b.Digest), b.data) {
			t.Error("other bytes came back")
		}
	})
}

func TestManifestsComeBackAsTheyWere(t *testing.T) {
	onEach(t, func(t *testing.T, _, url string) {
		ctx, c := t.Context(), client(t, url)
		img := newImage(t, "registry.example.com/team/app:1", "base", "")
		raw := img.raws[img.Digest]
		if _, err := c.PushManifest(ctx, "team/app", "1", img.MediaType, raw); err == nil {
			t.Fatal("a manifest without its blobs was accepted")
		}
		load(t, c, img)
		for _, ref := range []string{"1", img.Digest.String()} {
			got, mediaType, err := c.Manifest(ctx, "team/app", ref)
			if err != nil || mediaType != img.MediaType || !bytes.Equal(got, raw) {
				t.Errorf("%s gave %q of type %s, %v", ref, got, mediaType, err)
			}
			desc, err := c.Resolve(ctx, "team/app", ref)
			if err != nil || desc.Digest != img.Digest || desc.Size != img.Size {
				t.Errorf("%s resolves to %v, %v", ref, desc, err)
			}
			if pushed, err := c.PushManifest(ctx, "team/app", ref, img.MediaType, raw); pushed || err != nil {
				t.Errorf("second push of %s gave %v, %v", ref, pushed, err)
			}
		}
		if _, _, err := c.Manifest(ctx, "team/app", "2"); !errors.Is(err, mirror.ErrNotFound) {
			t.Errorf("error for a missing tag: %v", err)
		}
		if tags, err := c.Tags(ctx, "team/app"); err != nil || !slices.Equal(tags, []string{"1"}) {
			t.Errorf("tags %q, %v", tags, err)
		}
		if tags, err := c.Tags(ctx, "no/such"); err != nil || len(tags) != 0 {
			t.Errorf("tags of nothing %q, %v", tags, err)
		}
	})
}

func TestDockerImagesAreServedToo(t *testing.T) {
	onEach(t, func(t *testing.T, _, url string) {
		c := client(t, url)
		img := newImage(t, "docker.io/nginx:1", "base", "")
		old := img.Digest
		raw := bytes.ReplaceAll(img.raws[old], []byte(ocispec.MediaTypeImageManifest), []byte("application/vnd.docker.distribution.manifest.v2+json"))
		raw = bytes.ReplaceAll(raw, []byte(ocispec.MediaTypeImageConfig), []byte("application/vnd.docker.container.image.v1+json"))
		raw = bytes.ReplaceAll(raw, []byte(ocispec.MediaTypeImageLayerGzip), []byte("application/vnd.docker.image.rootfs.diff.tar.gzip"))
		img.Digest, img.MediaType = digest.FromBytes(raw), "application/vnd.docker.distribution.manifest.v2+json"
		img.Manifests[0].Digest, img.Manifests[0].MediaType = img.Digest, img.MediaType
		img.raws[img.Digest] = raw
		load(t, c, img)
		got, mediaType, err := c.Manifest(t.Context(), "library/nginx", "1")
		if err != nil || mediaType != img.MediaType || !bytes.Equal(got, raw) {
			t.Errorf("got %q of type %s, %v", got, mediaType, err)
		}
	})
}

func TestTagsMoveOnlyWhenTold(t *testing.T) {
	onEach(t, func(t *testing.T, _, url string) {
		ctx, c := t.Context(), client(t, url)
		one, two := newImage(t, "app:1", "base", "one"), newImage(t, "app:1", "base", "two")
		load(t, c, one)
		if _, err := c.PushBlob(ctx, "library/app", two.blobs[0].Descriptor, two.blobs[0].open); err != nil {
			t.Fatal(err)
		}
		if n, err := c.PushImage(ctx, two.Image, two.raw); n != 1 || err != nil {
			t.Fatalf("push gave %d, %v", n, err)
		}
		if d, err := c.Resolve(ctx, "library/app", "1"); err != nil || d.Digest != one.Digest {
			t.Errorf("after the push the tag is %v, %v", d.Digest, err)
		}
		for _, img := range []*image{two, one} { // there, and back as a rollback does
			if pushed, err := c.TagImage(ctx, img.Image, img.raw); !pushed || err != nil {
				t.Fatalf("tag gave %v, %v", pushed, err)
			}
			if d, err := c.Resolve(ctx, "library/app", "1"); err != nil || d.Digest != img.Digest {
				t.Errorf("after tagging %s the tag is %v, %v", img.Digest, d.Digest, err)
			}
		}
		if pushed, err := c.TagImage(ctx, one.Image, one.raw); pushed || err != nil {
			t.Errorf("tagging again gave %v, %v", pushed, err)
		}
	})
}

func TestSparseIndexes(t *testing.T) {
	onEach(t, func(t *testing.T, kind, url string) {
		ctx, c := t.Context(), client(t, url)
		img := newImage(t, "registry.example.com/app:1", "base", "").sparse(t)
		load(t, c, img)
		if err := c.CheckImage(ctx, img.Image, nil, img.raw); err != nil {
			t.Error(err)
		}
		got, _, err := c.Manifest(ctx, "app", "1")
		if err != nil {
			t.Fatal(err)
		}
		full := img.raws[img.Digest]
		if kind != docker {
			if !bytes.Equal(got, full) {
				t.Errorf("the tag gives %s", got)
			}
			return
		}
		if !bytes.Equal(got, img.raws[img.Manifests[0].Digest]) {
			t.Errorf("the tag gives %s", got)
		}
		if pushed, err := c.TagImage(ctx, img.Image, img.raw); pushed || err != nil {
			t.Errorf("tagging again gave %v, %v", pushed, err)
		}
		pinned := img.Image
		pinned.Name = "registry.example.com/app@" + img.Digest.String()
		_, err = c.PushImage(ctx, pinned, img.raw)
		var me reasoned
		if !errors.Is(err, mirror.ErrSparseIndex) || !errors.As(err, &me) || me.Reason() != "mirror" || !strings.Contains(me.Hint(), "platforms: none") {
			t.Errorf("a pinned sparse index gave %v", err)
		}
	})
}

func TestAttachedArtifacts(t *testing.T) {
	onEach(t, func(t *testing.T, _, url string) {
		ctx, c := t.Context(), client(t, url)
		img := newImage(t, "registry.example.com/app:1", "base", "")
		tag := mirror.FallbackTag(img.Digest) + ".sig"
		img.sign(t, tag, "by tag").sign(t, "", "one")
		load(t, c, img)
		foreign := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: img.Attached[0].Digest, Size: 7, ArtifactType: "foreign/type"}
		if err := c.AddReferrers(ctx, "app", img.Digest, []ocispec.Descriptor{foreign}); err != nil {
			t.Fatal(err)
		}
		img.sign(t, "", "two")
		load(t, c, img)
		if _, _, err := c.Manifest(ctx, "app", tag); err != nil {
			t.Error(err)
		}
		got, err := c.Referrers(ctx, "app", img.Digest)
		if err != nil {
			t.Fatal(err)
		}
		var have []string
		for _, d := range got {
			have = append(have, fmt.Sprintf("%s %s", d.Digest, d.ArtifactType))
		}
		sigstore := "application/vnd.dev.sigstore.bundle.v0.3+json"
		want := []string{
			fmt.Sprintf("%s foreign/type", foreign.Digest),
			fmt.Sprintf("%s %s", img.Attached[1].Digest, sigstore), fmt.Sprintf("%s %s", img.Attached[2].Digest, sigstore),
		}
		if slices.Sort(want); !slices.Equal(have, want) {
			t.Errorf("referrers %q, want %q", have, want)
		}
		before, _, _ := c.Manifest(ctx, "app", mirror.FallbackTag(img.Digest))
		load(t, c, img)
		if after, _, err := c.Manifest(ctx, "app", mirror.FallbackTag(img.Digest)); err != nil || !bytes.Equal(before, after) {
			t.Errorf("the list changed by loading the same again: %v", err)
		}
	})
}

// An attestation that only the index knows refers to nothing by itself, so it is no referrer; and it must be there
// before the index.
func TestAttestationsThatTheIndexLists(t *testing.T) {
	onEach(t, func(t *testing.T, _, url string) {
		ctx, c := t.Context(), client(t, url)
		img := newImage(t, "registry.example.com/app:1", "base", "").attest(t)
		load(t, c, img)
		for _, ref := range []string{"1", img.Digest.String()} {
			if got, _, err := c.Manifest(ctx, "app", ref); err != nil || !bytes.Equal(got, img.raws[img.Digest]) {
				t.Errorf("%s gave %s, %v", ref, got, err)
			}
		}
		if _, _, err := c.Manifest(ctx, "app", img.Attached[0].Digest.String()); err != nil {
			t.Error(err)
		}
		if listed, err := c.Referrers(ctx, "app", img.Attached[0].Subject); err != nil || len(listed) != 0 {
			t.Errorf("referrers %v, %v", listed, err)
		}
	})
}

// The index that a registry gets in place of a sparse one still names the attestations that travelled.
func TestCutIndexKeepsAttestations(t *testing.T) {
	onEach(t, func(t *testing.T, _, url string) {
		img := newImage(t, "registry.example.com/app:1", "base", "").attest(t, ocispec.Descriptor{
			MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString("arm64"), Size: 100,
			Platform: &ocispec.Platform{OS: "linux", Architecture: "arm64"},
		})
		c := client(t, url)
		load(t, c, img)
		got, _, err := c.Manifest(t.Context(), "app", "1")
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []digest.Digest{img.Manifests[0].Digest, img.Attached[0].Digest} {
			if !bytes.Contains(got, []byte(d)) {
				t.Errorf("the tag's index lacks %s: %s", d, got)
			}
		}
	})
}

// An index may list indexes. A registry that wants every platform gets them whole, or what is carried of them.
func TestNestedIndexes(t *testing.T) {
	other := ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromString("s390x"), Size: 100,
		Platform: &ocispec.Platform{OS: "linux", Architecture: "s390x"}}
	onEach(t, func(t *testing.T, kind, url string) {
		for name, img := range map[string]*image{
			"whole":        newImage(t, "registry.example.com/whole:1", "base", "w").attest(t).nest(t).nest(t),
			"inner sparse": newImage(t, "registry.example.com/inner:1", "base", "i").sparse(t).nest(t),
			"outer sparse": newImage(t, "registry.example.com/outer:1", "base", "o").attest(t).nest(t, other),
		} {
			ctx, c := t.Context(), client(t, url)
			load(t, c, img)
			if err := c.CheckImage(ctx, img.Image, nil, img.raw); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			repo, _, _ := strings.Cut(strings.TrimPrefix(img.Name, "registry.example.com/"), ":")
			tag, _, err := c.Manifest(ctx, repo, "1")
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			whole := kind != docker || name == "whole"
			if bytes.Equal(tag, img.raws[img.Digest]) != whole {
				t.Errorf("%s: the tag gives %s", name, tag)
			}
			if found := bytes.Equal(tag, img.raws[img.Manifests[0].Digest]) || leadsTo(t, c, repo, tag, img.Manifests[0].Digest); !found {
				t.Errorf("%s: the tag's index does not lead to the image: %s", name, tag)
			}
			release := []*bundle.Descriptor{img.descriptor()}
			if report, err := mirror.Fsck(ctx, c, release); err != nil || len(report.Problems) != 0 {
				t.Errorf("%s: fsck gave %+v, %v", name, report, err)
			}
			if _, err := mirror.GC(ctx, c, mirror.GCConfig{Drop: release}); err != nil {
				t.Fatal(err)
			}
			for _, d := range []digest.Digest{img.Digest, img.Indexes[0].Digest, img.Manifests[0].Digest} {
				if _, _, err := c.Manifest(ctx, repo, d.String()); !errors.Is(err, mirror.ErrNotFound) {
					t.Errorf("%s: after gc %s gives %v", name, d, err)
				}
			}
		}
	})
}

// leadsTo follows indexes as a runtime does.
func leadsTo(t *testing.T, c *mirror.Client, repo string, raw []byte, want digest.Digest) bool {
	t.Helper()
	var index ocispec.Index
	if err := json.Unmarshal(raw, &index); err != nil {
		t.Fatal(err)
	}
	for _, m := range index.Manifests {
		if m.Digest == want {
			return true
		}
		if m.MediaType != ocispec.MediaTypeImageIndex {
			continue
		}
		inner, _, err := c.Manifest(t.Context(), repo, m.Digest.String())
		if err == nil && leadsTo(t, c, repo, inner, want) {
			return true
		}
	}
	return false
}

func TestFsckFindsWhatIsMissing(t *testing.T) {
	onEach(t, func(t *testing.T, _, url string) {
		ctx, c := t.Context(), client(t, url)
		one := newImage(t, "registry.example.com/one:1", "base", "one").sign(t, "", "s")
		two := newImage(t, "registry.example.com/two:1", "base", "two").sparse(t)
		load(t, c, one)
		load(t, c, two)
		releases := []*bundle.Descriptor{one.descriptor(), two.descriptor()}
		report, err := mirror.Fsck(ctx, c, releases)
		if err != nil || len(report.Problems) != 0 || report.Blobs != 5 || report.Manifests != 4 {
			t.Fatalf("a good mirror gave %+v, %v", report, err)
		}
		lost := newImage(t, "registry.example.com/three:1", "base", "three")
		report, err = mirror.Fsck(ctx, c, append(releases, lost.descriptor()))
		if err != nil || len(report.Problems) != 3 {
			t.Fatalf("a missing image gave %+v, %v", report, err)
		}
		for _, p := range report.Problems {
			if p.Damaged || p.Repository != "three" || !slices.Equal(p.Images, []string{lost.Name}) {
				t.Errorf("problem %+v", p)
			}
		}
		if err := c.CheckImage(ctx, lost.Image, nil, lost.raw); !errors.Is(err, mirror.ErrNotFound) {
			t.Errorf("check of a missing image gave %v", err)
		}
	})
}

func TestGCDeletesWhatOnlyDroppedReleasesNeed(t *testing.T) {
	onEach(t, func(t *testing.T, _, url string) {
		ctx, c := t.Context(), client(t, url)
		old := newImage(t, "registry.example.com/app:1", "base", "old").joined(t, newImage(t, "", "base", "older")).sign(t, "", "old")
		shared := newImage(t, "registry.example.com/db:1", "db", "same")
		kept := newImage(t, "registry.example.com/app:2", "base", "new").sign(t, "", "new")
		foreign := newImage(t, "registry.example.com/app:3", "base", "somebody else's")
		for _, img := range []*image{old, shared, kept, foreign} {
			load(t, c, img)
		}
		cfg := mirror.GCConfig{
			Keep: []*bundle.Descriptor{kept.descriptor(), shared.descriptor()},
			Drop: []*bundle.Descriptor{old.descriptor(), shared.descriptor()}, DryRun: true,
		}
		planned, err := mirror.GC(ctx, c, cfg)
		if err != nil || len(planned) != 4 {
			t.Fatalf("dry run gave %v, %v", planned, err)
		}
		load(t, c, old) // nothing is gone: nothing is pushed but compared
		cfg.DryRun = false
		deleted, err := mirror.GC(ctx, c, cfg)
		if err != nil || !slices.Equal(deleted, planned) {
			t.Fatalf("deleted %v, %v; planned %v", deleted, err, planned)
		}
		for _, ref := range []string{"1", old.Manifests[0].Digest.String(), old.Attached[0].Digest.String(), mirror.FallbackTag(old.Digest)} {
			if _, _, err := c.Manifest(ctx, "app", ref); !errors.Is(err, mirror.ErrNotFound) {
				t.Errorf("%s of the dropped release is there still: %v", ref, err)
			}
		}
		for _, img := range []*image{shared, kept, foreign} {
			if err := c.CheckImage(ctx, img.Image, nil, img.raw); err != nil {
				t.Error(err)
			}
		}
		if got, err := c.Referrers(ctx, "app", kept.Digest); err != nil || len(got) != 1 {
			t.Errorf("referrers of what stays: %v, %v", got, err)
		}
		if deleted, err := mirror.GC(ctx, c, cfg); err != nil || len(deleted) != 0 {
			t.Errorf("the second time %v, %v", deleted, err)
		}
	})
}

func TestPushBlobsCountsAndStops(t *testing.T) {
	onEach(t, func(t *testing.T, _, url string) {
		ctx, c := t.Context(), client(t, url)
		var jobs []mirror.Job
		for i := range 12 {
			b := randomBlob(50_000+i, fmt.Sprint(i))
			jobs = append(jobs, mirror.Job{Repository: fmt.Sprint("app", i%3), Desc: b.Descriptor, Open: b.open})
		}
		totals, err := c.PushBlobs(ctx, jobs[:4], 3)
		if err != nil || totals.Pushed != 4 || totals.PushedBytes != 200_006 {
			t.Fatalf("first push gave %+v, %v", totals, err)
		}
		totals, err = c.PushBlobs(ctx, jobs, 5)
		if err != nil || totals.Pushed != 8 || totals.Reused != 4 || totals.ReusedBytes != 200_006 {
			t.Fatalf("second push gave %+v, %v", totals, err)
		}
		broken := errors.New("broken")
		missing := randomBlob(10, "missing")
		bad := mirror.Job{Repository: "app", Desc: missing.Descriptor, Open: func() (io.ReadCloser, error) { return nil, broken }}
		if _, err := c.PushBlobs(ctx, append(jobs, bad), 5); !errors.Is(err, broken) {
			t.Errorf("a bad job gave %v", err)
		}
	})
}

func TestCancelledPushesEnd(t *testing.T) {
	onEach(t, func(t *testing.T, _, url string) {
		ctx, cancel := context.WithCancelCause(t.Context())
		c := client(t, url)
		b := randomBlob(900_000, "cancelled")
		stop := errors.New("the person pressed Ctrl-C")
		r := io.MultiReader(bytes.NewReader(b.data[:500_000]), readerFunc(func([]byte) (int, error) {
			cancel(stop)
			return 0, ctx.Err()
		}))
		_, err := c.StreamBlob(ctx, "app", b.Descriptor, r)
		if !errors.Is(err, stop) && !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		var me *mirror.Error
		if errors.As(err, &me) {
			t.Errorf("the mirror is blamed: %v", err)
		}
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestSkopeoAgrees(t *testing.T) {
	skopeo := testtools.Skopeo(t)
	known, err := secret()
	if err != nil {
		t.Fatal(err)
	}
	onEach(t, func(t *testing.T, _, url string) {
		c := client(t, url)
		img := newImage(t, "registry.example.com/team/app:1", "base", "")
		load(t, c, img)
		from := "docker://" + strings.TrimPrefix(url, "http://") + "/team/app:1"
		out, err := exec.CommandContext(t.Context(), skopeo, "inspect", "--tls-verify=false", "--raw", from).CombinedOutput()
		if err != nil || !bytes.Equal(out, img.raws[img.Digest]) {
			t.Errorf("skopeo inspect: %v\n%s", err, out)
		}
		to := t.TempDir()
		out, err = exec.CommandContext(t.Context(), skopeo, "copy", "--src-tls-verify=false", "--preserve-digests", from, "dir:"+to).CombinedOutput()
		if err != nil {
			t.Errorf("skopeo copy from: %v\n%s", err, out)
		}
		back := "docker://" + strings.TrimPrefix(url, "http://") + "/copied/app:2"
		out, err = exec.CommandContext(t.Context(), skopeo, "copy", "--dest-tls-verify=false", "--dest-creds", known.User+":"+known.Password,
			"--preserve-digests", "dir:"+to, back).CombinedOutput()
		if err != nil {
			t.Errorf("skopeo copy to: %v\n%s", err, out)
		}
		if d, err := c.Resolve(t.Context(), "copied/app", "2"); err != nil || d.Digest != img.Digest {
			t.Errorf("what skopeo pushed is %v, %v", d, err)
		}
	})
}
