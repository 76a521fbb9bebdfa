package mirror

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Defaults of Config.
const (
	DefaultWorkers = 4
	DefaultStall   = 45 * time.Second
	DefaultTries   = 4
)

const (
	// answerTime bounds how long a registry may think about a request whose body is small.
	answerTime = 20 * time.Second
	// patience is how long after the first try, or the last progress, another try may begin. With what a try may take,
	// a registry that never answers is given up within a minute.
	patience = 25 * time.Second
	// storeRate is the rate in bytes a second at which the slowest registry stores what it was sent, before it answers.
	storeRate = 4 << 20
)

// Config says where the mirror is and how to log in.
type Config struct {
	// URL is http://HOST[:PORT] or https://HOST[:PORT]. A path is a prefix of every repository:
	// https://harbor.example/edge puts team/app into edge/team/app.
	URL string
	// Username and Password log in. CredentialsFile names a file to take them from instead: two lines, the user
	// name and the password. Without either, Keychain does; nil means docker's configuration file.
	Username, Password string
	CredentialsFile    string
	Keychain           authn.Keychain
	// CAFile is a PEM file of certificates to trust beside the system's.
	CAFile string
	// Insecure accepts any certificate.
	Insecure bool
	// Workers bounds parallel transfers of PushBlobs and Fsck. 0 means DefaultWorkers.
	Workers int
	// Proxy is the URL of the proxy by which to go. Without one the environment's is used, and for hosts on this machine
	// or its own network none.
	Proxy string
	// Stall is how long a transfer may make no progress. 0 means DefaultStall. A registry that flushes a large blob to a
	// slow disk before it answers makes none, and is given more time by the blob's size.
	Stall time.Duration
	// Tries is how often a request is tried in all. 0 means DefaultTries.
	Tries int
	// Log gets retries and repairs. nil discards them.
	Log *slog.Logger
	// Transport replaces the network; for tests.
	Transport http.RoundTripper
}

// Client is a mirror's client. It is safe for concurrent use. It does nothing on the network until it is asked to.
type Client struct {
	base     *url.URL // scheme and host only
	prefix   string   // "" or "edge/"
	shown    string   // the URL as errors show it
	registry name.Registry
	keychain authn.Keychain
	network  http.RoundTripper
	workers  int
	stall    time.Duration
	tries    int
	log      *slog.Logger

	mu        sync.Mutex
	challenge *transport.Challenge
	clients   map[string]*http.Client // by repository; one for all unless the registry hands out tokens
}

// New returns a client of the mirror.
func New(cfg Config) (*Client, error) {
	u, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	registry, err := name.NewRegistry(u.Host, name.WeakValidation)
	if err != nil {
		return nil, configError("url %q: %w", cfg.URL, err)
	}
	c := &Client{
		base: &url.URL{Scheme: u.Scheme, Host: u.Host}, shown: u.Redacted(), registry: registry,
		keychain: cfg.Keychain, network: cfg.Transport,
		workers: cfg.Workers, stall: cfg.Stall, tries: cfg.Tries, log: cfg.Log,
		clients: make(map[string]*http.Client),
	}
	if p := strings.Trim(u.Path, "/"); p != "" {
		c.prefix = p + "/"
	}
	if err := c.setCredentials(cfg); err != nil {
		return nil, err
	}
	if err := c.setNetwork(cfg); err != nil {
		return nil, err
	}
	c.setDefaults()
	return c, nil
}

func (c *Client) setDefaults() {
	if c.workers <= 0 {
		c.workers = DefaultWorkers
	}
	if c.stall <= 0 {
		c.stall = DefaultStall
	}
	if c.tries <= 0 {
		c.tries = DefaultTries
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
}

// URL returns the mirror's URL as configured.
func (c *Client) URL() string { return c.shown }

// Ping asks whether the mirror is there and lets us in.
func (c *Client) Ping(ctx context.Context) error {
	resp, err := c.send(ctx, call{method: http.MethodGet, url: c.base.String() + "/v2/", want: []int{http.StatusOK}})
	if err == nil {
		resp.done()
	}
	return c.fail(ctx, err, "ask whether it is there")
}

func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, configError("url %q: %w", s, err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Hostname() == "" {
		return nil, configError("url %q must be http://HOST:PORT or https://HOST:PORT", s)
	}
	if u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, configError("url %q must not hold credentials or a query", u.Redacted())
	}
	return u, nil
}

