package mirror_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"sigs.k8s.io/yaml"

	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/bundle"
)

func TestContainerdHosts(t *testing.T) {
	plain := `# Written by sallyport mirror config
server = "http://127.0.0.1:5000"

[host."http://127.0.0.1:5000"]
  capabilities = ["pull", "resolve"]
`
	files, err := mirror.ContainerdHosts("/etc/containerd/certs.d", mirror.Endpoint{URL: "http://127.0.0.1:5000"},
		[]string{"docker.io", "registry.example.com:5000", "[2001:db8::1]:5000", mirror.AnyHost})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"[2001:db8::1]_5000_", "_default", "docker.io", "registry.example.com_5000_"}
	for _, dir := range want {
		path := filepath.Join("/etc/containerd/certs.d", dir, "hosts.toml")
		if got := string(files[path]); got != plain {
			t.Errorf("%s is\n%s", path, got)
		}
	}
	if len(files) != len(want) {
		t.Errorf("files %q", slices.Sorted(maps.Keys(files)))
	}
}

func TestContainerdHostsOfAMirrorWithTLSAndAPrefix(t *testing.T) {
	e := mirror.Endpoint{URL: "https://harbor.example/edge/", CAFile: `/etc/"odd" ünd/ca.pem`, Insecure: true}
	files, err := mirror.ContainerdHosts("d", e, []string{"a.example"})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Server string
		Host   map[string]struct {
			Capabilities []string
			CA           string `toml:"ca"`
			SkipVerify   bool   `toml:"skip_verify"`
			OverridePath bool   `toml:"override_path"`
		}
	}
	if err := toml.Unmarshal(files["d/a.example/hosts.toml"], &got); err != nil {
		t.Fatal(err)
	}
	const url = "https://harbor.example/v2/edge"
	h := got.Host[url]
	if got.Server != url || h.CA != e.CAFile || !h.SkipVerify || !h.OverridePath || !slices.Equal(h.Capabilities, []string{"pull", "resolve"}) {
		t.Errorf("got %+v", got)
	}
}

func TestK3sRegistries(t *testing.T) {
	e := mirror.Endpoint{URL: "https://harbor.example:8443/edge", CAFile: "/etc/ca.pem"}
	b, err := mirror.K3sRegistries(e, []string{"registry.example.com:5000", "docker.io", mirror.AnyHost, "docker.io"})
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Mirrors map[string]struct {
			Endpoint []string
			Rewrite  map[string]string
		}
		Configs map[string]struct {
			TLS struct {
				CAFile             string `json:"ca_file"`
				InsecureSkipVerify bool   `json:"insecure_skip_verify"`
			}
		}
	}
	if err := yaml.UnmarshalStrict(b, &got); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	for _, h := range []string{"*", "docker.io", "registry.example.com:5000"} {
		m := got.Mirrors[h]
		if !slices.Equal(m.Endpoint, []string{"https://harbor.example:8443"}) || m.Rewrite["^(.*)$"] != "edge/$1" {
			t.Errorf("%s: %+v", h, m)
		}
	}
	if len(got.Mirrors) != 3 || got.Configs["harbor.example:8443"].TLS.CAFile != "/etc/ca.pem" || got.Configs["harbor.example:8443"].TLS.InsecureSkipVerify {
		t.Errorf("got %+v", got)
	}
}

func TestHostsThatAreNone(t *testing.T) {
	for _, host := range []string{"", "../x", "a/b", "a b", "x\"y", "a\nb", "host:port", "-x", "a:1:2"} {
		if _, err := mirror.ContainerdHosts("d", mirror.Endpoint{URL: "http://m:1"}, []string{host}); err == nil {
			t.Errorf("containerd: %q was accepted", host)
		}
		if _, err := mirror.K3sRegistries(mirror.Endpoint{URL: "http://m:1"}, []string{host}); err == nil {
			t.Errorf("k3s: %q was accepted", host)
		}
	}
	for _, e := range []mirror.Endpoint{{URL: "http://m/a b"}, {URL: "http://m/\"x"}, {URL: "ftp://m"}, {URL: "https://m", CAFile: "relative"}} {
		if _, err := mirror.K3sRegistries(e, nil); err == nil {
			t.Errorf("%+v was accepted", e)
		}
	}
}

func TestHostsOfImages(t *testing.T) {
	got, err := mirror.Hosts([]bundle.Image{{Name: "nginx"}, {Name: "b.example:5000/x/y:1"}, {Name: "docker.io/library/redis:7"}})
	if err != nil || !slices.Equal(got, []string{"b.example:5000", "docker.io"}) {
		t.Errorf("hosts %q, %v", got, err)
	}
}

