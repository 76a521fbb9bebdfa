package image_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/sallyport-dev/sallyport/bundle/image"
)

// helper is a docker credential helper that knows one user.
const helper = `#!/bin/sh
echo '{"Username":"builder","Secret":"secret"}'
`

// Credentials come from docker's configuration: written there, or by a helper.
func TestRegistryCredentials(t *testing.T) {
	host := memoryRegistry(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if user, password, ok := r.BasicAuth(); !ok || user != "builder" || password != "secret" {
				w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	img := newImage("amd64", "x")
	auth := remote.WithAuth(&authn.Basic{Username: "builder", Password: "secret"})
	if err := remote.Write(must(name.ParseReference(host+"/app:1")), img, auth); err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "docker-credential-test"), []byte(helper), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	for kind, config := range map[string]string{
		"written": fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, base64.StdEncoding.EncodeToString([]byte("builder:secret"))),
		"helper":  fmt.Sprintf(`{"credHelpers":{%q:"test"}}`, host),
	} {
		useDockerConfig(t, config)
		t.Run(kind, func(t *testing.T) {
			checkImage(t, resolve(t, image.Config{}, host+"/app:1", ""), img)
		})
	}
	useDockerConfig(t, "{}")
	_, err := image.NewResolver(image.Config{}).Resolve(context.Background(), host+"/app:1", "")
	checkError(t, err, "denies access", "docker login "+host, true)
}

func useDockerConfig(t *testing.T, config string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOCKER_CONFIG", dir)
}
