package apply

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"github.com/sallyport-dev/sallyport/apply/kube"
	"github.com/sallyport-dev/sallyport/apply/slot/host"
)

// Finding is one thing that Doctor looked at.
type Finding struct {
	Name    string `json:"name"` // recovery, state, room, trust, clock, journal, mirror, push, release, overlays, target, objects, checks, boot, places, parts, watchdog, deadline, inbox, metrics, runtime
	OK      bool   `json:"ok"`
	Message string `json:"message"`
	// Mend is what to do about it, one sentence; empty if nothing has to be done. On a good finding it is advice.
	Mend string `json:"mend,omitempty"`
}

// enoughRoom is the free space below which Doctor warns, in bytes.
const enoughRoom = 1 << 30

// doctorRepository is where Doctor pushes a blob of a few bytes to see whether it may.
const doctorRepository = "sallyport/doctor"

// doctorTime bounds how long Doctor waits for the mirror.
const doctorTime = 30 * time.Second

// Doctor looks at everything that an apply needs and says how to mend what is missing. It writes nothing; with push it
// pushes a few bytes to the mirror, to see whether it may.
func (s *Site) Doctor(ctx context.Context, push bool) []Finding {
	findings := []Finding{s.recoveryDue(), s.stateWritable(), s.room(), s.trustLoads(), s.clockSane(), s.journalSound()}
	findings = append(findings, s.mirrorWorks(ctx, push)...)
	findings = append(findings, s.releasesWhole(ctx)...)
	findings = append(findings, s.overlaysFit()...)
	findings = append(findings, s.bootReady(ctx)...)
	findings = append(findings, s.partsReady(ctx)...)
	if s.cfg.Spec.Slots.OS() {
		findings = append(findings, watchdogReady(host.Host{}), s.deadlineReady())
	}
	findings = append(findings, s.inboxesAnswer(ctx)...)
	if s.cfg.Spec.Metrics != nil {
		findings = append(findings, s.metricsWritable())
	}
	return append(findings, s.targetAnswers(ctx), s.objectsStand(ctx), s.checksLoad(), s.runtimeAsksMirror())
}

// found makes a finding of an error, with the error's own hint if it has one.
func found(name string, err error, good, mend string) Finding {
	if err == nil {
		return Finding{Name: name, OK: true, Message: good}
	}
	var h interface{ Hint() string }
	if errors.As(err, &h) && h.Hint() != "" {
		mend = h.Hint()
	}
	return Finding{Name: name, Message: oneLine(err.Error()), Mend: mend}
}

func (s *Site) stateWritable() Finding {
	dir := s.cfg.Spec.State
	if err := s.unmounted(); err != nil {
		return found("state", err, "", "")
	}
	err := own("spec.state", dir)
	if err == nil {
		err = mayWrite(dir)
	}
	if err == nil && s.readMarker() == "" {
		return Finding{Name: "state", OK: true, Message: dir + " can be written; nothing was ever applied there",
			Mend: "if that is wrong, mount the disk that holds it"}
	}
	if err == nil && s.readNote() == nil && s.notePath() != "" {
		return Finding{Name: "state", OK: true, Message: dir + " can be written; if its disk were not mounted, nobody would know",
			Mend: "sallyport site init --state, as a user who may write beside site.yaml, notes where it is"}
	}
	return found("state", err, dir+" can be written", "run it as root, or give this user the folder "+dir)
}

// mayWrite asks, and does not try, whether the folder can be written or made.
func mayWrite(dir string) error {
	for {
		err := unix.Access(dir, unix.W_OK|unix.X_OK)
		if !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			if err != nil {
				return &fs.PathError{Op: "write", Path: dir, Err: err}
			}
			return nil
		}
		dir = filepath.Dir(dir)
	}
}

func (s *Site) room() Finding {
	paths := []string{s.cfg.Spec.State}
	if s.cfg.Spec.Mirror.Embedded() {
		paths = append(paths, s.cfg.Spec.Mirror.Dir)
	}
	f := Finding{Name: "room", OK: true}
	for _, path := range paths {
		d, err := diskOf(path)
		if err != nil {
			return found("room", err, "", "check the disk that holds "+path)
		}
		if f.Message != "" {
			f.Message += "; "
		}
		f.Message += fmt.Sprintf("%s has %s free", path, size(d.free))
		if d.free < enoughRoom {
			f.OK, f.Mend = false, "make room there: sallyport mirror gc removes what neither slot needs"
		}
	}
	return f
}

func (s *Site) trustLoads() Finding {
	t, err := s.deps.LoadTrust()
	if err != nil {
		return found("trust", err, "", "put the public keys of those who may sign into "+s.cfg.Spec.Trust)
	}
	var names []string
	for _, k := range t.Signers() {
		names = append(names, k.String())
	}
	return Finding{Name: "trust", OK: true, Message: fmt.Sprintf("releases may be signed by %v", names)}
}

// firstRelease is before any sallyport existed: a clock that says less was never set.
var firstRelease = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (s *Site) clockSane() Finding {
	now := s.deps.Now()
	text := "the clock says " + now.UTC().Format(time.RFC3339)
	last := s.lastSeen()
	if now.Before(last) {
		return Finding{Name: "clock", Message: text + ", which is before " + last.UTC().Format(time.RFC3339),
			Mend: "set the clock: releases expire by it"}
	}
	return Finding{Name: "clock", OK: true, Message: text}
}

