package apply

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/durable/durabletest"
)

// scrub reads all that releases need of the world's mirror.
func (w *world) scrub(_ context.Context, _ ImageStore, releases []*bundle.Descriptor) (*mirror.FsckReport, error) {
	report := &mirror.FsckReport{}
	note := func(repo string, d digest.Digest, from map[string][]byte, manifest bool) {
		b, ok := from[key(repo, d)]
		if !ok || digest.FromBytes(b) != d {
			report.Problems = append(report.Problems, mirror.Problem{Repository: repo, Digest: d, Manifest: manifest, Damaged: ok})
		}
	}
	for _, d := range releases {
		if err := wants(d, func(repo string, dgst digest.Digest) { note(repo, dgst, w.blobs, false) }); err != nil {
			return nil, err
		}
		for _, img := range d.Images {
			name, err := mirror.Repository(img.Name)
			if err != nil {
				return nil, err
			}
			note(name.Repository, img.Digest, w.manifests, true)
		}
	}
	return report, nil
}

func (w *world) drop(_ context.Context, _ Mirror, found *mirror.FsckReport) error {
	for _, p := range found.Problems {
		if p.Damaged && !p.Manifest {
			delete(w.blobs, key(p.Repository, p.Digest))
		}
	}
	return nil
}

func (s sealed) candidate() Candidate {
	return Candidate{Name: s.release.String(), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(s.bytes)), nil }}
}

func (s *testSite) recover(o RecoverOptions, bundles ...sealed) (*Result, *Recovery, error) {
	var all []Candidate
	for _, b := range bundles {
		all = append(all, b.candidate())
	}
	return s.Recover(context.Background(), all, o)
}

// loss takes parts away from a site and its world.
var losses = map[string]func(s *testSite) error{
	"state":   func(s *testSite) error { return os.RemoveAll(s.cfg.Spec.State) },
	"journal": func(s *testSite) error { return os.Remove(s.journalPath()) },
	"slots":   func(s *testSite) error { return os.RemoveAll(s.slotsPath()) },
	"mirror": func(s *testSite) error {
		s.world.blobs, s.world.manifests, s.world.tags = map[string][]byte{}, map[string][]byte{}, map[string]digest.Digest{}
		return nil
	},
	// An image whose bytes are zeros is not there.
	"zeros": func(s *testSite) error {
		for k, b := range s.world.blobs {
			s.world.blobs[k] = make([]byte, len(b))
		}
		return nil
	},
	"objects": func(s *testSite) error { s.world.objects = map[kube.ID]string{}; return nil },
}

// A recovery that a power cut ends at any moment is taken up by the next one: what ran, runs, and can go back as far as that was known.
func TestRecoverCutShort(t *testing.T) {
	r := newReleases(t)
	step := 1
	if testing.Short() {
		step = 5
	}
	for _, lost := range []string{"state mirror objects", "state", "journal zeros", "slots objects", "mirror", "state mirror slots objects"} {
		t.Run(lost, func(t *testing.T) {
			t.Parallel()
			base := newTestSite(t, r.factory, newWorld())
			base.must(r.one)
			base.must(r.two)
			for _, part := range strings.Fields(lost) {
				if err := losses[part](base); err != nil {
					t.Fatal(err)
				}
			}
			for _, mode := range durabletest.Modes {
				at := 0
				for recoveredTwice(t, r, base, mode, at) {
					at += step
				}
				if at == 0 {
					t.Errorf("%s: nothing was broken off", mode)
				}
			}
		})
	}
}

// recoveredTwice breaks a recovery off at one operation, and wants the next one to end it. It returns false when there are not so many.
func recoveredTwice(t *testing.T, r *releases, base *testSite, mode durabletest.Mode, at int) bool {
	t.Helper()
	faults := &durabletest.Faults{At: at, Mode: mode}
	w := base.world.clone()
	w.faults = faults
	s := siteAt(t, copyDir(t, base.cfg.Spec.State), r.factory, w)
	_, _, err := s.recover(RecoverOptions{}, r.one, r.two)
	if !faults.Fell() {
		return false
	}
	w.faults = neverFails()
	s = siteAt(t, s.cfg.Spec.State, r.factory, w)
	if _, _, again := s.recover(RecoverOptions{}, r.one, r.two); again != nil {
		t.Errorf("%s: %v (the first said: %v)", faults, again, err)
	}
	if p := s.problem(&r.two); p != "" {
		t.Errorf("%s: %s (the first said: %v)", faults, p, err)
	}
	return true
}

