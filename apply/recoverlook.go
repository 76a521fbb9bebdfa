package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/bundle"
)

// survey is what a look at the site has found.
type survey struct {
	plan    Recovery
	report  *mirror.FsckReport // nil: there is no mirror yet
	lacks   int                // what the mirror lacks of the release, by number of blobs and manifests
	missing int                // objects that are missing on the target
}

func (v *survey) whole() bool {
	return len(v.plan.Lost) == 0 && v.plan.Ran != nil && v.plan.Ran.same(v.plan.Release)
}

func (v *survey) lost(part, format string, args ...any) {
	v.plan.Lost = append(v.plan.Lost, Loss{part, oneLine(fmt.Sprintf(format, args...))})
}

func (v *survey) step(format string, args ...any) {
	v.plan.Steps = append(v.plan.Steps, fmt.Sprintf(format, args...))
}

// survey finds out what is left of the site, in the order in which it is brought back. It changes nothing. Where something speaks
// against beginning there is a survey as well as an error.
func (r *run) survey(ctx context.Context, set *supply, o RecoverOptions) (*survey, error) {
	about := set.target.about
	v := &survey{plan: Recovery{APIVersion: bundle.APIVersion, Kind: "Recovery", Site: r.cfg.Metadata.Name, Release: about,
		Ran: r.journal.Current, Lost: []Loss{}, Bundles: []string{}, Steps: []string{}}}
	r.lookAtToken(v, o)
	if err := r.lookAtState(v, about, o); err != nil {
		return v, err
	}
	if err := r.lookAtMirrorBytes(ctx, set, v); err != nil {
		return v, r.circle(ctx, set, err)
	}
	r.lookAtSlots(v)
	r.lookAtObjects(ctx, v)
	r.lookAtBoot(ctx, v)
	if f := r.runtimeAsksMirror(); f.Mend != "" && o.K3s == "" && o.Containerd == "" {
		v.plan.Notes = append(v.plan.Notes, f.Message+": "+f.Mend)
	}
	r.sayBundles(set, v)
	return v, ctx.Err()
}

// lookAtState looks at the journal, and at how far it tells that the site had come.
func (r *run) lookAtState(v *survey, about Release, o RecoverOptions) error {
	j := r.journal
	known := j.Names[about.Name].RollbackIndex
	v.plan.Index = Index{Known: known > 0, Value: known}
	switch {
	case known > 0 && j.Current == nil && o.Backup != nil && o.Backup.Names[about.Name].RollbackIndex == known:
		v.plan.Index.From = "the backup"
	case j.lost != nil:
		v.plan.Index.From = "the history and the slots"
	case known > 0:
		v.plan.Index.From = "the journal"
	case o.Index > 0:
		v.plan.Index = Index{Known: true, Value: o.Index, From: "a person"}
	}
	if o.Index > about.Sequence {
		return errorf("sequence", fmt.Sprintf("give a bundle with sequence %d or more", o.Index),
			"%s has sequence %d, and this site is said to have reached %d", about, about.Sequence, o.Index)
	}
	switch {
	case j.lost != nil && j.Current != nil:
		v.lost("state", "the journal %s (%s); by what else there is, %s ran", r.journalPath(), j.lost, j.Current)
		v.step("write the journal anew, by history and slots")
	case j.lost != nil:
		v.lost("state", "the journal %s (%s), and nothing tells what ran", r.journalPath(), j.lost)
	case j.Current == nil:
		v.plan.First = !r.deleted() && o.Backup == nil && !r.folderWritten() && !r.mirrorMade()
		if !v.plan.First {
			v.lost("state", "all of %s: nothing tells what ran here", r.cfg.Spec.State)
		}
		v.step("make the state folder %s", r.cfg.Spec.State)
	}
	return nil
}

// folderWritten tells whether a release was put into the manifests folder once.
func (s *Site) folderWritten() bool {
	m := s.cfg.Spec.Target.ManifestsDir
	if m == nil {
		return false
	}
	_, err := os.Stat(filepath.Join(m.Path, kube.FolderFile))
	return err == nil
}

// mirrorMade tells whether there is an embedded mirror.
func (s *Site) mirrorMade() bool {
	if !s.cfg.Spec.Mirror.Embedded() {
		return false
	}
	_, err := os.Stat(s.cfg.Spec.Mirror.Dir)
	return err == nil
}