func (s *Site) journalSound() Finding {
	j, err := s.readJournal()
	if err != nil {
		return found("journal", err, "", "")
	}
	if j.lost != nil {
		p := s.lostJournal(j)
		return Finding{Name: "journal", Message: p.Text, Mend: p.Mend}
	}
	f := Finding{Name: "journal", OK: true, Message: "phase: " + j.Phase.Words()}
	_, damaged, err := readHistory(s.historyPath())
	switch {
	case j.NeedsPerson != "":
		f.OK, f.Message, f.Mend = false, j.NeedsPerson, "mend what is named, then run sallyport confirm"
	case err != nil:
		return found("journal", err, "", "check the disk")
	case damaged > 0:
		f.OK, f.Message = false, fmt.Sprintf("%d lines of %s are damaged", damaged, s.historyPath())
		f.Mend = "check the disk; the site itself does not need those lines"
	case j.Phase != Idle && j.Phase != Written:
		f.Message += ": sallyport confirm finishes it"
	}
	return f
}

// mirrorWorks asks the mirror whether it is there and, with push, whether it takes a few bytes.
func (s *Site) mirrorWorks(ctx context.Context, push bool) []Finding {
	ctx, cancel := context.WithTimeout(ctx, doctorTime)
	defer cancel()
	if push {
		return s.mirrorTakes(ctx)
	}
	m, done, err := s.lookAtMirror(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return []Finding{{Name: "mirror", OK: true, Message: s.cfg.Spec.Mirror.Dir + " holds nothing yet: the first apply makes it"}}
	}
	if err != nil {
		return []Finding{found("mirror", err, "", "correct spec.mirror in site.yaml, or start the registry")}
	}
	return []Finding{found("mirror", errors.Join(m.Ping(ctx), done()), "the mirror answers", "start the registry")}
}

func (s *Site) mirrorTakes(ctx context.Context) []Finding {
	m, done, err := s.deps.OpenMirror(ctx)
	if err != nil {
		return []Finding{found("mirror", err, "", "correct spec.mirror in site.yaml, or start the registry")}
	}
	err = m.Ping(ctx)
	findings := []Finding{found("mirror", err, "the mirror answers", "start the registry")}
	if err == nil {
		findings = append(findings, found("push", pushSample(ctx, m), "the mirror takes blobs and gives them back",
			"give credentials that may push"))
	}
	if err := done(); err != nil {
		findings = append(findings, found("mirror", err, "", ""))
	}
	return findings
}

// pushSample pushes a few bytes and reads them back.
func pushSample(ctx context.Context, m BlobStore) error {
	sample := []byte("sallyport doctor\n")
	desc := ocispec.Descriptor{Digest: digest.FromBytes(sample), Size: int64(len(sample))}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(sample)), nil }
	if _, err := m.PushBlob(ctx, doctorRepository, desc, open); err != nil {
		return err
	}
	r, err := m.OpenBlob(ctx, doctorRepository, desc.Digest)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	return errors.Join(err, r.Close())
}

// releasesWhole looks at what the site has of its releases.
func (s *Site) releasesWhole(ctx context.Context) (all []Finding) {
	h := s.Examine(ctx)
	for _, p := range h.Problems {
		all = append(all, Finding{Name: "release", Message: p.Text, Mend: p.Mend})
	}
	if len(all) == 0 {
		all = append(all, Finding{Name: "release", OK: true, Message: "slots as they should be; mirror: " + h.Mirror})
	}
	return all
}

func (s *Site) targetAnswers(ctx context.Context) Finding {
	t, err := s.deps.OpenTarget(ctx)
	if err != nil {
		return found("target", err, "", "correct spec.target in site.yaml")
	}
	var live kube.Inventory
	if j, err := loadJournal(s.journalPath()); err == nil {
		live = j.onTarget()
	}
	version, err := t.Ready(ctx, live)
	good := fmt.Sprintf("%s can be written", t)
	if version != "" {
		good = fmt.Sprintf("%s answers: %s", t, version)
	}
	return found("target", err, good, "start the cluster, or correct spec.target in site.yaml")
}

// objectsStand tells whether the current release's objects are as it has them.
func (s *Site) objectsStand(ctx context.Context) Finding {
	text, drift := s.ExamineTarget(ctx)
	f := Finding{Name: "objects", OK: len(drift) == 0, Message: text}
	if !f.OK {
		f.Mend = repairCommand + " puts them back; if they are to stay so, have it in the next release"
	}
	return f
}

func (s *Site) checksLoad() Finding {
	checks, err := s.siteChecks()
	return found("checks", err, fmt.Sprintf("%d checks of the site's own", len(checks)), "correct the file that is named")
}

// runtimeAsksMirror looks for the files by which a container runtime learns of the mirror. On a site without a
// container runtime there is nothing to look for.
func (s *Site) runtimeAsksMirror() Finding {
	runtimes := []struct{ runtime, config, mend string }{
		{"/etc/rancher/k3s", "/etc/rancher/k3s/registries.yaml", "sallyport mirror config --k3s writes it"},
		{"/etc/containerd", "/etc/containerd/certs.d", "sallyport mirror config --containerd writes it"},
	}
	for _, rt := range runtimes {
		if _, err := os.Stat(rt.runtime); err != nil {
			continue
		}
		_, err := os.Stat(rt.config)
		if errors.Is(err, fs.ErrNotExist) {
			// Advice only: the runtime may have been told elsewhere.
			return Finding{Name: "runtime", OK: true, Message: rt.config + " is missing; unless it stands elsewhere, the container runtime does not ask the mirror",
				Mend: rt.mend}
		}
		return found("runtime", err, rt.config+" is there", "")
	}
	return Finding{Name: "runtime", OK: true, Message: "no container runtime is configured on this machine"}
}
