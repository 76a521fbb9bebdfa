package testtools

import (
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
)

func TestDockerRegistry(t *testing.T) {
	url := DockerRegistry(t)
	resp, err := http.Get(url + "/v2/_catalog")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.TrimSpace(string(body)), `{"repositories":[]}`; got != want {
		t.Errorf("catalog = %s, want %s", got, want)
	}
}

func TestCosignHasThePinnedVersion(t *testing.T) {
	out, err := exec.Command("go", "version", "-m", Cosign(t)).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if want := "github.com/sigstore/cosign/v2\t" + CosignVersion; !strings.Contains(string(out), want) {
		t.Errorf("the cached cosign is not %s:\n%s", CosignVersion, out)
	}
}

func TestSkopeo(t *testing.T) {
	if out, err := exec.Command(Skopeo(t), "--version").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
