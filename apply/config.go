package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"runtime"
	"time"

	"github.com/sallyport-dev/sallyport/apply/window"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/ownfile"
	"github.com/sallyport-dev/sallyport/internal/strictyaml"
)

// DefaultConfigPath is where site.yaml stands unless said otherwise.
const DefaultConfigPath = "/etc/sallyport/site.yaml"

// Config is site.yaml. LoadConfig has checked it and made every path in it absolute.
type Config struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Metadata   Metadata `json:"metadata"`
	Spec       Spec     `json:"spec"`

	path string // of site.yaml
	// plan is what the windows and blackouts say.
	plan window.Plan
}

// Metadata names the site.
type Metadata struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels"`
}

// Spec says where the parts of a site are. Relative paths are relative to the folder of site.yaml.
type Spec struct {
	State string `json:"state"`
	// Release is the name of the releases that the site takes; empty is that of the first one it committed.
	Release string `json:"release"`
	// Platform is what this machine runs, OS/ARCH[/VARIANT]; the default is the platform of this program.
	Platform  string       `json:"platform"`
	Trust     string       `json:"trust"`
	Mirror    MirrorConfig `json:"mirror"`
	Target    TargetConfig `json:"target"`
	Slots     SlotsConfig  `json:"slots"`
	ChecksDir string       `json:"checksDir"`
	// Data are backed up before a slot is armed; nil if there are none to be.
	Data *DataConfig `json:"data"`
	// Windows are when the site may switch to another release, such as "Sat,Sun 02:00-04:00 Europe/Budapest"; none is any time.
	// Blackouts are days on which it may not, such as "2026-12-20..2027-01-06 Europe/Budapest".
	Windows   []string `json:"windows"`
	Blackouts []string `json:"blackouts"`
	// WindowNeed is how much of a window has to be left for a switch to begin; nil: as long as the checks may take, twice.
	WindowNeed *bundle.Duration `json:"windowNeed"`
	CatchUp    CatchUpConfig    `json:"catchUp"`
	// Inbox are the folders, and the URLs of servers, where sallyport run looks for bundles. Link is how servers are asked.
	Inbox []string    `json:"inbox"`
	Link  *LinkConfig `json:"link"`
	// Receipts go to the stick that a bundle came from; nil: nowhere else.
	Receipts *ReceiptsConfig `json:"receipts"`
	// Metrics go nowhere if it is nil.
	Metrics *MetricsConfig `json:"metrics"`
}

// MirrorConfig is either a registry's URL, or a folder that sallyport serves at an address of its own.
type MirrorConfig struct {
	URL string `json:"url"`
	// Credentials is a file with two lines, user name and password; without it docker's configuration is asked.
	Credentials string `json:"credentials"`
	// CA is a PEM file of certificates to trust beside the system's.
	CA       string `json:"ca"`
	Insecure bool   `json:"insecure"` // accept any certificate
	// Proxy is the URL of the proxy by which to reach the registry; without it the environment's, unless the registry is on
	// this machine or its network.
	Proxy string `json:"proxy"`

	Dir    string `json:"dir"`
	Listen string `json:"listen"` // HOST:PORT
	// Names are further hosts by which other machines know the embedded mirror.
	Names []string `json:"names"`
}

// Embedded tells whether sallyport serves the mirror itself.
func (m MirrorConfig) Embedded() bool { return m.Dir != "" }

// TargetConfig is where manifests go: exactly one is set.
type TargetConfig struct {
	Kubernetes   *KubernetesConfig   `json:"kubernetes"`
	ManifestsDir *ManifestsDirConfig `json:"manifestsDir"`
	Flux         map[string]any      `json:"flux"`
}

// KubernetesConfig is a cluster's API.
type KubernetesConfig struct {
	Kubeconfig string `json:"kubeconfig"`
	Context    string `json:"context"` // default: the kubeconfig's current one
	// Patience is how long a trial or a rollback waits for an API that does not answer; the default is 5 min.
	Patience *bundle.Duration `json:"patience"`
}

