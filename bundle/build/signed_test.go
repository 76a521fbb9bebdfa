package build

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/internal/fixture"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// TestSignedImages has stock cosign sign images, by tag and as a referrer: the signatures are checked and travel along.
func TestSignedImages(t *testing.T) {
	host := strings.TrimPrefix(testtools.DockerRegistry(t), "http://")
	f := newFactory(t)
	cosign := func(args ...string) {
		t.Helper()
		cmd := exec.Command(testtools.Cosign(t), args...)
		cmd.Dir, cmd.Env = f.dir, append(os.Environ(), "COSIGN_PASSWORD=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("cosign %v: %v\n%s", args, err, out)
		}
	}
	cosign("generate-key-pair", "--output-key-prefix", "team")
	list := "  images:\n"
	for i, how := range []string{"--new-bundle-format=false", "--new-bundle-format"} {
		ref := fmt.Sprintf("%s/signed/app%d:1.0", host, i)
		img := toolImage()
		if err := fixture.Push(t.Context(), ref, img); err != nil {
			t.Fatal(err)
		}
		cosign("sign", "--yes", "--key", "team.key", "--tlog-upload=false", how, ref+"@"+must(img.Digest()).String())
		list += fmt.Sprintf("    - {name: %q, key: team.pub}\n", ref)
	}
	f.write("release-1.yaml", spec("1.0.0", list))
	var verified []string
	cfg := f.config("1")
	cfg.Observe = func(e Event) {
		if e.Label == "verified" {
			verified = append(verified, e.Text)
		}
	}
	res := f.build(cfg)
	if len(verified) != 2 || !strings.Contains(verified[0], "is signed by team (SHA256:") {
		t.Errorf("verified %q", verified)
	}
	o := open(t, res.File)
	site{}.load(t, o)
	for i, tagged := range []bool{true, false} {
		img := res.Descriptor.Images[i]
		if len(img.Attached) != 1 || (img.Attached[0].Tag != "") != tagged || img.Attached[0].Subject != img.Digest {
			t.Fatalf("attached to %s: %+v", img.Name, img.Attached)
		}
		if a := img.Attached[0]; digest.FromBytes(o.blobs[a.Digest]) != a.Digest {
			t.Errorf("the signature of %s is not in the bundle", img.Name)
		}
	}

	_, other := signer(t, "other")
	f.write("team.pub", string(other))
	_, err := Run(t.Context(), f.config("1"))
	if reasonOf(err, "") != "signature" || !strings.Contains(fmt.Sprint(err), filepath.Base(f.path("release-1.yaml"))+":8: image "+host) {
		t.Errorf("an image signed by another key: %v", err)
	}
}
