package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/sallyport-dev/sallyport/apply/check"
	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/apply/mirror/embedded"
	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
	"github.com/sallyport-dev/sallyport/apply/slot/watchdog"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/internal/ownfile"
	"github.com/sallyport-dev/sallyport/verify"
)

// Open returns a site with the real parts that its configuration names. It connects to nothing: each verb connects to
// what it needs.
func Open(cfg *Config, observe func(Event)) *Site {
	var site *Site
	waiting := func(text string) { site.say("waiting", "%s", text) }
	deps := Deps{
		OpenMirror:  func(ctx context.Context) (Mirror, func() error, error) { return OpenMirror(ctx, cfg) },
		OpenTarget:  func(context.Context) (Target, error) { return openTarget(cfg.Spec.Target, durable.Disk{}, waiting) },
		Scrub:       scrub,
		Drop:        dropDamaged,
		LoadTrust:   func() (*verify.Trust, error) { return loadTrust(cfg.Spec.Trust) },
		BootID:      host.Host{}.BootID,
		Uptime:      host.Host{}.Uptime,
		Reboot:      rebootMachine,
		RunChecks:   check.Run,
		Now:         time.Now,
		ClockSynced: clockSynced,
		Background:  inBackground,
		Power:       func() string { return lowPower("/sys/class/power_supply") },
		Memory:      func() (int64, bool) { return freeMemory("/proc/meminfo") },
		Observe:     observe,
	}
	if slots := &cfg.Spec.Slots; slots.OS() {
		deps.Watchdog = func(want, least time.Duration) (time.Duration, error) { return watchdog.Arm(host.Host{}, want, least) }
		deps.Loader = func() (slot.Loader, error) { return slots.openLoader(host.Host{}) }
	}
	if data := cfg.openBackups(durable.Disk{}); data != nil {
		deps.Data = data
	}
	if dir := cfg.Spec.Mirror.Dir; dir != "" {
		deps.LookAtMirror = func(ctx context.Context) (ImageStore, func() error, error) { return lookAtMirror(ctx, cfg.Spec.Mirror) }
		deps.SyncMirror = func() error { return mirror.Sync(dir) }
	}
	site = New(cfg, deps)
	return site
}

// loadTrust reads who may sign, from a file that others cannot have changed.
func loadTrust(path string) (*verify.Trust, error) {
	f, err := ownfile.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return verify.LoadTrust(path) // says so
	}
	if err != nil {
		return nil, fmt.Errorf("spec.trust: %w", err)
	}
	defer f.Close()
	return verify.ReadTrust(path, f)
}

// OpenMirror returns a client of the site's mirror and what ends its use. An embedded mirror that nobody serves is served
// by this process until then.
func OpenMirror(ctx context.Context, site *Config) (*mirror.Client, func() error, error) {
	cfg := site.Spec.Mirror
	if err := errors.Join(own("spec.mirror.credentials", cfg.Credentials), own("spec.mirror.ca", cfg.CA)); err != nil {
		return nil, nil, err
	}
	to := mirror.Config{URL: cfg.URL, CredentialsFile: cfg.Credentials, CAFile: cfg.CA, Insecure: cfg.Insecure, Proxy: cfg.Proxy}
	stop := func() error { return nil }
	if cfg.Embedded() {
		at, end, err := embedded.Attach(ctx, site.ServedMirror(), cfg.Listen)
		if err != nil {
			return nil, nil, err
		}
		to.URL, to.Username, to.Password, stop = at.URL, at.User, at.Password, end
	}
	c, err := mirror.New(to)
	if err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	return c, stop, nil
}

// OpenMirror returns a client of the site's mirror and what ends its use.
func (s *Site) OpenMirror(ctx context.Context) (*mirror.Client, func() error, error) {
	return OpenMirror(ctx, &s.cfg)
}

// ServedMirror says how the embedded mirror is served. Its secret is in the state folder, which all verbs share.
func (c *Config) ServedMirror() embedded.Config {
	return embedded.Config{Dir: c.Spec.Mirror.Dir, Secret: filepath.Join(c.Spec.State, "mirror.secret"), Names: c.Spec.Mirror.Names}
}

// lookAtMirror returns a client of the embedded mirror that can read only.
func lookAtMirror(ctx context.Context, cfg MirrorConfig) (ImageStore, func() error, error) {
	url, stop, err := embedded.Look(ctx, cfg.Dir, cfg.Listen)
	if err != nil {
		return nil, nil, err
	}
	c, err := mirror.New(mirror.Config{URL: url})
	if err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	return c, stop, nil
}

// scrub is Deps.Scrub of the mirrors that Open makes.
func scrub(ctx context.Context, m ImageStore, releases []*bundle.Descriptor) (*mirror.FsckReport, error) {
	c, ok := m.(*mirror.Client)
	if !ok {
		return nil, fmt.Errorf("%T cannot be read as a mirror", m)
	}
	return mirror.Fsck(ctx, c, releases)
}

// dropDamaged is Deps.Drop of the mirrors that Open makes.
func dropDamaged(ctx context.Context, m Mirror, found *mirror.FsckReport) error {
	c, ok := m.(*mirror.Client)
	if !ok {
		return fmt.Errorf("%T cannot be mended as a mirror", m)
	}
	return mirror.DropDamaged(ctx, c, found)
}

// MirrorEndpoint is the mirror as the container runtime of this machine reaches it.
func (c *Config) MirrorEndpoint() mirror.Endpoint {
	m := c.Spec.Mirror
	if m.Embedded() {
		return mirror.Endpoint{URL: "http://" + embedded.Reach(m.Listen)}
	}
	return mirror.Endpoint{URL: m.URL, CAFile: m.CA, Insecure: m.Insecure}
}

// own refuses a file that others could have changed; an empty path names none. That it is missing is told by its reader.
func own(field, path string) error {
	if path == "" {
		return nil
	}
	if err := ownfile.Check(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", field, err)
	}
	return nil
}

// openTarget returns the target. waiting is told what a verb waits for there.
func openTarget(cfg TargetConfig, disk durable.Disk, waiting func(string)) (Target, error) {
	if cfg.ManifestsDir != nil {
		return kube.NewFolder(cfg.ManifestsDir.Path, disk), nil
	}
	// Its exec plugins are programs that run here.
	if err := own("kubeconfig", cfg.Kubernetes.Kubeconfig); err != nil {
		return nil, err
	}
	return kube.NewCluster(kube.Config{Kubeconfig: cfg.Kubernetes.Kubeconfig, Context: cfg.Kubernetes.Context, Waiting: waiting})
}