const defaultPatience = 5 * time.Minute

// patience is how long a trial or a rollback waits for a target that does not answer.
func (t TargetConfig) patience() time.Duration {
	switch {
	case t.Kubernetes == nil:
		return 0 // a folder is there or is not
	case t.Kubernetes.Patience == nil:
		return defaultPatience
	}
	return time.Duration(*t.Kubernetes.Patience)
}

// ManifestsDirConfig is a folder from which a cluster deploys, k3s style.
type ManifestsDirConfig struct {
	Path string `json:"path"`
}

// LoadConfig reads and checks site.yaml. Its errors name file, line and field.
func LoadConfig(path string) (*Config, error) {
	data, err := ownfile.Read(path, strictyaml.MaxSize)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Error{Word: "spec", Text: "there is no " + path,
			Advice: "sallyport site init writes one; --site FILE or $SALLYPORT_SITE names another"}
	}
	if err != nil {
		return nil, fmt.Errorf("site.yaml: %w", err)
	}
	return parseConfig(path, data)
}

func parseConfig(path string, data []byte) (*Config, error) {
	c := &Config{Spec: Spec{
		State:    "/var/lib/sallyport",
		Platform: defaultPlatform(),
		Mirror:   MirrorConfig{},
		Slots:    SlotsConfig{Backend: backendNone},
	}}
	pos, err := strictyaml.Decode(path, data, c)
	if err != nil {
		return nil, err
	}
	if err := c.check(pos); err != nil {
		return nil, err
	}
	base, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	c.resolve(base)
	c.path = filepath.Join(base, filepath.Base(path))
	return c, nil
}

// defaultPlatform is what this program was built for; an arm program runs on v7.
func defaultPlatform() string {
	if runtime.GOARCH == "arm" {
		return runtime.GOOS + "/arm/v7"
	}
	return runtime.GOOS + "/" + runtime.GOARCH
}

// check returns the first thing wrong, or nil.
func (c *Config) check(pos *strictyaml.Positions) error {
	var first error
	fail := func(field, problem, hint string) {
		if first == nil {
			first = pos.Error(field, problem, hint)
		}
	}
	if c.APIVersion != bundle.APIVersion {
		fail("apiVersion", fmt.Sprintf("is %q, not %q", c.APIVersion, bundle.APIVersion), "")
	}
	if c.Kind != "Site" {
		fail("kind", fmt.Sprintf("is %q, not \"Site\"", c.Kind), "")
	}
	if bundle.ValidName(c.Metadata.Name) != nil {
		fail("metadata.name", fmt.Sprintf("%q is not a name", c.Metadata.Name),
			"use letters, digits, dots and dashes, as in store-0142")
	}
	if c.Spec.State == "" {
		fail("spec.state", "is empty", "name the folder that holds the site's state, such as /var/lib/sallyport")
	}
	if c.Spec.Release != "" && bundle.ValidName(c.Spec.Release) != nil {
		fail("spec.release", fmt.Sprintf("%q is not a name", c.Spec.Release), "write metadata.name of the releases for this site, as in store-platform")
	}
	if c.Spec.Trust == "" {
		fail("spec.trust", "is missing", "name the file of the public keys that may sign a release for this site")
	}
	if _, err := bundle.ParsePlatform(c.Spec.Platform); err != nil {
		fail("spec.platform", err.Error(), "")
	}
	c.Spec.Mirror.check(fail)
	c.Spec.Target.check(fail)
	c.Spec.Slots.check(fail)
	c.Spec.Data.check(&c.Spec.Slots, fail)
	c.Spec.Receipts.check(fail)
	c.Spec.Metrics.check(fail)
	c.checkUnattended(fail)
	return first
}

type failFunc func(field, problem, hint string)

