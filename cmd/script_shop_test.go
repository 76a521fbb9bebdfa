//go:build !site

package cmd

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sallyport-dev/sallyport/bundle/sign"
)

// shopSite is the site.yaml of sessions that bring none.
const shopSite = `apiVersion: sallyport.dev/v1
kind: Site
metadata: {name: store, labels: {region: emea}}
spec:
  state: $WORK/state
  trust: $WORK/shop.pub
  mirror: {dir: $WORK/mirror, listen: "$MIRROR"}
  target:
    manifestsDir: {path: $WORK/manifests}
`

// newShop makes what every session finds in its folder, once for all, since keys and bundles take their time: the key
// pair shop.key and shop.pub, and two releases signed by it: r1.tar, shop 1.0.0 in full, and r2.tar, shop 2.0.0 with r1.tar as
// its base, each with its release.yaml, manifest and lock file; and the images of both.
func newShop(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	private, public, err := sign.GenerateKeyPair([]byte("test"))
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, data := range map[string][]byte{"shop.key": private, "shop.pub": public} {
		if err := os.WriteFile(at(name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("COSIGN_PASSWORD", "test")
	for i, base := range [][]string{nil, {"--base", at("r1.tar")}} {
		name, version := fmt.Sprintf("r%d", i+1), fmt.Sprintf("%d.0.0", i+1)
		if err := writeRelease(at(name+".yaml"), version, runtime.GOARCH, ""); err != nil {
			t.Fatal(err)
		}
		var told bytes.Buffer
		args := append([]string{"build", "-f", at(name + ".yaml"), "--key", at("shop.key"), "-o", at(name + ".tar")}, base...)
		if code := Main(args, nil, &told, &told); code != exitDone {
			t.Fatalf("exit status %d\n%s", code, told.String())
		}
	}
	return dir
}

// openShop copies the shop into the folder of a session, with a site that trusts it.
func openShop(env *testscript.Env, shop string) error {
	if err := os.CopyFS(env.WorkDir, os.DirFS(shop)); err != nil {
		return err
	}
	site := filepath.Join(env.WorkDir, "site.yaml")
	if _, err := os.Stat(site); err != nil {
		if err := os.WriteFile(site, []byte(shopSite), 0o644); err != nil {
			return err
		}
	}
	return os.MkdirAll(filepath.Join(env.WorkDir, "manifests"), 0o755)
}

const (
	releaseHead = "apiVersion: sallyport.dev/v1\nkind: Release\nmetadata: {name: shop}\nspec:\n  version: %s\n  platforms: [linux/%s]\n  manifests: [{path: %q}]\n  %s\n"
	configMap   = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\ndata: {version: %q}\n"
	pod         = "apiVersion: v1\nkind: Pod\nmetadata: {name: app}\nspec:\n  containers: [{name: app, image: %q}]\n"
)

// writeRelease writes a release.yaml of shop that runs the image registry.example.com/app:VERSION, and that image. The
// lines go below spec.
func writeRelease(file, version, arch, lines string) error {
	dir, image := filepath.Dir(file), "registry.example.com/app:"+version
	lines = strings.TrimSpace(fmt.Sprintf("images: [{name: %q, source: %q}]\n  %s", image, "oci:./images", lines))
	if err := writeImage(filepath.Join(dir, "images"), image, "base", "app"); err != nil {
		return err
	}
	return writeSpec(file, version, arch, fmt.Sprintf(pod, image), lines)
}

func writeSpec(file, version, arch, manifest, lines string) error {
	beside := strings.TrimSuffix(file, ".yaml") + ".manifest.yaml"
	if err := os.WriteFile(beside, []byte(manifest), 0o644); err != nil {
		return err
	}
	return os.WriteFile(file, fmt.Appendf(nil, releaseHead, version, arch, filepath.Base(beside), lines), 0o644)
}

// release FILE VERSION [LINE...]: writes the release.yaml of a shop that runs the image registry.example.com/app:VERSION,
// and makes that image. The lines go below spec; $NAME in them is expanded.
func cmdRelease(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: release FILE VERSION [LINE...]")
	}
	ts.Check(writeRelease(ts.MkAbs(args[0]), args[1], ts.Getenv("ARCH"), expandLines(ts, args[2:])))
}

// settings FILE VERSION [LINE...]: writes the release.yaml of a shop that is a ConfigMap only: it is built in no time.
func cmdSettings(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: settings FILE VERSION [LINE...]")
	}
	ts.Check(writeSpec(ts.MkAbs(args[0]), args[1], ts.Getenv("ARCH"), fmt.Sprintf(configMap, args[1]), expandLines(ts, args[2:])))
}

func expandLines(ts *testscript.TestScript, lines []string) string {
	return os.Expand(strings.Join(lines, "\n  "), ts.Getenv)
}

// window NAME FROM TO: sets a variable to a daily window from so many minutes after now to so many, which may be negative.
func cmdWindow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: window NAME FROM TO")
	}
	at := func(minutes string) string {
		n, err := strconv.Atoi(minutes)
		ts.Check(err)
		return time.Now().UTC().Add(time.Duration(n) * time.Minute).Format("15:04")
	}
	ts.Setenv(args[0], "daily "+at(args[1])+"-"+at(args[2])+" UTC")
}
