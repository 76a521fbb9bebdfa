package apply

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/apply/slot"
	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/delta"
	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/internal/durable/durabletest"
)

// image makes up a file system of some 4 MB, of which a point release changes little.
func osImage(version string) string {
	var b strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&b, "%08d /usr/lib/file that stays the same, line %d, in all of them\n", i, i*i)
	}
	return b.String()[:2<<20] + strings.Repeat("/etc/os-release "+version+"\n", 500) + b.String()[2<<20:]
}

// osRelease is a release of an operating system of one part.
func (f *factory) osRelease(t *testing.T, version string, sequence uint64, root string) *content {
	c := newContent(version, sequence)
	c.os(root)
	c.configMaps("a")
	return c
}

// against lets the part of a release travel as a patch against that of another one.
func (c *content) against(t *testing.T, base sealed, old string) *content {
	t.Helper()
	p := c.d.OS.Parts[0]
	c.d.Bases = []bundle.Base{{Digest: base.release.Digest, Name: base.release.Name, Version: base.release.Version, Sequence: base.release.Sequence}}
	var patch bytes.Buffer
	olds := []delta.Old{{ReaderAt: strings.NewReader(old), Size: int64(len(old))}}
	if _, err := delta.Diff(context.Background(), &patch, bytes.NewReader(c.blobs[p.Digest]), p.Size, olds, delta.Options{TempDir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	c.travelAs(bundle.FormDelta, p.Digest, patch.Bytes(),
		bundle.BaseBlob{Digest: digest.FromString(old), Size: int64(len(old)), PlainSize: int64(len(old))})
	return c
}

// osSite is a site that runs the first release in boot slot A, and in B nothing.
type osSite struct {
	*testSite
	f   *factory
	one sealed
	old string
}

func newOSSite(t *testing.T, prepare ...func(*testSite)) *osSite {
	t.Helper()
	s := &osSite{f: newFactory(t), old: osImage("1")}
	w := newWorld()
	w.machine = newMachine()
	s.testSite = newTestSite(t, s.f, w)
	for _, p := range prepare {
		p(s.testSite)
	}
	s.put(slot.A, "whatever came with the machine")
	s.put(slot.B, "")
	s.one = s.f.seal(t, s.f.osRelease(t, "1.0.0", 1, s.old))
	s.update(s.one)
	return s
}

// deviceSize is that of the devices, in bytes.
const deviceSize = 8 << 20

// put changes what stands in the place of a boot slot's root.
func (s *testSite) put(n slot.Name, data string) {
	s.t.Helper()
	if s.deps.Host.Root != "" {
		data += strings.Repeat("\xaa", deviceSize-len(data))
	}
	path := s.deps.Host.Path(s.cfg.Spec.Slots.places(n)["root"])
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// holds is what stands in the place of a boot slot's root.
func (s *testSite) holds(n slot.Name) string {
	b, err := os.ReadFile(s.deps.Host.Path(s.cfg.Spec.Slots.places(n)["root"]))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

// update applies a release, boots it and confirms it.
func (s *osSite) update(b sealed) *Result {
	s.t.Helper()
	res, err := s.apply(b)
	if err != nil || res.Result != ResultArmed {
		s.t.Fatalf("apply: %+v, %v", res, err)
	}
	s.world.machine.boot(s.t)
	if confirmed, err := s.Confirm(context.Background()); err != nil || confirmed.Result != ResultCommitted {
		s.t.Fatalf("confirm: %+v, %v", confirmed, err)
	}
	return res
}

// asDevices gives the slots' roots places of which only what differs is written.
func asDevices(s *testSite) { devicesIn(s, s.t.TempDir()) }

// devicesIn is asDevices with the devices below a folder.
func devicesIn(s *testSite, dir string) {
	s.deps.Host.Root = dir
	mounts := s.deps.Host.Path("/proc/self/mountinfo")
	err := os.MkdirAll(filepath.Dir(mounts), 0o755)
	if err == nil {
		err = os.WriteFile(mounts, []byte("21 1 0:99 / / rw - tmpfs tmpfs rw\n"), 0o644)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.cfg.Spec.Slots.A.Parts["root"] = "/dev/disk/by-partlabel/root-a"
	s.cfg.Spec.Slots.B.Parts["root"] = "/dev/disk/by-partlabel/root-b"
}

func TestPartsTravelAsPatches(t *testing.T) {
	s := newOSSite(t)
	if got := s.holds(slot.B); got != s.old {
		t.Fatal("slot B does not hold the first release")
	}
	next := osImage("2")
	two := s.f.seal(t, s.f.osRelease(t, "2.0.0", 2, next).against(t, s.one, s.old))
	if len(two.bytes) > len(next)/4 {
		t.Fatalf("the bundle has %d bytes", len(two.bytes))
	}
	res := s.update(two)
	if s.holds(slot.A) != next || s.holds(slot.B) != s.old {
		t.Error("slot A does not hold the second release, or slot B was written")
	}
	if res.Bytes.Written != int64(len(next)) || s.world.pushes != 0 {
		t.Errorf("%+v, %d blobs in the mirror", res.Bytes, s.world.pushes)
	}
}

// Of a device only what differs is written; the figures stand in the result.
func TestPartsOnDevices(t *testing.T) {
	s := newOSSite(t, asDevices)
	next := osImage("2")
	s.update(s.f.seal(t, s.f.osRelease(t, "2.0.0", 2, next).against(t, s.one, s.old)))
	third := osImage("3")
	res := s.update(s.f.seal(t, s.f.osRelease(t, "3.0.0", 3, third)))
	if !strings.HasPrefix(s.holds(slot.B), third) || !strings.HasPrefix(s.holds(slot.A), next) {
		t.Error("slot B does not hold the third release, or slot A was written")
	}
	if b := res.Bytes; b.Written == 0 || b.Written > 100_000 || b.Written+b.Skipped+b.Zeroed != int64(len(third)) {
		t.Errorf("of %d bytes: %+v", len(third), b)
	}
}

// A part that is the same in both releases does not travel: it is copied from the slot that runs.
func TestPartsThatStayAtHome(t *testing.T) {
	s := newOSSite(t, func(s *testSite) {
		asDevices(s)
		for n, c := range map[slot.Name]*SlotConfig{slot.A: s.cfg.Spec.Slots.A, slot.B: s.cfg.Spec.Slots.B} {
			c.Parts["kernel"] = "/boot/kernel-" + string(n)
		}
		if err := os.MkdirAll(s.deps.Host.Path("/boot"), 0o755); err != nil {
			s.t.Fatal(err)
		}
	})
	c := s.f.osRelease(t, "2.0.0", 2, s.old)
	c.d.OS.Parts = append([]bundle.OSPart{c.part("kernel", "vmlinuz 2")}, c.d.OS.Parts...)
	c.d.Bases = []bundle.Base{{Digest: s.one.release.Digest, Name: "store-platform", Version: "1.0.0", Sequence: 1}}
	c.reuse(digest.FromString(s.old))
	s.update(s.f.seal(t, c))
	kernel, err := os.ReadFile(s.deps.Host.Path("/boot/kernel-a"))
	if !strings.HasPrefix(s.holds(slot.A), s.old) || err != nil || string(kernel) != "vmlinuz 2" {
		t.Errorf("slot A does not hold the second release: %q, %v", kernel, err)
	}
}

// part adds the bytes of a part.
func (c *content) part(name, data string) bundle.OSPart {
	desc := c.blob(bundle.MediaTypePart, []byte(data))
	return bundle.OSPart{Name: name, Digest: desc.Digest, Size: desc.Size}
}

// rpi-image-gen#160: the base was mounted read-only once, and is not what it was. It is refused before anything is written, and
// the ways out are named.
func TestPartThatWasChangedInPlace(t *testing.T) {
	s := newOSSite(t, asDevices)
	s.put(slot.B, strings.Replace(s.old, "stays", "STAYS", 1))
	before, states := s.holds(slot.A), fmt.Sprint(s.world.machine.states)
	next := osImage("2")
	two := s.f.osRelease(t, "2.0.0", 2, next)
	patch := s.f.seal(t, two.against(t, s.one, s.old))
	for _, try := range []func() error{
		func() error { _, err := s.apply(patch); return err },
		func() error { _, err := s.DryRun(context.Background(), patch.input(), Options{}); return err },
	} {
		err := try()
		var e *Error
		if reasonOf(err) != "base" || !errors.As(err, &e) {
			t.Fatalf("got %v", err)
		}
		for _, word := range []string{"part root of boot slot B", "1.0.0", "keepImages", "noload", "full bundle"} {
			if !strings.Contains(e.Error()+e.Hint(), word) {
				t.Errorf("%q and %q do not say %q", e, e.Hint(), word)
			}
		}
	}
	if s.holds(slot.A) != before || fmt.Sprint(s.world.machine.states) != states {
		t.Error("something was written before it was refused")
	}
	s.update(s.f.seal(t, s.f.osRelease(t, "2.0.1", 3, next)))
}

// With keepImages a copy is the base, whatever has become of the part itself; and the copies do not pile up.
func TestKeepImages(t *testing.T) {
	s := newOSSite(t, asDevices, func(s *testSite) { s.cfg.Spec.Slots.KeepImages = true })
	s.put(slot.B, strings.Replace(s.old, "stays", "STAYS", 1))
	olds, last := []string{s.old}, s.one
	for i := 2; i < 5; i++ {
		version := fmt.Sprintf("%d.0.0", i)
		next := osImage(version)
		last = s.f.seal(t, s.f.osRelease(t, version, uint64(i), next).against(t, last, olds[len(olds)-1]))
		s.update(last)
		olds = append(olds, next)
		s.put(s.world.machine.running, "written to")
	}
	if _, err := s.Confirm(context.Background()); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(s.copiesPath())
	if err != nil || len(entries) != 2 {
		t.Errorf("%d copies, want those of the current and the previous release: %v", len(entries), err)
	}
	// A copy that is damaged is not believed.
	if err := os.WriteFile(s.copyPath(digest.FromString(olds[3])), bytes.Repeat([]byte("x"), len(olds[3])), 0o600); err != nil {
		t.Fatal(err)
	}
	next := osImage("5")
	if _, err := s.apply(s.f.seal(t, s.f.osRelease(t, "5.0.0", 5, next).against(t, last, olds[3]))); reasonOf(err) != "base" {
		t.Errorf("got %v", err)
	}
}

// A bundle whose parts do not fit the site's slots names the part, before anything is written.
func TestPartsThatDoNotFit(t *testing.T) {
	s := newOSSite(t, asDevices)
	states := fmt.Sprint(s.world.machine.states)
	c := s.f.osRelease(t, "2.0.0", 2, osImage("2"))
	c.d.OS.Parts = append(c.d.OS.Parts, c.part("verity", "hashes"))
	large := s.f.osRelease(t, "2.0.0", 2, strings.Repeat("large", deviceSize/4))
	for text, b := range map[string]*content{"part verity": c, "part root": large} {
		_, err := s.apply(s.f.seal(t, b))
		if reasonOf(err) != "part" || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want one that names %s", err, text)
		}
	}
	if fmt.Sprint(s.world.machine.states) != states {
		t.Error("the boot loader was told something")
	}
}

// A write that was cut short is taken up: what is right already is not written again. Until it is done the loader passes over
// the slot.
func TestPartsTakenUp(t *testing.T) {
	s := newOSSite(t, asDevices)
	next := strings.Repeat(osImage("2"), 2)[:7<<20]
	two := s.f.seal(t, s.f.osRelease(t, "2.0.0", 2, next))
	writes := 0
	s.deps.Disk.Intercept = func(op durable.Op, do func() error) error {
		if strings.HasPrefix(op.Path, s.deps.Host.Root) && op.Kind == durable.OpWrite {
			if writes++; writes == 4 {
				return durabletest.ErrCrashed
			}
		}
		return do()
	}
	if _, err := s.apply(two); !errors.Is(err, durabletest.ErrCrashed) {
		t.Fatalf("got %v", err)
	}
	if s.world.machine.states[slot.A].Verdict != slot.Bad {
		t.Error("the loader would boot a slot that is half written")
	}
	s.deps.Disk.Intercept = nil
	res := s.update(two)
	if !strings.HasPrefix(s.holds(slot.A), next) || res.Bytes.Skipped < 3<<20 {
		t.Errorf("%+v", res.Bytes)
	}
}

// Doctor says so before a bundle is built that could not be used.
func TestDoctorLooksAtParts(t *testing.T) {
	s := newOSSite(t, asDevices)
	finding := func(name string) Finding {
		for _, f := range s.Doctor(context.Background(), false) {
			if f.Name == name {
				return f
			}
		}
		t.Fatalf("nothing was found of %s", name)
		return Finding{}
	}
	if f := finding("parts"); !f.OK || f.Mend != "" {
		t.Errorf("as it was brought: %+v", f)
	}
	if f := finding("places"); !f.OK {
		t.Errorf("as it should be: %+v", f)
	}
	s.put(slot.B, strings.Replace(s.old, "stays", "STAYS", 1))
	if f := finding("parts"); f.OK || !strings.Contains(f.Message, "part root of boot slot B") || !strings.Contains(f.Mend, "keepImages") {
		t.Errorf("changed in place: %+v", f)
	}
	s.cfg.Spec.Slots.A.Parts["root"] = s.cfg.Spec.Slots.B.Parts["root"]
	if f := finding("places"); f.OK || !strings.Contains(f.Message, "the slot that runs") {
		t.Errorf("one place in both slots: %+v", f)
	}
}

// A part that travels recompressed, and one blob that is two parts: each place gets it.
func TestPartsThatShareABlob(t *testing.T) {
	s := newOSSite(t, func(s *testSite) {
		asDevices(s)
		for n, c := range map[slot.Name]*SlotConfig{slot.A: s.cfg.Spec.Slots.A, slot.B: s.cfg.Spec.Slots.B} {
			c.Parts["copy"] = "/boot/copy-" + string(n)
		}
		if err := os.MkdirAll(s.deps.Host.Path("/boot"), 0o755); err != nil {
			s.t.Fatal(err)
		}
	})
	next := osImage("2")
	c := s.f.osRelease(t, "2.0.0", 2, next)
	c.d.OS.Parts = append([]bundle.OSPart{c.part("copy", next)}, c.d.OS.Parts...)
	var small bytes.Buffer
	if _, err := delta.Diff(context.Background(), &small, strings.NewReader(next), int64(len(next)), nil, delta.Options{TempDir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	c.travelAs(bundle.FormRecompressed, digest.FromString(next), small.Bytes())
	res := s.update(s.f.seal(t, c))
	copied, err := os.ReadFile(s.deps.Host.Path("/boot/copy-a"))
	if !strings.HasPrefix(s.holds(slot.A), next) || err != nil || string(copied) != next {
		t.Errorf("slot A does not hold the second release: %v", err)
	}
	if b := res.Bytes; b.Written+b.Skipped+b.Zeroed != 2*int64(len(next)) {
		t.Errorf("%+v", b)
	}
	if last := s.progress(); last.Done != last.Total || last.Total != 4*int64(len(next)) {
		t.Errorf("what was told last of writing: %+v", last)
	}
}

// progress is what was told last of the bytes of parts.
func (s *testSite) progress() (last Event) {
	for _, e := range s.said {
		if e.Label == "writing" {
			last = e
		}
	}
	return last
}

// A site whose releases bring nothing but operating systems has no use for a mirror, and lacks nothing without one.
func TestSiteWithoutImagesNeedsNoMirror(t *testing.T) {
	s := newOSSite(t)
	s.deps.LookAtMirror = func(context.Context) (ImageStore, func() error, error) { return nil, nil, fs.ErrNotExist }
	if h := s.Examine(context.Background()); len(h.Problems) != 0 {
		t.Errorf("%+v", h)
	}
}