func (m *MirrorConfig) check(fail failFunc) {
	switch {
	case m.URL == "" && m.Dir == "":
		fail("spec.mirror", "is missing", `give {url: "http://127.0.0.1:5000"} or {dir: /var/lib/sallyport/mirror}`)
	case m.URL != "" && m.Dir != "":
		fail("spec.mirror", "has both url and dir", "keep url for a registry that runs, or dir for the embedded one")
	case m.URL != "":
		u, err := url.Parse(m.URL)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			fail("spec.mirror.url", fmt.Sprintf("%q is not http://HOST[:PORT] or https://HOST[:PORT]", m.URL), "")
		}
		if p, err := url.Parse(m.Proxy); m.Proxy != "" && (err != nil || p.Host == "" || (p.Scheme != "http" && p.Scheme != "https" && p.Scheme != "socks5")) {
			fail("spec.mirror.proxy", fmt.Sprintf("%q is not http://HOST:PORT", m.Proxy), "")
		}
		if m.Listen != "" {
			fail("spec.mirror.listen", "goes with dir, not with url", "remove it, or give dir in place of url")
		}
		if len(m.Names) > 0 {
			fail("spec.mirror.names", "goes with dir, not with url", "remove it")
		}
	default:
		m.checkEmbedded(fail)
	}
}

// hostPattern is a host name or an address.
var hostPattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.:-]*[A-Za-z0-9])?$`)

func (m *MirrorConfig) checkEmbedded(fail failFunc) {
	if m.Listen == "" {
		m.Listen = "127.0.0.1:5000"
	}
	if _, port, err := net.SplitHostPort(m.Listen); err != nil || port == "" || port == "0" {
		fail("spec.mirror.listen", fmt.Sprintf("%q is not HOST:PORT", m.Listen), "")
	}
	for i, name := range m.Names {
		if !hostPattern.MatchString(name) {
			fail(fmt.Sprintf("spec.mirror.names[%d]", i), fmt.Sprintf("%q is not a host", name), "give a host name or an address, without a port")
		}
	}
	if m.Credentials != "" || m.CA != "" || m.Insecure || m.Proxy != "" {
		fail("spec.mirror", "has credentials, ca, insecure or proxy, which go with url, not with dir", "")
	}
}

func (t *TargetConfig) check(fail failFunc) {
	if t.Flux != nil {
		fail("spec.target.flux", unsupported, "use kubernetes or manifestsDir")
	}
	switch {
	case t.Kubernetes == nil && t.ManifestsDir == nil:
		fail("spec.target", "is missing", "give kubernetes or manifestsDir")
	case t.Kubernetes != nil && t.ManifestsDir != nil:
		fail("spec.target", "has both kubernetes and manifestsDir", "keep one")
	case t.Kubernetes != nil && t.Kubernetes.Kubeconfig == "":
		fail("spec.target.kubernetes.kubeconfig", "is missing", "name the file, such as /etc/rancher/k3s/k3s.yaml")
	case t.ManifestsDir != nil && t.ManifestsDir.Path == "":
		fail("spec.target.manifestsDir.path", "is missing", "name the folder")
	}
}

const unsupported = "is not supported by this version"

// resolve makes the paths absolute.
func (c *Config) resolve(base string) {
	paths := []*string{&c.Spec.State, &c.Spec.Trust, &c.Spec.ChecksDir,
		&c.Spec.Mirror.Dir, &c.Spec.Mirror.CA, &c.Spec.Mirror.Credentials}
	c.Spec.Slots.resolve(base)
	c.Spec.Data.resolve(base)
	c.Spec.resolveInbox(base)
	c.Spec.Receipts.resolve(base)
	c.Spec.Metrics.resolve(base)
	c.Spec.Link.resolve(base)
	if k := c.Spec.Target.Kubernetes; k != nil {
		paths = append(paths, &k.Kubeconfig)
	}
	if m := c.Spec.Target.ManifestsDir; m != nil {
		paths = append(paths, &m.Path)
	}
	for _, p := range paths {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(base, *p)
		}
	}
}
