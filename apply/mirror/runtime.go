package mirror

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// AnyHost stands for every registry host in ContainerdHosts and K3sRegistries.
const AnyHost = "*"

// marker begins every file that WriteFiles may replace.
const marker = "# Written by sallyport mirror config"

// ErrForeignFile means that there is a file which sallyport has not written.
var ErrForeignFile = errors.New("sallyport has not written it")

// Endpoint is the mirror as a container runtime reaches it.
type Endpoint struct {
	URL      string // as in Config; with a path, that is a prefix of every repository
	CAFile   string // PEM, an absolute path
	Insecure bool   // accept any certificate
}

// Hosts returns the registry hosts in the images' names, sorted.
func Hosts(images []bundle.Image) ([]string, error) {
	set := make(map[string]bool)
	for _, img := range images {
		ref, err := Repository(img.Name)
		if err != nil {
			return nil, err
		}
		set[ref.Host] = true
	}
	return slices.Sorted(maps.Keys(set)), nil
}

// ContainerdHosts returns by path the files below dir (containerd's config_path, such as /etc/containerd/certs.d) that
// make containerd ask the mirror, and nobody else, for the images of the registry hosts. A site has no way to the
// original registries, so the mirror stands in their place as the server too: a pull fails at once instead of after
// a time-out.
func ContainerdHosts(dir string, mirror Endpoint, hosts []string) (map[string][]byte, error) {
	e, err := mirror.parse()
	if err != nil {
		return nil, err
	}
	body := e.hostsTOML()
	files := make(map[string][]byte, len(hosts))
	for _, h := range hosts {
		name, err := hostDirectory(h)
		if err != nil {
			return nil, err
		}
		files[filepath.Join(dir, name, "hosts.toml")] = body
	}
	return files, nil
}

// hostDirectory names containerd's folder for a host: HOST, HOST_PORT_, or _default for all that have none. containerd
// on Linux also looks for HOST:PORT, but after this one.
func hostDirectory(host string) (string, error) {
	if host == AnyHost {
		return "_default", nil
	}
	if err := checkHost(host); err != nil {
		return "", err
	}
	if i := strings.LastIndex(host, ":"); i > 0 && !strings.HasSuffix(host, "]") {
		return host[:i] + "_" + host[i+1:] + "_", nil
	}
	return host, nil
}

// K3sRegistries returns the content of k3s' registries.yaml (/etc/rancher/k3s/registries.yaml, which RKE2 reads from
// /etc/rancher/rke2) that does the same. k3s reads it when it starts; start it with --disable-default-registry-endpoint,
// so that it does not look for the original registries.
func K3sRegistries(mirror Endpoint, hosts []string) ([]byte, error) {
	e, err := mirror.parse()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nmirrors:\n", marker)
	for _, h := range slices.Compact(slices.Sorted(slices.Values(hosts))) {
		if h != AnyHost {
			if err := checkHost(h); err != nil {
				return nil, err
			}
		}
		fmt.Fprintf(&b, "  %q:\n    endpoint: [%q]\n", h, e.base)
		if e.prefix != "" {
			fmt.Fprintf(&b, "    rewrite: {\"^(.*)$\": %q}\n", e.prefix+"/$1")
		}
	}
	if e.tls() {
		fmt.Fprintf(&b, "configs:\n  %q:\n    tls:\n", e.host)
		if e.CAFile != "" {
			fmt.Fprintf(&b, "      ca_file: %s\n", strconv.QuoteToASCII(e.CAFile))
		}
		if e.Insecure {
			b.WriteString("      insecure_skip_verify: true\n")
		}
	}
	return b.Bytes(), nil
}

// endpoint is an Endpoint, checked and taken apart.
type endpoint struct {
	Endpoint
	base   string // scheme and host
	host   string
	prefix string // of repositories, without slashes at its ends
}

func (m Endpoint) parse() (*endpoint, error) {
	u, err := parseURL(m.URL)
	if err != nil {
		return nil, err
	}
	if m.CAFile != "" && (!filepath.IsAbs(m.CAFile) || !utf8.ValidString(m.CAFile)) {
		return nil, configError("CA file %q must be an absolute path", m.CAFile)
	}
	prefix := strings.Trim(u.Path, "/")
	if !prefixPattern.MatchString(prefix) {
		return nil, configError("url %q: %q is no prefix of repositories", m.URL, prefix)
	}
	if err := checkHost(u.Host); err != nil {
		return nil, err
	}
	return &endpoint{m, u.Scheme + "://" + u.Host, u.Host, prefix}, nil
}

func (e *endpoint) tls() bool {
	return strings.HasPrefix(e.base, "https:") && (e.CAFile != "" || e.Insecure)
}

func (e *endpoint) hostsTOML() []byte {
	url := e.base
	if e.prefix != "" {
		url += "/v2/" + e.prefix
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nserver = %q\n\n[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n", marker, url, url)
	if e.prefix != "" {
		b.WriteString("  override_path = true\n")
	}
	if e.tls() && e.CAFile != "" {
		fmt.Fprintf(&b, "  ca = %s\n", strconv.QuoteToASCII(e.CAFile))
	}
	if e.tls() && e.Insecure {
		b.WriteString("  skip_verify = true\n")
	}
	return b.Bytes()
}

var (
	hostPattern   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$`)
	prefixPattern = regexp.MustCompile(`^([a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*)?$`)
)

// checkHost accepts HOST, HOST:PORT and IP addresses: what goes into a path, TOML and YAML.
func checkHost(host string) error {
	if hostPattern.MatchString(host) {
		return nil
	}
	if _, err := netip.ParseAddrPort(host); err == nil {
		return nil
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil && strings.HasPrefix(host, "[") {
		return nil
	}
	return configError("%q is not a registry host: HOST or HOST:PORT is wanted", host)
}

// WriteFiles writes files by path, all or none of the checks first, and returns the paths of those that changed. A file
// that sallyport has not written is replaced only with force: the error is a *FileError.
func WriteFiles(files map[string][]byte, force bool) (changed []string, err error) {
	for _, path := range slices.Sorted(maps.Keys(files)) {
		old, err := readSmall(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, &FileError{path, err}
		case bytes.Equal(old, files[path]):
			continue
		case !bytes.HasPrefix(old, []byte(marker)) && !force:
			return nil, &FileError{path, ErrForeignFile}
		}
		changed = append(changed, path)
	}
	for _, path := range changed {
		if err := durable.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, &FileError{path, err}
		}
		if err := durable.WriteFile(path, files[path], 0o644); err != nil {
			return nil, &FileError{path, err}
		}
	}
	return changed, nil
}

// FileError is a configuration file that was not written.
type FileError struct {
	Path string
	Err  error
}

func (e *FileError) Error() string { return fmt.Sprintf("%s: %v", e.Path, e.Err) }

func (e *FileError) Unwrap() error { return e.Err }

// Reason is "usage" for a file that is somebody else's, otherwise "io".
func (e *FileError) Reason() string {
	if errors.Is(e.Err, ErrForeignFile) {
		return "usage"
	}
	return "io"
}

// Hint says what to do.
func (e *FileError) Hint() string {
	switch {
	case errors.Is(e.Err, ErrForeignFile):
		return "merge it by hand, or replace it with --force"
	case errors.Is(e.Err, os.ErrPermission):
		return "run the command as root"
	}
	return "check the folder and its disk"
}
