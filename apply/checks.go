package apply

import (
	"context"
	"time"

	"github.com/sallyport-dev/sallyport/apply/check"
	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/bundle"
)

// siteChecks reads the site's own checks, if it has a folder of them.
func (s *Site) siteChecks() ([]bundle.Check, error) {
	if s.cfg.Spec.ChecksDir == "" {
		return nil, nil
	}
	return check.LoadDir(s.cfg.Spec.ChecksDir)
}

// checkEnv is what the checks of a release ask.
func (r *run) checkEnv(rel *slotRelease) check.Env {
	return check.Env{
		Kubernetes: func(ctx context.Context) error {
			status, err := r.target.Health(ctx, rel.objects())
			if err != nil {
				return err
			}
			return kube.CheckHealth(status)
		},
		Images: func(ctx context.Context) error { return r.imagesByName(ctx, rel) },
		Environ: []string{
			"SALLYPORT_SITE_NAME=" + r.cfg.Metadata.Name,
			"SALLYPORT_RELEASE=" + rel.descriptor.Name,
			"SALLYPORT_VERSION=" + rel.descriptor.Version,
		},
		Observe: r.observeCheck,
	}
}

// observeCheck tells of a check that begins, of measurements while it is not decided, and of its verdict.
func (r *run) observeCheck(e check.Event) {
	switch res := e.Result; {
	case res == nil && e.Tries == 0:
	case res == nil && e.Want > 1:
		r.say("checks", "%s: %d of %d good, %s left", e.Name, e.Good, e.Want, e.Left.Round(time.Second))
	case res == nil:
	case res.Verdict == check.Pass:
		r.say("checks", "%s ok (%s)", e.Name, seconds(res.Seconds))
	case !res.Required:
		r.say("checks", "%s failed, which is forgiven: %s", e.Name, res.Message)
	default:
		r.say("checks", "%s FAILED: %s", e.Name, res.Message)
	}
}
