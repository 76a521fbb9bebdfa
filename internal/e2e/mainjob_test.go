//go:build e2e

package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/internal/testtools"
)

const (
	wellChecks = `    - name: pods
      kubernetes: {wait: all}
      timeout: 60s
    - name: health
      http: {url: "http://` + server + `/health"}
      interval: 500ms
      timeout: 30s
`
	crashChecks = `    - name: pods
      kubernetes: {wait: all}
      timeout: 12s
`
)

// TestMainJob builds four releases and takes the site through them.
func TestMainJob(t *testing.T) {
	r := newRig(t)
	stop := r.factoryRegistry()
	r.image("pause", pauseName, nil)
	for version, mode := range map[string]string{"1.0.0": "well", "2.0.0": "well", "3.0.0": "crash", "3.1.0": "sick"} {
		r.image("server", serverImage+":"+version, map[string]string{"version": version, "mode": mode})
		probe, checks := serverProbe, wellChecks
		switch mode {
		case "crash":
			probe, checks = "", crashChecks
		case "sick":
			checks = strings.Replace(wellChecks, "timeout: 30s", "timeout: 6s", 1)
		}
		r.release(version, serverImage+":"+version, probe, checks)
	}
	cosign := testtools.Cosign(t)
	r.run(0, cosign, "generate-key-pair", "--output-key-prefix", "image")
	r.run(0, cosign, "sign", "--key", "image.key", "--tlog-upload=false", "--yes", serverImage+"@"+r.digest("2.0.0"))
	r.sallyport(0, "key", "generate", "--output-key-prefix", "release")
	r.sallyport(0, "build", "-f", "release-1.0.0.yaml", "--key", "release.key", "-o", r.bundle("1.0.0"))
	r.sallyport(0, "build", "-f", "release-2.0.0.yaml", "--base", r.bundle("1.0.0"), "--key", "release.key", "-o", r.bundle("2.0.0"))
	for _, bad := range []string{"3.0.0", "3.1.0"} {
		r.sallyport(0, "build", "-f", "release-"+bad+".yaml", "--base", r.bundle("2.0.0"), "--key", "release.key", "-o", r.bundle(bad))
	}
	originals := r.digest("2.0.0")
	stop()

	r.sallyport(0, "mirror", "config", "--containerd", environment(t, "CONTAINERD_HOSTS"),
		"--registry", "registry.example.com", "--registry", registry)
	r.sallyport(0, "doctor")
	r.sallyport(0, "apply", r.bundle("1.0.0"))
	r.runs("1.0.0")
	r.sallyport(0, "apply", "--dry-run", r.bundle("2.0.0"))
	r.runs("1.0.0")
	r.sallyport(0, "apply", r.bundle("2.0.0"))
	r.runs("2.0.0")
	r.isDelta("2.0.0")
	r.mirrorHolds(originals)
	r.stockToolsAgree(cosign, originals)
	r.editIsUndone("2.0.0")

	r.sallyport(0, "rollback")
	r.runs("1.0.0")
	r.killedAnywhere()
	r.sallyport(0, "apply", "--retry", r.bundle("2.0.0"))
	for _, bad := range []struct{ version, reason string }{
		{"3.0.0", "server 3.0.0 cannot start: its configuration is broken"},
		{"3.1.0", "/health answered 500, wanted 200"},
	} {
		r.sallyport(5, "apply", r.bundle(bad.version))
		r.runs("2.0.0")
		r.lastAttempt(bad.version, bad.reason)
	}
	r.sallyport(0, "rollback")
	r.runs("1.0.0")
	r.sallyport(0, "apply", "--retry", r.bundle("2.0.0"))
	r.sallyport(0, "mirror", "fsck")
	r.sallyport(0, "mirror", "gc")
	r.sallyport(0, "mirror", "fsck")
	r.sallyport(0, "history")
}

// digest is what the factory's registry says a version's image is.
func (r *rig) digest(version string) string {
	out := r.run(0, "skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", "docker://"+serverImage+":"+version)
	return strings.TrimSpace(out)
}

// isDelta wants the server's layer to have travelled as a delta of less than half its size.
func (r *rig) isDelta(version string) {
	r.t.Helper()
	var in struct {
		Images []struct {
			Name  string
			Blobs []struct {
				Form        string
				Size, Bytes int64
			}
		}
	}
	r.sallyportJSON(0, &in, "inspect", r.bundle(version))
	for _, image := range in.Images {
		for _, b := range image.Blobs {
			if b.Form == "delta" && b.Bytes < b.Size/2 {
				return
			}
		}
	}
	r.t.Errorf("no layer of %s travelled as a small delta: %+v", version, in)
}