func TestWriteFilesKeepsOtherPeoplesFiles(t *testing.T) {
	dir := t.TempDir()
	foreign, ours := filepath.Join(dir, "a.example", "hosts.toml"), filepath.Join(dir, "b.example", "hosts.toml")
	if err := os.MkdirAll(filepath.Dir(foreign), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(foreign, []byte("server = \"by hand\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := mirror.ContainerdHosts(dir, mirror.Endpoint{URL: "http://m:1"}, []string{"a.example", "b.example"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = mirror.WriteFiles(files, false)
	var e *mirror.FileError
	if !errors.As(err, &e) || e.Path != foreign || e.Reason() != "usage" || !strings.Contains(e.Hint(), "--force") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(ours); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a part was written: %v", err)
	}
	changed, err := mirror.WriteFiles(files, true)
	if err != nil || !slices.Equal(changed, []string{foreign, ours}) {
		t.Errorf("with force %q, %v", changed, err)
	}
	if changed, err := mirror.WriteFiles(files, false); err != nil || len(changed) != 0 {
		t.Errorf("again %q, %v", changed, err)
	}
	files[ours] = append(files[ours], "# more\n"...)
	if changed, err := mirror.WriteFiles(files, false); err != nil || !slices.Equal(changed, []string{ours}) {
		t.Errorf("our own file: %q, %v", changed, err)
	}
}

func TestRepository(t *testing.T) {
	sum := "sha256:" + strings.Repeat("a", 64)
	for name, want := range map[string]bundle.Reference{
		"nginx":                                   {Host: "docker.io", Repository: "library/nginx", Tag: "latest"},
		"docker.io/nginx:1":                       {Host: "docker.io", Repository: "library/nginx", Tag: "1"},
		"registry.example.com/team/app:1":         {Host: "registry.example.com", Repository: "team/app", Tag: "1"},
		"registry.example.com:5000/app":           {Host: "registry.example.com:5000", Repository: "app", Tag: "latest"},
		"registry.example.com/app@" + sum:         {Host: "registry.example.com", Repository: "app", Digest: "sha256:" + "aaaaaaaa" + "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
		"registry.example.com/app:1@" + sum:       {Host: "registry.example.com", Repository: "app", Digest: "sha256:" + "aaaaaaaa" + "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
		"localhost/a/b/c:x":                       {Host: "localhost", Repository: "a/b/c", Tag: "x"},
		"ghcr.io/org/img:v1.2-rc.1_build":         {Host: "ghcr.io", Repository: "org/img", Tag: "v1.2-rc.1_build"},
		"registry.k8s.io/coredns/coredns:v1.12.0": {Host: "registry.k8s.io", Repository: "coredns/coredns", Tag: "v1.12.0"},
	} {
		got, err := mirror.Repository(name)
		if err != nil || got != want {
			t.Errorf("%s gave %+v, %v; want %+v", name, got, err, want)
		}
	}
	for _, name := range []string{"", "UPPER", "a b", "x@sha256:short", "https://x/y", "../x"} {
		var e *bundle.NameError
		if _, err := mirror.Repository(name); !errors.As(err, &e) || e.Reason() != "image" {
			t.Errorf("%q gave %v", name, err)
		}
	}
}

func TestCheckNames(t *testing.T) {
	a := bundle.Image{Name: "a.example/app:1", Digest: "sha256:1"}
	same := bundle.Image{Name: "b.example/app:1", Digest: "sha256:1"}
	other := bundle.Image{Name: "b.example/app:1", Digest: "sha256:2"}
	tag := bundle.Image{Name: "b.example/app:2", Digest: "sha256:2"}
	if err := bundle.CheckNames([]bundle.Image{a, same, tag}); err != nil {
		t.Error(err)
	}
	if err := bundle.CheckNames([]bundle.Image{a, tag, other}); !errors.Is(err, bundle.ErrConflict) {
		t.Errorf("a clash gave %v", err)
	}
}

func TestConfigurationsThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	one := filepath.Join(dir, "one-line")
	if err := os.WriteFile(one, []byte("user\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]mirror.Config{
		"no URL": {}, "no scheme": {URL: "127.0.0.1:5000"}, "no host": {URL: "http://"}, "other scheme": {URL: "ftp://x"},
		"query": {URL: "http://x?y"}, "password": {URL: "http://u:p@x"}, "no file": {URL: "http://x", CredentialsFile: filepath.Join(dir, "none")},
		"one line": {URL: "http://x", CredentialsFile: one}, "no PEM": {URL: "https://x", CAFile: one},
	} {
		_, err := mirror.New(cfg)
		var e reasoned
		if !errors.As(err, &e) || e.Reason() != "spec" || e.Hint() == "" || strings.Contains(e.Error(), "u:p") {
			t.Errorf("%s gave %v", name, err)
		}
	}
}
