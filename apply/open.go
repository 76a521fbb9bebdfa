package apply

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport-dev/sallyport/apply/check"
	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/apply/mirror/embedded"
	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/verify"
)

// Open returns a site with the real parts that its configuration names. It connects to nothing: each verb connects to
// what it needs.
func Open(cfg *Config, observe func(Event)) *Site {
	deps := Deps{
		OpenMirror: func(ctx context.Context) (Mirror, func() error, error) { return OpenMirror(ctx, cfg.Spec.Mirror) },
		OpenTarget: func(context.Context) (Target, error) { return openTarget(cfg.Spec.Target, durable.Disk{}) },
		LoadTrust:  func() (*verify.Trust, error) { return verify.LoadTrust(cfg.Spec.Trust) },
		RunChecks:  check.Run,
		Now:        time.Now,
		Observe:    observe,
	}
	if dir := cfg.Spec.Mirror.Dir; dir != "" {
		deps.SyncMirror = func() error { return mirror.Sync(dir) }
	}
	return New(cfg, deps)
}

// OpenMirror returns a client of the mirror and what ends its use. An embedded mirror that nobody serves is served by
// this process until then.
func OpenMirror(ctx context.Context, cfg MirrorConfig) (*mirror.Client, func() error, error) {
	url, stop := cfg.URL, func() error { return nil }
	if cfg.Embedded() {
		var err error
		if url, stop, err = embedded.Attach(ctx, embedded.Config{Dir: cfg.Dir}, cfg.Listen); err != nil {
			return nil, nil, err
		}
	}
	c, err := mirror.New(mirror.Config{URL: url, CredentialsFile: cfg.Credentials, CAFile: cfg.CA, Insecure: cfg.Insecure})
	if err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	return c, stop, nil
}

func openTarget(cfg TargetConfig, disk durable.Disk) (Target, error) {
	if cfg.ManifestsDir != nil {
		return kube.NewFolder(cfg.ManifestsDir.Path, disk), nil
	}
	return kube.NewCluster(kube.Config{Kubeconfig: cfg.Kubernetes.Kubeconfig, Context: cfg.Kubernetes.Context})
}
