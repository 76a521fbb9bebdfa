//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/sallyport-dev/sallyport/internal/testpairs"
)

// wayBack is a site of its own on the node, and the releases that come to it one after the other.
type wayBack struct {
	name     string // the namespace too, $ns in the manifests, with which all names of the cluster's scope begin
	releases []arrival
	// keeps are what kubectl must answer after a release that failed as it did before.
	keeps []string
}

// arrival is a release and what becomes of it.
type arrival struct {
	manifests string
	spec      string // what else stands in its release.yaml
	checks    string // beside the wait for everything, of the form of release.yaml
	exit      int
	says      []string      // words of the output
	within    time.Duration // 0: no matter
	there     []string      // what kubectl must find afterwards
	gone      []string      // and what not
}

// TestWayBack takes sites through releases that fail, for reasons for which others' ways back did not lead back. What the
// cluster holds must be as before, to the field.
func TestWayBack(t *testing.T) {
	r := newRig(t)
	stop := r.factoryRegistry()
	r.image("pause", pauseName, nil)
	for version, mode := range map[string]string{"1": "well", "2": "well", "3": "crash", "4": "once"} {
		r.image("server", serverImage+":"+version, map[string]string{"version": version, "mode": mode})
	}
	r.sallyport(0, "key", "generate", "--output-key-prefix", "release")
	cases := wayBacks()
	sites := make([]*waySite, len(cases))
	for i, c := range cases {
		sites[i] = newWaySite(t, r, c)
	}
	stop()
	r.sallyport(0, "mirror", "config", "--containerd", environment(t, "CONTAINERD_HOSTS"),
		"--registry", "registry.example.com", "--registry", registry)

	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CASE\tRELEASE\tEXIT\tWANT\tOBJECTS\tSECONDS")
	for _, s := range sites {
		t.Run(s.c.name, func(t *testing.T) {
			s.r.t = t
			for i := range s.c.releases {
				row, ok := s.arrive(i)
				fmt.Fprintln(w, row)
				if !ok {
					return
				}
			}
		})
		s.leave(t)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Logf("there and back on the node:\n%s", table.String())
}

// waySite is a case under way.
type waySite struct {
	r     *rig
	c     wayBack
	world *testpairs.World
	pair  *testpairs.Pair
}

// newWaySite builds a case's releases with the factory's images and key.
func newWaySite(t *testing.T, factory *rig, c wayBack) *waySite {
	s := &waySite{r: newRigIn(t, filepath.Join(factory.dir, c.name)), c: c, pair: &testpairs.Pair{Namespace: c.name, Prefix: c.name}}
	s.r.run(0, "cp", "-r", filepath.Join(factory.dir, "images"), filepath.Join(factory.dir, "release.key"), filepath.Join(factory.dir, "release.pub"), ".")
	var err error
	if s.world, err = testpairs.NewWorld(environment(t, "KUBECONFIG")); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("$ns", c.name, "$well", container("1"), "$better", container("2"), "$crash", container("3"), "$once", container("4"))
	for i, a := range c.releases {
		v, timeout := version(i), time.Minute
		if a.exit != 0 {
			timeout = 15 * time.Second
		}
		s.r.write("manifests-"+v+"/all.yaml", fill.Replace(a.manifests))
		s.r.write("release-"+v+".yaml", fmt.Sprintf(`apiVersion: sallyport.dev/v1
kind: Release
metadata: {name: shop}
spec:
  version: %s
  sequence: %d
  platforms: [linux/%s]
  images: [{name: "%s", source: "oci:./images"}]
  manifests: [{path: ./manifests-%s}]
  %s
  checks:
    - {name: pods, kubernetes: {wait: all}, timeout: %s}
    %s
`, v, i+1, runtime.GOARCH, pauseName, v, fill.Replace(a.spec), timeout, a.checks))
		s.r.sallyport(0, "build", "--plain", "-f", "release-"+v+".yaml", "--key", "release.key", "-o", s.r.bundle(v))
	}
	return s
}

func version(i int) string { return fmt.Sprintf("%d.0.0", i+1) }

// container is the server of a version: 1 and 2 are well unless told otherwise, 3 crashes, 4 ends.
func container(version string) string {
	return fmt.Sprintf(`name: app, image: "%s:%s", terminationMessagePolicy: FallbackToLogsOnError`, serverImage, version)
}

// arrive applies a release, and returns its row of the table. After a failure everything must be as before.
func (s *waySite) arrive(i int) (row string, ok bool) {
	t, a := s.r.t, s.c.releases[i]
	var before testpairs.Dump
	var kept []string
	if i > 0 {
		before, kept = s.dump(), s.kept()
	}
	began := time.Now()
	exit, out := s.apply(version(i))
	took := time.Since(began)
	ok = exit == a.exit
	if !ok {
		t.Errorf("%s: exit status %d, want %d", version(i), exit, a.exit)
	}
	for _, word := range a.says {
		if !strings.Contains(out, word) {
			t.Errorf("%s: the output does not say %q", version(i), word)
		}
	}
	if a.within != 0 && took > a.within {
		t.Errorf("%s took %s, want less than %s", version(i), took, a.within)
	}
	for _, what := range a.there {
		s.kubectl("get", what)
	}
	for _, what := range a.gone {
		if found := s.kubectl("get", what, "--ignore-not-found", "-o", "name"); found != "" {
			t.Errorf("%s: %s is still there", version(i), found)
		}
	}
	objects := "applied"
	if exit != 0 && i > 0 {
		objects = s.compare(before, kept)
	}
	return fmt.Sprintf("%s\t%s\t%d\t%d\t%s\t%.1f", s.c.name, version(i), exit, a.exit, objects, took.Seconds()), ok
}

// compare says how what is there differs from what was there, in a moment: controllers may still be at it.
func (s *waySite) compare(before testpairs.Dump, kept []string) string {
	var differ []string
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		differ = nil
		for _, d := range testpairs.Compare(before, s.dump()) {
			differ = append(differ, d.String())
		}
		for i, now := range s.kept() {
			if now != kept[i] {
				differ = append(differ, fmt.Sprintf("kubectl %s: %q, was %q", s.c.keeps[i], now, kept[i]))
			}
		}
		if len(differ) == 0 {
			return fmt.Sprintf("equal (%d)", len(before))
		}
		if time.Now().After(deadline) {
			break
		}
	}
	s.r.t.Errorf("after the way back this differs:\n%s", strings.Join(differ, "\n"))
	return fmt.Sprintf("%d differ: %.60s", len(differ), differ[0])
}

