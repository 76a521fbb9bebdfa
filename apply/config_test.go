package apply

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/internal/strictyaml"
)

const least = `apiVersion: sallyport.dev/v1
kind: Site
metadata: {name: store-0142}
spec:
  trust: release.pub
  mirror: {url: "http://127.0.0.1:5000"}
  target:
    manifestsDir: {path: /m}
`

func TestConfigDefaultsAndPaths(t *testing.T) {
	path := filepath.Join(t.TempDir(), "site.yaml")
	if err := os.WriteFile(path, []byte(least), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(filepath.Dir(path), "release.pub"); c.Spec.Trust != want {
		t.Errorf("trust is %s, want %s: relative to the file", c.Spec.Trust, want)
	}
	if c.Spec.State != "/var/lib/sallyport" || c.Spec.Slots.Backend != "none" || c.Spec.Target.ManifestsDir.Path != "/m" {
		t.Errorf("spec is %+v", c.Spec)
	}
	if !strings.HasPrefix(c.Spec.Platform, runtime.GOOS+"/"+runtime.GOARCH) {
		t.Errorf("platform is %s", c.Spec.Platform)
	}
}

func TestConfigTemplateIsValid(t *testing.T) {
	if _, err := parseConfig("site.yaml", []byte(ConfigTemplate)); err != nil {
		t.Error(err)
	}
	// And so is every alternative that it shows as a comment.
	for _, swap := range [][2]string{
		{"  mirror:\n    dir: /var/lib/sallyport/mirror\n    listen: \"127.0.0.1:5000\"\n", ""},
		{"  target:\n    kubernetes:\n      kubeconfig: /etc/rancher/k3s/k3s.yaml\n", ""},
	} {
		if !strings.Contains(ConfigTemplate, swap[0]) {
			t.Fatalf("the template does not hold %q", swap[0])
		}
	}
	text := strings.ReplaceAll(ConfigTemplate, "  mirror:\n    dir: /var/lib/sallyport/mirror\n    listen: \"127.0.0.1:5000\"\n", "")
	text = strings.ReplaceAll(text, "  target:\n    kubernetes:\n      kubeconfig: /etc/rancher/k3s/k3s.yaml\n", "")
	for _, field := range []string{"mirror:", "  url:", "  credentials:", "  ca:", "target:", "  manifestsDir:", "checksDir:", "platform:"} {
		before := text
		text = strings.ReplaceAll(text, "  # "+field, "  "+field)
		if text == before {
			t.Fatalf("the template shows no %s", field)
		}
	}
	if _, err := parseConfig("site.yaml", []byte(text)); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestConfigErrorsNameTheLine(t *testing.T) {
	for _, c := range []struct{ name, old, new, field, hint string }{
		{"no mirror", `  mirror: {url: "http://127.0.0.1:5000"}` + "\n", "", "spec.mirror", "127.0.0.1:5000"},
		{"both mirrors", `{url: "http://127.0.0.1:5000"}`, `{url: "http://a", dir: /d}`, "spec.mirror", "keep url"},
		{"mirror without scheme", "http://127.0.0.1:5000", "127.0.0.1:5000", "spec.mirror.url", ""},
		{"listen with url", `5000"}`, `5000", listen: "a:1"}`, "spec.mirror.listen", "dir"},
		{"bad listen", `{url: "http://127.0.0.1:5000"}`, `{dir: /d, listen: here}`, "spec.mirror.listen", ""},
		{"credentials of the embedded mirror", `{url: "http://127.0.0.1:5000"}`, `{dir: /d, insecure: true}`, "spec.mirror", ""},
		{"no trust", "  trust: release.pub\n", "", "spec.trust", "public keys"},
		{"zone", "  trust:", "  windows:\n    - \"Sat 02:00-04:00 UTC\"\n    - \"Sat 02:00-04:00 Europe/Atlantis\"\n  trust:", "spec.windows[1]", "IANA"},
		{"blackout", "  trust:", "  blackouts: [\"24.12.2026 UTC\"]\n  trust:", "spec.blackouts[0]", "2026-12-20"},
		{"window need", "  trust:", "  windowNeed: 0s\n  trust:", "spec.windowNeed", "30m"},
		{"inbox", "  trust:", "  inbox: [\"\"]\n  trust:", "spec.inbox[0]", "folder"},
		{"no target", "    manifestsDir: {path: /m}\n", "    {}\n", "spec.target", "kubernetes"},
		{"both targets", "{path: /m}", "{path: /m}\n    kubernetes: {kubeconfig: /k}", "spec.target", "keep one"},
		{"no kubeconfig", "manifestsDir: {path: /m}", "kubernetes: {context: c}", "spec.target.kubernetes.kubeconfig", ""},
		{"no path", "manifestsDir: {path: /m}", `manifestsDir: {path: ""}`, "spec.target.manifestsDir.path", ""},
		{"flux", "manifestsDir: {path: /m}", "flux: {a: b}", "spec.target.flux", "manifestsDir"},
		{"backend", "  trust:", "  slots: {backend: lilo}\n  trust:", "spec.slots.backend", "grub"},
		{"platform", "  trust:", "  platform: amd64\n  trust:", "spec.platform", ""},
		{"name", "store-0142", "'store 0142'", "metadata.name", "letters"},
		{"kind", "Site", "Release", "kind", ""},
		{"version", "sallyport.dev/v1", "sallyport.dev/v2", "apiVersion", ""},
		{"unknown field", "  trust:", "  checkDir: /c\n  trust:", "spec.checkDir", "checksDir"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(least, c.old, c.new, 1)
			if text == least {
				t.Fatal("nothing was changed")
			}
			_, err := parseConfig("site.yaml", []byte(text))
			var e *strictyaml.Error
			if !errors.As(err, &e) {
				t.Fatalf("error is %v", err)
			}
			if e.Field != c.field || e.Line == 0 || e.Reason() != "spec" || !strings.Contains(e.Hint(), c.hint) {
				t.Errorf("line %d, field %s, hint %q: %v", e.Line, e.Field, e.Hint(), e)
			}
		})
	}
}

func TestConfigThatIsNotThere(t *testing.T) {
	_, err := LoadConfig(filepath.Join(t.TempDir(), "site.yaml"))
	if reasonOf(err) != "spec" || !strings.Contains(err.Error(), "site.yaml") {
		t.Errorf("error is %v", err)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(least))
	f.Add([]byte(ConfigTemplate))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseConfig("/etc/site.yaml", data)
		if err != nil {
			return
		}
		if !filepath.IsAbs(c.Spec.State) || !filepath.IsAbs(c.Spec.Trust) || (c.Spec.Mirror.URL == "") == (c.Spec.Mirror.Dir == "") {
			t.Errorf("accepted: %+v", c.Spec)
		}
	})
}

// Data that nobody would save must not look as if they were.
func TestDataWithoutLoader(t *testing.T) {
	for _, slots := range []string{"", "  slots: {backend: none}\n"} {
		text := strings.Replace(least, "  trust:", slots+"  data: {k3s: {}}\n  trust:", 1)
		if _, err := parseConfig("site.yaml", []byte(text)); reasonOf(err) != "spec" || !strings.Contains(err.Error(), "spec.data goes with a boot loader") {
			t.Errorf("%q: got %v", slots, err)
		}
	}
}