// lookAtMirrorBytes reads all of the mirror that the releases need, and finds out which bundles fill it.
func (r *run) lookAtMirrorBytes(ctx context.Context, set *supply, v *survey) error {
	d := set.target.bundle.Descriptor()
	releases := r.readable()
	for _, b := range set.all {
		releases = append(releases, b.bundle.Descriptor())
	}
	has, gone := func(digest.Digest) bool { return false }, true
	m, done, err := r.lookAtMirror(ctx)
	if err == nil {
		gone = false
		v.report, err = r.readMirror(ctx, m, releases)
		err = errors.Join(err, done())
	}
	switch {
	case errors.Is(err, fs.ErrNotExist): // there is none
	case err != nil:
		return err
	default:
		has = goodIn(releases, v.report)
	}
	v.countLacks(d, gone)
	switch {
	case len(d.Images) == 0:
	case gone && !v.plan.First:
		v.lost("mirror", "%s is gone", r.cfg.Spec.Mirror.Dir)
	case !gone && v.lacks > 0 && !v.plan.First:
		v.lost("mirror", "it lacks, or has damaged, %d of the blobs and manifests of %s", v.lacks, set.target.about)
	}
	if p := r.journal.Previous; p != nil && !gone && set.of(*p) != nil && set.of(*p) != set.target {
		if n := v.lackedBy(set.of(*p).bundle.Descriptor()); n > 0 {
			v.lost("mirror", "it lacks, or has damaged, %d of the blobs and manifests of %s, to which sallyport rollback goes", n, p)
		}
	}
	return set.inOrder(has)
}

func (r *run) readMirror(ctx context.Context, m ImageStore, releases []*bundle.Descriptor) (*mirror.FsckReport, error) {
	if err := m.Ping(ctx); err != nil {
		return nil, err
	}
	r.say("reading", "the mirror, to compare it with digests")
	return r.deps.Scrub(ctx, m, releases)
}

// countLacks counts what the mirror lacks of the release.
func (v *survey) countLacks(d *bundle.Descriptor, gone bool) {
	if gone {
		v.lacks = len(mirrored(d))
		return
	}
	v.lacks = v.lackedBy(d)
}

// lackedBy counts what the mirror, which was read, lacks of a release.
func (v *survey) lackedBy(d *bundle.Descriptor) (n int) {
	ours := mirrored(d)
	for _, p := range v.report.Problems {
		if ours[p.Digest] {
			n++
		}
	}
	return n
}

// mirrored are the blobs and manifests of a release that belong into the mirror.
func mirrored(d *bundle.Descriptor) map[digest.Digest]bool {
	ours := map[digest.Digest]bool{}
	for _, b := range d.Blobs {
		if b.MediaType != bundle.MediaTypePart {
			ours[b.Digest] = true
		}
	}
	for _, img := range d.Images {
		ours[img.Digest] = true
		for _, m := range img.Manifests {
			ours[m.Digest] = true
		}
	}
	return ours
}

// goodIn tells of a blob whether the mirror gives its very bytes in a repository in which a release wants it.
func goodIn(releases []*bundle.Descriptor, report *mirror.FsckReport) func(digest.Digest) bool {
	places := map[digest.Digest]map[string]bool{}
	for _, d := range releases {
		_ = wants(d, func(repo string, dgst digest.Digest) { // names that are none were refused with the bundle
			if places[dgst] == nil {
				places[dgst] = map[string]bool{}
			}
			places[dgst][repo] = true
		})
	}
	for _, p := range report.Problems {
		delete(places[p.Digest], p.Repository)
		if p.Damaged {
			delete(places, p.Digest)
		}
	}
	return func(d digest.Digest) bool { return len(places[d]) > 0 }
}

// lookAtSlots reads the slots of the releases that are known.
func (r *run) lookAtSlots(v *survey) {
	for _, rel := range []*Release{r.journal.Current, r.journal.Previous} {
		if rel == nil {
			continue
		}
		if _, err := r.loadSlot(*rel); err != nil {
			v.lost("slots", "%s: %s", rel, oneLine(err.Error()))
		}
	}
	if c := r.journal.Current; c != nil {
		if n, err := r.slots.NoBackend().Running(context.Background()); err != nil || n != c.Slot {
			v.lost("slots", "the record of the slot that runs; it is slot %s", c.Slot)
		}
	}
}

