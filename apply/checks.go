package apply

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/sallyport-dev/sallyport/apply/check"
	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/strictyaml"
)

// siteChecks reads the site's own checks: the list in each *.yaml file of checksDir, by name of file.
func (s *Site) siteChecks() ([]bundle.Check, error) {
	if s.cfg.Spec.ChecksDir == "" {
		return nil, nil
	}
	if _, err := os.ReadDir(s.cfg.Spec.ChecksDir); err != nil {
		return nil, &Error{Word: "spec", Text: "the site's checks cannot be read", Err: err,
			Advice: "correct spec.checksDir in site.yaml, or make the folder"}
	}
	files, err := filepath.Glob(filepath.Join(s.cfg.Spec.ChecksDir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var all []bundle.Check
	for _, file := range files {
		checks, err := readChecks(file)
		if err != nil {
			return nil, err
		}
		all = append(all, checks...)
	}
	return all, nil
}

func readChecks(file string) ([]bundle.Check, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var doc struct {
		Checks []bundle.Check `json:"checks"`
	}
	pos, err := strictyaml.Decode(file, data, &doc)
	if err != nil {
		return nil, err
	}
	for i, c := range doc.Checks {
		if err := check.Validate(c); err != nil {
			return nil, pos.Error("checks["+strconv.Itoa(i)+"]", "does not validate: "+err.Error(), "")
		}
	}
	return doc.Checks, nil
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
		Images: func(ctx context.Context) error { return r.imagesServed(ctx, rel) },
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