// Every combination of lost parts, on fakes: what the plan names is what is lost, and the site is whole afterwards.
func TestRecoverCombinations(t *testing.T) {
	r := newReleases(t)
	parts := []string{"journal", "slots", "mirror", "zeros", "objects"}
	for set := range 1 << len(parts) {
		s := newTestSite(t, r.factory, newWorld())
		s.must(r.one)
		s.must(r.two)
		var lost []string
		for i, p := range parts {
			if set>>i&1 == 1 {
				lost = append(lost, p)
				if err := losses[p](s); err != nil {
					t.Fatal(err)
				}
			}
		}
		res, plan, err := s.recover(RecoverOptions{}, r.one, r.two)
		if err != nil {
			t.Errorf("lost %v: %v", lost, err)
			continue
		}
		if p := s.problem(&r.two); p != "" {
			t.Errorf("lost %v: %s", lost, p)
		}
		if got := s.status(); got.RollbackIndex != 2 {
			t.Errorf("lost %v: the rollback index is %d", lost, got.RollbackIndex)
		}
		if (len(plan.Lost) > 0) != (len(lost) > 0) || (res.Result == ResultNothing) != (len(lost) == 0) {
			t.Errorf("lost %v: result %s, plan %+v", lost, res.Result, plan.Lost)
		}
	}
}

// What tells how far the site had come keeps older releases out; where nothing does, a person may say it.
func TestRecoverIndex(t *testing.T) {
	r := newReleases(t)
	for name, c := range map[string]struct {
		lose   []string
		index  uint64
		reason string
		from   string
	}{
		"journal":        {[]string{"mirror"}, 0, "sequence", ""},
		"history, slots": {[]string{"journal", "mirror"}, 0, "sequence", ""},
		"a person":       {[]string{"state", "mirror"}, 2, "sequence", ""},
		"nothing":        {[]string{"state", "mirror"}, 0, "", ""},
	} {
		s := newTestSite(t, r.factory, newWorld())
		s.must(r.two)
		for _, p := range c.lose {
			if err := losses[p](s); err != nil {
				t.Fatal(err)
			}
		}
		_, plan, err := s.recover(RecoverOptions{Index: c.index}, r.one)
		if reasonOf(err) != c.reason {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && plan.Index.Known {
			t.Errorf("%s: %+v", name, plan.Index)
		}
	}
}

// A backup tells how far the site had come.
func TestRecoverWithBackup(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	s.must(r.one)
	s.must(r.two)
	j, err := s.readJournal()
	if err != nil {
		t.Fatal(err)
	}
	b := &Backup{Transaction: j.Transaction, Name: j.Name, Names: j.Names, Bad: j.Bad}
	if err := losses["state"](s); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.recover(RecoverOptions{Backup: b}, r.one); reasonOf(err) != "sequence" {
		t.Errorf("an older release: %v", err)
	}
	_, plan, err := s.recover(RecoverOptions{Backup: b}, r.two)
	if err != nil {
		t.Fatal(err)
	}
	if plan.Index != (Index{true, 2, "the backup"}) {
		t.Errorf("index %+v", plan.Index)
	}
	if p := s.problem(&r.two); p != "" {
		t.Error(p)
	}
}

// zarf#3001: the registry's own image comes from that registry.
func TestMirrorIsPodOfRelease(t *testing.T) {
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: registry, namespace: infra, labels: {app: registry}}\nspec:\n  containers: [{name: r, image: example.com/registry:2%s}]\n"
	svc := "---\napiVersion: v1\nkind: Service\nmetadata: {name: registry, namespace: infra}\nspec: {selector: {app: registry}, %s}\n"
	for name, c := range map[string]struct {
		yaml, url string
		circle    bool
	}{
		"port of the host":    {fmt.Sprintf(pod, ", ports: [{containerPort: 5000, hostPort: 5000}]"), "http://127.0.0.1:5000", true},
		"another port":        {fmt.Sprintf(pod, ", ports: [{containerPort: 5000, hostPort: 5001}]"), "http://127.0.0.1:5000", false},
		"node port":           {fmt.Sprintf(pod, "") + fmt.Sprintf(svc, "ports: [{port: 5000, nodePort: 31999}]"), "http://127.0.0.1:31999", true},
		"name of the Service": {fmt.Sprintf(pod, "") + fmt.Sprintf(svc, "ports: [{port: 5000}]"), "http://registry.infra.svc.cluster.local:5000", true},
		"its address":         {fmt.Sprintf(pod, "") + fmt.Sprintf(svc, "clusterIP: 10.43.0.9, ports: [{port: 5000}]"), "http://10.43.0.9:5000", true},
		"others' registry":    {fmt.Sprintf(pod, "") + fmt.Sprintf(svc, "ports: [{port: 5000}]"), "http://10.1.2.3:5000", false},
	} {
		at, image, err := servesMirror([]byte(c.yaml), c.url)
		if err != nil || (at != "") != c.circle || c.circle && (at != "Pod infra/registry" || image != "example.com/registry:2") {
			t.Errorf("%s: %q %q %v", name, at, image, err)
		}
	}
}

