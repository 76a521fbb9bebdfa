//go:build linux && !site

package cmd

import (
	"bytes"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/internal/fixture"
)

// slow is a stick that takes a few seconds.
type slow struct{ io.Reader }

func (s slow) Read(b []byte) (int, error) {
	time.Sleep(10 * time.Millisecond)
	return s.Reader.Read(b[:min(len(b), 32<<10)])
}

// oneLayer makes, in a new folder that becomes the working one, a bundle with one layer of 8 MB, and a site for it.
func oneLayer(t *testing.T) (bundle []byte) {
	t.Helper()
	t.Chdir(t.TempDir())
	t.Setenv("COSIGN_PASSWORD", "test")
	mirror, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 8<<20)
	_, _ = rand.New(rand.NewSource(1)).Read(data) // never fails
	layer, err := fixture.Layer(fixture.File{Path: "data", Mode: 0o644, Data: data})
	if err != nil {
		t.Fatal(err)
	}
	img, err := fixture.Image(runtime.GOARCH, "/app", layer)
	if err != nil {
		t.Fatal(err)
	}
	if err := fixture.WriteLayout("images", "registry.example.com/shop:1", img); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"release.yaml": `{apiVersion: sallyport.dev/v1, kind: Release, metadata: {name: shop}, spec: {version: 1.0.0, sequence: 1,
  platforms: [linux/` + runtime.GOARCH + `], manifests: [{path: pod.yaml}], images: [{name: "registry.example.com/shop:1", source: "oci:images"}]}}`,
		"pod.yaml": `{apiVersion: v1, kind: Pod, metadata: {name: shop}, spec: {containers: [{name: shop, image: "registry.example.com/shop:1"}]}}`,
		"site.yaml": `{apiVersion: sallyport.dev/v1, kind: Site, metadata: {name: store}, spec: {state: state, trust: release.pub,
  mirror: {dir: mirror, listen: "` + mirror + `"}, target: {manifestsDir: {path: manifests}}}}`,
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir("manifests", 0o755); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, args := range [][]string{{"key", "generate", "--output-key-prefix", "release"}, {"build", "--plain", "--key", "release.key", "-o", "r.tar"}} {
		if Main(args, nil, &out, &out) != 0 {
			t.Fatal(out.String())
		}
	}
	if bundle, err = os.ReadFile("r.tar"); err != nil {
		t.Fatal(err)
	}
	return bundle
}

