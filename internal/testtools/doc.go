// Package testtools gives tests the stock programs that they check our work against: cosign, helm, Debian's registry,
// skopeo. A tool that is missing fails the test and names what to install; nothing is ever skipped in silence.
//
// What has to be built is built once, into the cache folder ${XDG_CACHE_HOME:-~/.cache}/sallyport-tools, under a file
// lock, so that tests of several packages may ask for it at the same time.
package testtools

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Tool returns the path of an installed program, or fails the test and names the Debian package that has it.
func Tool(t testing.TB, program, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("this test needs %s: apt-get install %s", program, debianPackage)
	}
	return path
}

// Skopeo returns the path of skopeo.
func Skopeo(t testing.TB) string {
	t.Helper()
	return Tool(t, "skopeo", "skopeo")
}

// CacheDir returns the folder that holds the built tool of one name and version. The folder exists.
func CacheDir(name, version string) (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(base, "sallyport-tools", name+"-"+version)
	return dir, os.MkdirAll(dir, 0o755)
}