// lookAtObjects compares the target with the release that ran, if its slot still tells what it has.
func (r *run) lookAtObjects(ctx context.Context, v *survey) {
	if m := r.cfg.Spec.Target.ManifestsDir; m != nil {
		if _, err := os.Stat(m.Path); errors.Is(err, fs.ErrNotExist) {
			v.lost("objects", "the manifests folder %s", m.Path)
			v.step("make the manifests folder %s", m.Path)
		}
	}
	if r.journal.Current == nil {
		return
	}
	rel, err := r.loadSlot(*r.journal.Current)
	if err != nil {
		return // said of the slot
	}
	var drift []kube.Difference
	if err = r.openTarget(ctx); err == nil {
		drift, err = r.target.Drift(ctx, rel.objects())
	}
	if err != nil {
		v.lost("objects", "they cannot be asked for: %s", oneLine(err.Error()))
		return
	}
	for _, d := range drift {
		if d.Missing {
			v.missing++
		}
	}
	if v.missing > 0 {
		v.lost("objects", "%d of %d objects of %s are missing", v.missing, rel.descriptor.Manifests.Objects, r.journal.Current)
	}
}

// lookAtBoot reads the boot slot that runs. What was written to it since cannot be put right while it runs.
func (r *run) lookAtBoot(ctx context.Context, v *survey) {
	home, err := r.booted(ctx)
	if err != nil {
		v.plan.Notes = append(v.plan.Notes, "the boot loader: "+oneLine(err.Error()))
		return
	}
	if parts := r.runningOS(home); len(parts) > 0 {
		if f := r.basesStand(ctx, home, parts); !f.OK {
			v.plan.Notes = append(v.plan.Notes, f.Message)
		}
	}
}

// sayBundles lists what will be read and what will be done.
func (r *run) sayBundles(set *supply, v *survey) {
	for _, b := range append(set.before[:len(set.before):len(set.before)], set.target) {
		v.plan.Bundles = append(v.plan.Bundles, b.name)
	}
	about, c := set.target.about, r.journal.Current
	if v.whole() {
		return
	}
	for _, b := range set.before {
		v.step("load the mirror with %s, which %s is built against", b.about, about)
	}
	switch {
	case c != nil && c.same(about):
		v.step("bring back what mirror and slots lack of %s", about)
		v.step("put its objects on the target again: definitions and what answers webhooks first")
		v.step("run its checks")
	case r.journal.Previous != nil && r.journal.Previous.same(about):
		v.step("bring back what mirror and slots lack of %s, to which sallyport rollback goes", about)
	case c != nil:
		v.step("apply %s in place of %s, of which there is no bundle: there may be no way back", about, c)
	default:
		v.step("load the mirror with %s, fill a slot, put its objects on the target, run its checks", about)
	}
	v.step("read mirror, slot and target again, to prove it")
	if !v.plan.Index.Known && !v.plan.First {
		v.plan.Notes = append(v.plan.Notes, fmt.Sprintf("nothing tells how far this site had come: if it has run a release with a sequence above %d, "+
			"this goes back behind it; --accept-index N refuses what is older than N", about.Sequence))
	}
}

// makeFolder makes a manifests folder that is gone; the cluster's software finds it when it starts.
func (r *run) makeFolder() error {
	m := r.cfg.Spec.Target.ManifestsDir
	if m == nil {
		return nil
	}
	if _, err := os.Stat(m.Path); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := r.deps.Disk.MkdirAll(m.Path, 0o700); err != nil {
		return fmt.Errorf("make the manifests folder: %w", err)
	}
	r.mended("the manifests folder %s", m.Path)
	return nil
}

// runtimeFiles are the settings that were asked for, by path.
func (r *run) runtimeFiles(d *bundle.Descriptor, o RecoverOptions) (files map[string][]byte, err error) {
	hosts, err := mirror.Hosts(d.Images)
	if err != nil || len(hosts) == 0 {
		return nil, err
	}
	files = map[string][]byte{}
	if o.Containerd != "" {
		if files, err = mirror.ContainerdHosts(o.Containerd, r.cfg.MirrorEndpoint(), hosts); err != nil {
			return nil, err
		}
	}
	if o.K3s != "" {
		files[o.K3s], err = mirror.K3sRegistries(r.cfg.MirrorEndpoint(), hosts)
	}
	return files, err
}