// again takes away what the site has, so that the same is to do again.
func again(t *testing.T) {
	t.Helper()
	for _, name := range []string{"state", "mirror", filepath.Join("manifests", "sallyport.yaml")} {
		if err := os.RemoveAll(name); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBars runs verbs on pseudo-terminals. Bars move within one blob, fit their terminal, and leave nothing behind.
func TestBars(t *testing.T) {
	bundle := oneLayer(t)
	const apply, verify = "apply - --site site.yaml", "verify - --key release.pub"
	moves := `^loading   \[=*>? *\]  [0-9.]+ (kB |MB )?of 8\.39 MB restored, [0-9.]+ [kM]B read, [0-9.]+ [kM]B/s, \d+ s left$`
	for _, c := range []struct {
		name, args string
		columns    int
		env        string
		frame      string // what several frames are like; empty: there is no bar
		last       string // what stands there in the end
	}{
		{"apply", apply, 100, "", moves, "store now runs shop 1.0.0"},
		{"stage", strings.Replace(apply, "apply", "stage", 1), 100, "", moves, "shop 1.0.0 is ready on store"},
		{"a usual terminal", apply, 80, "", `^loading   \[=*>? *\]  .* of 8\.39 MB restored, .* left$`, "store now runs"},
		{"a narrow terminal", apply, 40, "", `^loading   [0-9.]+ (kB |MB )?of 8\.39 MB, \d+ s left$`, "store now runs"},
		{"hardly a terminal", apply, 20, "", `^loading   .{8,9}$`, "store now"},
		{"of unknown size", verify, 80, "", `^verifying [0-9.]+ MB, [0-9.]+ [kM]B/s$`, "is good"},
		{"no colours", verify, 80, "NO_COLOR=1", `^verifying [0-9.]+ MB`, "is good"},
		{"a dumb terminal", verify, 80, "TERM=dumb", "", "is good"},
		{"plain", verify + " --progress plain", 80, "", "", "is good"},
		{"none", verify + " --progress none", 80, "", "", "is good"},
		{"quiet", verify + " --quiet", 80, "", "", "is good"},
		{"an object", apply + " --json", 100, "", moves, "trusted   signed by release"},
	} {
		t.Run(c.name, func(t *testing.T) {
			again(t)
			t.Setenv("TERM", "xterm")
			if name, value, ok := strings.Cut(c.env, "="); ok {
				t.Setenv(name, value)
			}
			s := newScreen(t, c.columns)
			out := io.Writer(s.tty)
			if strings.Contains(c.args, "--json") {
				out = io.Discard
			}
			status := Main(strings.Fields(c.args), slow{bytes.NewReader(bundle)}, out, s.tty)
			text, frames, raw := s.end()
			if status != 0 || !strings.Contains(strings.ReplaceAll(text, "\n", ""), c.last) {
				t.Errorf("exit status %d, and on the terminal\n%s", status, text)
			}
			if c.frame == "" {
				if strings.Contains(raw, "\x1b") {
					t.Errorf("a bar, or a colour: %q", raw)
				}
				return
			}
			like, seen := regexp.MustCompile(c.frame), map[string]bool{}
			for _, f := range frames {
				if len([]rune(f)) >= c.columns {
					t.Errorf("in %d columns: %q", c.columns, f)
				}
				if like.MatchString(f) {
					seen[f] = true
				}
			}
			if len(seen) < 4 {
				t.Errorf("%d frames are like %s:\n%s", len(seen), c.frame, strings.Join(frames, "\n"))
			}
			for _, line := range strings.Split(text, "\n") {
				if strings.Contains(line, " of 8.39") || strings.Contains(line, "/s") || strings.Contains(line, "[=") {
					t.Errorf("a bar is left behind: %q", line)
				}
			}
			if c.env == "NO_COLOR=1" && strings.Contains(strings.ReplaceAll(raw, erase, ""), "\x1b") {
				t.Errorf("colours: %q", raw)
			}
		})
	}
}

// TestBarResized holds that a bar fits a terminal that has become narrower.
func TestBarResized(t *testing.T) {
	s := newScreen(t, 80)
	u := newUI(s.tty, s.tty, commonFlags{progress: "auto", logFormat: "text"})
	if u.screen == nil {
		t.Fatal("no bar would be drawn")
	}
	now := time.Now()
	u.advance("loading", "restored", 1e6, 1e8, now)
	u.say("note", "a line between")
	s.await(t, "between\r\n")
	s.resize(t, 40)
	u.advance("loading", "restored", 2e6, 1e8, now.Add(2*time.Second))
	u.end()
	text, frames, _ := s.end()
	if len(frames) != 2 || len(frames[0]) < 40 || len(frames[1]) >= 40 || !strings.HasSuffix(frames[1], "2.00 of 100 MB, 2 min left") {
		t.Errorf("frames %q", frames)
	}
	if text != "note      a line between\n" {
		t.Errorf("what stays is %q", text)
	}
}

// TestPhasesWithoutTerminal holds that long phases are told of now and then where no bar can be drawn.
func TestPhasesWithoutTerminal(t *testing.T) {
	var out bytes.Buffer
	u := newUI(&out, io.Discard, commonFlags{progress: "auto", logFormat: "text"})
	now := time.Now()
	for s := range 150 {
		if line := u.advance("loading", "restored", int64(s)*1e6, 150e6, now.Add(time.Duration(s)*time.Second)); line != "" {
			u.say("loading", "%s", line)
		}
	}
	want := "loading   60.0 of 150 MB restored, 1.00 MB/s, 2 min left\nloading   120 of 150 MB restored, 1.00 MB/s, 30 s left\n"
	if out.String() != want {
		t.Errorf("%s, want\n%s", out.String(), want)
	}
}