// dump is everything of the site apart from what controllers make by themselves and count.
func (s *waySite) dump() testpairs.Dump {
	s.r.t.Helper()
	d, err := s.world.Dump(s.r.t.Context(), s.pair)
	if err != nil {
		s.r.t.Fatal(err)
	}
	for name, o := range d {
		if len(o.GetOwnerReferences()) > 0 || o.GetKind() == "Endpoints" {
			delete(d, name)
			continue
		}
		notes := o.GetAnnotations()
		delete(notes, "deployment.kubernetes.io/revision")
		o.SetAnnotations(notes)
	}
	return d
}

func (s *waySite) kept() []string {
	out := make([]string, len(s.c.keeps))
	for i, k := range s.c.keeps {
		out[i] = s.kubectl(strings.Fields(k)...)
	}
	return out
}

func (s *waySite) kubectl(args ...string) string {
	s.r.t.Helper()
	out, err := exec.Command("kubectl", append([]string{"-n", s.c.name}, args...)...).CombinedOutput()
	if err != nil {
		s.r.t.Errorf("kubectl %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// apply returns the exit status and everything that was printed.
func (s *waySite) apply(version string) (int, string) {
	s.r.t.Helper()
	cmd := exec.Command(environment(s.r.t, "SALLYPORT"), "apply", s.r.bundle(version))
	cmd.Dir, cmd.Env = s.r.dir, s.r.env
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.r.t.Fatal(err)
	}
	s.r.t.Logf("$ sallyport apply %s\n%s", s.r.bundle(version), out)
	return cmd.ProcessState.ExitCode(), string(out)
}

// leave frees the node for the next case.
func (s *waySite) leave(t *testing.T) {
	if err := s.world.Clean(context.WithoutCancel(t.Context()), s.pair); err != nil {
		t.Error(err)
	}
}