// The circle is seen before anything is changed, and the hint is the way out of it.
func TestRecoverSeesCircle(t *testing.T) {
	r := newReleases(t)
	c := newContent("2.0.0", 2)
	yaml := []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: registry, namespace: infra}\nspec: {hostNetwork: true, containers: [{name: r, image: example.com/registry:2, ports: [{containerPort: 5000}]}]}\n")
	c.d.Manifests = bundle.Manifests{Digest: c.keep(yaml), Size: int64(len(yaml)), Objects: 1}
	b := r.factory.seal(t, c)
	s := newTestSite(t, r.factory, newWorld())
	s.deps.OpenMirror = func(context.Context) (Mirror, func() error, error) { return nil, nil, errors.New("connection refused") }
	_, _, err := s.recover(RecoverOptions{}, b)
	var e *Error
	if !errors.As(err, &e) || e.Word != "circle" || !strings.Contains(e.Text, "is Pod infra/registry of store-platform 2.0.0") || !strings.Contains(e.Advice, "images import") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(s.cfg.Spec.State); !errors.Is(err, os.ErrNotExist) {
		t.Error("something was written")
	}
}

// A trust that comes back older than it was is said.
func TestTrustOlder(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	b := &Backup{Made: noon.Add(-time.Hour)}
	if got := s.TrustOlder(b); !strings.Contains(got, "is not known here any more") {
		t.Errorf("without a history: %q", got)
	}
	s.must(r.one)
	if got := s.TrustOlder(b); !strings.Contains(got, "this site was at work until") {
		t.Errorf("signed by a key that it knows: %q", got)
	}
	s.deps.LoadTrust = newTestSite(t, newFactory(t), newWorld()).deps.LoadTrust
	if got := s.TrustOlder(b); !strings.Contains(got, "older than it was: store-platform 1.0.0 ran here after the backup") {
		t.Errorf("signed by a key that it does not know: %q", got)
	}
	if got := s.TrustOlder(&Backup{Made: noon.Add(time.Hour)}); got != "" {
		t.Errorf("a later backup: %q", got)
	}
}

// rke2#2410, k3s#13085: the datastore was put back and the server token was not. It is said first, of k3s and RKE2, unless the settings
// or the backup have the token.
func TestRecoverNamesToken(t *testing.T) {
	r := newReleases(t)
	s := newTestSite(t, r.factory, newWorld())
	root := t.TempDir()
	s.deps.Root = root
	dir := s.rooted("/var/lib/rancher/rke2")
	if err := os.MkdirAll(dir+"/server/db", 0o700); err != nil {
		t.Fatal(err)
	}
	plan := func(b *Backup) []string {
		t.Helper()
		_, p, err := s.recover(RecoverOptions{DryRun: true, Backup: b}, r.one)
		if err != nil {
			t.Fatal(err)
		}
		var parts []string
		for _, l := range p.Lost {
			parts = append(parts, l.Part)
		}
		return parts
	}
	if got := plan(nil); len(got) == 0 || got[0] != "token" {
		t.Errorf("lost %v", got)
	}
	if f := s.recoveryDue(); f.OK || !strings.Contains(f.Mend, "--backup") {
		t.Errorf("%+v", f)
	}
	if got := plan(&Backup{data: map[string][]byte{dir + "/server/token": nil}}); slices.Contains(got, "token") {
		t.Errorf("with a backup: lost %v", got)
	}
	if err := os.MkdirAll(s.rooted("/etc/rancher/rke2"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.rooted("/etc/rancher/rke2/config.yaml"), []byte("node-name: a\ntoken: secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := plan(nil); slices.Contains(got, "token") {
		t.Errorf("with the token in config.yaml: lost %v", got)
	}
}