func (c *Client) setCredentials(cfg Config) error {
	user, password := cfg.Username, cfg.Password
	if cfg.CredentialsFile != "" {
		var err error
		if user, password, err = readCredentials(cfg.CredentialsFile); err != nil {
			return err
		}
	}
	switch {
	case user != "":
		c.keychain = fixedKeychain{authn.FromConfig(authn.AuthConfig{Username: user, Password: password})}
	case c.keychain == nil:
		c.keychain = authn.DefaultKeychain
	}
	return nil
}

// fixedKeychain gives the same credentials to every repository of the mirror.
type fixedKeychain struct{ authn.Authenticator }

func (k fixedKeychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	return k.Authenticator, nil
}

func readCredentials(file string) (user, password string, err error) {
	b, err := readSmall(file)
	if err != nil {
		return "", "", configError("credentials: %w", err)
	}
	lines := strings.Split(strings.ReplaceAll(strings.TrimRight(string(b), "\r\n"), "\r\n", "\n"), "\n")
	if len(lines) != 2 || lines[0] == "" || lines[1] == "" {
		return "", "", configError("credentials file %s must have two lines, the user name and the password", file)
	}
	return lines[0], lines[1], nil
}

// setNetwork makes a transport of our own: the default one is shared with the whole program and waits for ever.
func (c *Client) setNetwork(cfg Config) error {
	if c.network != nil {
		return nil
	}
	proxy, err := proxyFor(cfg.Proxy)
	if err != nil {
		return err
	}
	tlsConfig := &tls.Config{InsecureSkipVerify: cfg.Insecure, MinVersion: tls.VersionTLS12}
	if cfg.CAFile != "" {
		if tlsConfig.RootCAs, err = ReadCA(cfg.CAFile); err != nil {
			return configError("CA: %w", err)
		}
	}
	c.network = &http.Transport{
		Proxy:                 proxy,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:       tlsConfig,
		TLSHandshakeTimeout:   10 * time.Second,
		ExpectContinueTimeout: time.Second,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       90 * time.Second,
		// Layers are compressed already, and their length and digest are those of the bytes as they are.
		DisableCompression: true,
		// Larger than the default 4 KiB: layers are what travels here.
		WriteBufferSize: 64 << 10,
		ReadBufferSize:  64 << 10,
	}
	return nil
}

// ReadCA reads a PEM file of certificates to trust beside the system's.
func ReadCA(file string) (*x509.CertPool, error) {
	pem, err := readSmall(file)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no PEM certificate", file)
	}
	return pool, nil
}

// readSmall reads a file that people write by hand.
func readSmall(file string) ([]byte, error) {
	const limit = 1 << 20
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b bytes.Buffer
	if n, err := io.Copy(&b, io.LimitReader(f, limit+1)); err != nil {
		return nil, err
	} else if n > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", file, limit)
	}
	return b.Bytes(), nil
}

// ConfigError is a setting of the mirror that cannot be used.
type ConfigError struct{ Err error }

func (e *ConfigError) Error() string { return "mirror: " + e.Err.Error() }

func (e *ConfigError) Unwrap() error { return errors.Unwrap(e.Err) }

// Reason is "spec".
func (e *ConfigError) Reason() string { return "spec" }

// Hint says where the setting is.
func (e *ConfigError) Hint() string { return "correct spec.mirror in site.yaml" }

func configError(format string, args ...any) error {
	return &ConfigError{Err: fmt.Errorf(format, args...)}
}
