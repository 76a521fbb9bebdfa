package apply

import (
	"context"

	"github.com/Masterminds/semver/v3"

	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/bundle"
)

// ready finds out, without changing anything, what a switch to the release needs on the site: that its own checks can be
// read, and that its target is there, can be written, and is of a version that the release takes.
func (r *run) ready(ctx context.Context, d *bundle.Descriptor) error {
	if _, err := r.siteChecks(); err != nil {
		return err
	}
	if err := r.openTarget(ctx); err != nil {
		return err
	}
	version, err := r.target.Ready(ctx, r.journal.onTarget())
	if err != nil {
		return err
	}
	return fitsKubernetes(d, version)
}

// fitsKubernetes holds the ranges that the release requires against the cluster's version, such as v1.36.3+k3s1. A folder
// has none, and nothing can be said.
func fitsKubernetes(d *bundle.Descriptor, version string) error {
	if d.Requires == nil || version == "" {
		return nil
	}
	have, err := semver.NewVersion(version)
	if err != nil {
		return nil //nolint:nilerr // a cluster that calls itself something else is not refused for its name
	}
	plain := semver.New(have.Major(), have.Minor(), have.Patch(), "", "") // v1.30.1-eks-036c24b is no early version of 1.30.1
	for _, text := range d.Requires.Kubernetes {
		want, err := semver.NewConstraint(text)
		if err != nil {
			return errorf("format", "", "%s %s requires Kubernetes %q, which is not a version range", d.Name, d.Version, text)
		}
		if !want.Check(have) && !want.Check(plain) {
			return errorf("requires", "ask for a release that is made for this version, or bring the cluster to one that it takes",
				"%s %s requires Kubernetes %s, and this cluster has %s", d.Name, d.Version, text, version)
		}
	}
	return nil
}

// readyToTry is ready for the release on trial: a reboot may have brought another cluster.
func (r *run) readyToTry(ctx context.Context) error {
	rel, err := r.loadSlot(*r.journal.Trial)
	if err != nil {
		return err
	}
	return r.ready(ctx, rel.descriptor)
}

// onTarget lists what is on the target because of a release that was committed. What a first release is about to put
// there is live already, and may never come.
func (j *journal) onTarget() kube.Inventory {
	if j.Current == nil {
		return kube.Inventory{}
	}
	return j.Live
}

// readyToSwitch is ready before anything is loaded. Whoever only stages is told, and may mend it before the switch.
func (r *run) readyToSwitch(ctx context.Context, d *bundle.Descriptor) error {
	err := r.ready(ctx, d)
	if err == nil || r.verb != verbStage || ctx.Err() != nil {
		return err
	}
	r.say("note", "to be mended before the switch: %s", err)
	return nil
}