// mirrorHolds wants the mirror to serve an image whose every blob has the digest that its manifest gives it.
func (r *rig) mirrorHolds(digest string) {
	r.t.Helper()
	mirror := environment(r.t, "MIRROR") + "/v2/shop/server/"
	raw := r.run(0, "curl", "-sf", "-H", "Accept: application/vnd.oci.image.manifest.v1+json", mirror+"manifests/"+digest)
	if got := "sha256:" + sum([]byte(raw)); got != digest {
		r.t.Errorf("the mirror's manifest is %s, the factory's %s", got, digest)
	}
	var m struct{ Layers []struct{ Digest string } }
	if err := json.Unmarshal([]byte(raw), &m); err != nil || len(m.Layers) == 0 {
		r.t.Fatalf("the mirror's manifest has no layers: %v", err)
	}
	for _, l := range m.Layers {
		file := filepath.Join(r.dir, "blob")
		r.run(0, "curl", "-sf", "-o", file, mirror+"blobs/"+l.Digest)
		b, err := os.ReadFile(file)
		if err != nil {
			r.t.Fatal(err)
		}
		if got := "sha256:" + sum(b); got != l.Digest {
			r.t.Errorf("the mirror's layer is %s, want %s", got, l.Digest)
		}
	}
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// stockToolsAgree asks skopeo, cosign and kubectl.
func (r *rig) stockToolsAgree(cosign, digest string) {
	r.t.Helper()
	at := strings.TrimPrefix(environment(r.t, "MIRROR"), "http://") + "/shop/server"
	if got := strings.TrimSpace(r.run(0, "skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", "docker://"+at+":2.0.0")); got != digest {
		r.t.Errorf("skopeo finds %s in the mirror, want %s", got, digest)
	}
	r.write("trusted-root.json", `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`)
	r.run(0, cosign, "verify", "--key", "image.pub", "--offline", "--insecure-ignore-tlog=true", at+"@"+digest)
	pods := r.run(0, "kubectl", "-n", "shop", "get", "pods", "-o", "jsonpath={.items[*].status.containerStatuses[*].imageID}")
	if !strings.Contains(pods, digest) {
		r.t.Errorf("the pods run %s, want %s", pods, digest)
	}
}

// editIsUndone lets a person edit what runs: status tells of it, an apply of the same release leaves it, a repair takes it away.
func (r *rig) editIsUndone(version string) {
	r.t.Helper()
	drift := func() string {
		var st struct {
			Objects string
			Drift   []any
		}
		r.sallyportJSON(0, &st, "status", "--json")
		if st.Drift == nil {
			r.t.Errorf("nobody knows what differs: %s", st.Objects)
		}
		return fmt.Sprint(st.Drift...)
	}
	if d := drift(); d != "" {
		r.t.Errorf("nobody has edited anything, and this differs: %s", d)
	}
	r.run(0, "kubectl", "-n", "shop", "rollout", "restart", "deployment/server")
	r.run(0, "kubectl", "-n", "shop", "set", "env", "deployment/server", "DEBUG=1")
	if d := drift(); !strings.Contains(d, "env[DEBUG]") && !strings.Contains(d, ".env") || !strings.Contains(d, "kubectl-set") {
		r.t.Errorf("after kubectl set env this differs: %s", d)
	}
	r.sallyport(0, "apply", r.bundle(version))
	if drift() == "" {
		r.t.Error("apply has put back what a person had edited, unasked")
	}
	r.sallyport(0, "apply", "--repair")
	if d := drift(); d != "" {
		r.t.Errorf("after the repair this differs: %s", d)
	}
	r.runs(version)
}

// lastAttempt wants status to tell that a version failed, and a reason that holds the given words.
func (r *rig) lastAttempt(version, reason string) {
	r.t.Helper()
	var s struct {
		Phase         string
		Current       struct{ Version string }
		LastAttempted struct{ Version, Result, Reason string }
		NeedsPerson   bool
	}
	r.sallyportJSON(0, &s, "status")
	if s.Phase != "idle" || s.Current.Version != "2.0.0" || s.NeedsPerson {
		r.t.Errorf("status: %+v; want an idle site that runs 2.0.0", s)
	}
	if s.LastAttempted.Version != version || s.LastAttempted.Result != "rolledBack" || !strings.Contains(s.LastAttempted.Reason, reason) {
		r.t.Errorf("last attempt: %+v; want %s rolledBack because %q", s.LastAttempted, version, reason)
	}
}

// killedAnywhere kills apply as soon as the journal shows each phase; the next verb must bring the site where it should be.
func (r *rig) killedAnywhere() {
	for _, phase := range []string{"verified", "loaded", "written", "armed", "trial"} {
		if !r.killAt(phase) {
			r.t.Errorf("apply was never seen in phase %q", phase)
		}
		r.sallyport(0, "status")
		r.sallyport(0, "apply", "--retry", r.bundle("2.0.0"))
		r.runs("2.0.0")
		r.sallyport(0, "rollback")
		r.runs("1.0.0")
		r.sallyport(0, "mirror", "gc") // so that the next round has something to load
	}
}

func (r *rig) killAt(phase string) bool {
	for range 10 {
		cmd := exec.Command(environment(r.t, "SALLYPORT"), "apply", "--retry", r.bundle("2.0.0"))
		cmd.Dir, cmd.Env = r.dir, r.env
		if err := cmd.Start(); err != nil {
			r.t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { _ = cmd.Wait(); close(done) }()
		seen := r.watch(phase, done)
		_ = cmd.Process.Kill()
		<-done
		if seen {
			return true
		}
		r.sallyport(0, "rollback")
	}
	return false
}

// watch reads the journal until it shows phase or the process is done.
func (r *rig) watch(phase string, done <-chan struct{}) bool {
	want := fmt.Sprintf("%q:%q", "phase", phase)
	for {
		select {
		case <-done:
			return false
		default:
		}
		b, _ := os.ReadFile(filepath.Join(r.dir, "state", "state.json"))
		if strings.Contains(strings.Join(strings.Fields(string(b)), ""), want) {
			return true
		}
		time.Sleep(200 * time.Microsecond)
	}
}
