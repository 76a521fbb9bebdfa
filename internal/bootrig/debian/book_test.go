//go:build boot

package debian

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/internal/bootrig"
	"github.com/sallyport-dev/sallyport/internal/bootrig/page"
	"github.com/sallyport-dev/sallyport/internal/bootrig/wire"
)

// The releases: what their operating system does.
const (
	first    = "1.0.0"
	good     = "2.0.0"
	diskless = "3.0.0" // a disk in its fstab is missing: emergency mode, in which the state can be read
	dataless = "4.0.0" // its fstab misses the data: emergency mode, in which nothing can be read
)

// packages are those that images and the live system need.
var packages = []string{"dosfstools", "efibootmgr", "gdisk", "grub-efi-amd64-bin", "grub-pc", "systemd-boot"}

// setUp is a set-up that the documentation describes.
type setUp struct {
	// sections are those to follow, one after the other; the last is the loader's own.
	sections []string
	kind     string // of machine: bios, uefi
	// slots are the loader's names of A and B.
	slots [2]string
	// places are where the page has "quiet" for what the machine's kernel needs: image, live, site.
	places []string
	// parts are files that the image's script makes beside root.img, by the names of the parts.
	parts map[string]string
	// fails tells that releases are played, too, that do not come up.
	fails bool
}

// versions are those of the releases that are played.
func (s *setUp) versions() []string {
	if s.fails {
		return []string{first, good, diskless, dataless}
	}
	return []string{first, good}
}

// book is a set-up, and what it takes to do what the page says.
type book struct {
	setUp
	t      *testing.T
	dir    string
	page   *page.Page
	w      *bootrig.Workshop
	system *System
	stick  string
}

func open(t *testing.T, file string, s setUp) *book {
	t.Helper()
	b := &book{setUp: s, t: t, dir: t.TempDir()}
	var err error
	if b.w, err = bootrig.NewWorkshop(t.Context(), b.dir, os.Getenv("SALLYPORT")); err != nil {
		t.Fatal(err)
	}
	if b.page, err = page.Read(filepath.Join(b.w.Source, "docs", file)); err != nil {
		t.Fatal(err)
	}
	if b.system, err = NewSystem(t.Context(), packages...); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *book) file(name string) string { return filepath.Join(b.dir, name) }

// loader is the section of the loader.
func (b *book) loader() string { return b.sections[len(b.sections)-1] }

// script is what the page says to run in a place; a section may have nothing for it, but not all of them.
func (b *book) script(place string, sections ...string) string {
	b.t.Helper()
	var all strings.Builder
	for _, section := range sections {
		all.WriteString(b.page.Script(section, place, b.kind))
	}
	if all.Len() == 0 {
		b.t.Fatalf("the sections %q have no commands for %s", sections, place)
	}
	return b.real(place, all.String())
}

// real puts what this machine's kernel needs in the place of the page's example.
func (b *book) real(place, text string) string {
	b.t.Helper()
	if !slices.Contains(b.places, place) {
		return text
	}
	text, err := page.Replace(text, map[string]string{"quiet": bootrig.ConsoleArgs})
	b.must(err)
	return text
}

// local is what this site adds to its image: the mirror's service, and the stick.
const local = `systemctl --root="$PWD/root" -q enable sallyport-mirror.service
echo 'PARTLABEL=stick  /media/stick  ext4  ro,noauto  0 0' >>root/etc/fstab
mkdir root/etc/systemd/system/sallyport-confirm-deadline.timer.d
touch root` + override + "\n"

// override is what systemctl edit writes; hasty is what the images that fail have in it, so that nobody waits for 15 minutes.
const (
	override = "/etc/systemd/system/sallyport-confirm-deadline.timer.d/override.conf"
	hasty    = "[Timer]\nOnBootSec=\nOnBootSec=5min\n"
)

// images makes the images, each in a file of its own, by version.
func (b *book) images() map[string]string {
	b.t.Helper()
	ctx, dir := b.t.Context(), b.file("image")
	b.must(b.system.Image(ctx, b.w, dir, first, b.page.Script("The image", "image", b.kind)+local+b.script("image", b.sections...)+"cp root/etc/fstab .\n"))
	fstab, err := os.ReadFile(filepath.Join(dir, "fstab"))
	b.must(err)
	images := map[string]string{first: filepath.Join(dir, "root.img")}
	tables := map[string]string{
		good:     string(fstab),
		diskless: string(fstab) + "PARTLABEL=missing  /mnt  ext4  x-systemd.device-timeout=10s  0 2\n",
		dataless: strings.Replace(string(fstab), "PARTLABEL=data  /var  ext4   defaults ", "PARTLABEL=lost  /var  ext4 x-systemd.device-timeout=10s", 1),
	}
	for _, version := range b.versions()[1:] {
		images[version] = b.file("root-" + version + ".img")
		files := map[string]string{wire.ImageFile: Version(version), "/etc/fstab": tables[version]}
		if version != good {
			files[override] = hasty
		}
		b.must(Change(ctx, images[first], images[version], files))
	}
	return images
}

func (b *book) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// bundles builds the releases, and makes the stick, with what a machine is set up from.
func (b *book) bundles(images map[string]string) {
	b.t.Helper()
	ctx, shelf := b.t.Context(), b.file("shelf")
	b.must(os.Mkdir(shelf, 0o755))
	parts := map[string]string{}
	for name, file := range b.parts {
		parts[name] = filepath.Join(b.file("image"), file)
		b.must(run(ctx, "", "cp", parts[name], shelf))
	}
	factory, err := bootrig.NewFactory(ctx, b.w, b.file("factory"))
	b.must(err)
	base := ""
	for i, version := range b.versions() {
		bundle, err := factory.Build(ctx, bootrig.Release{Version: version, Root: images[version], Parts: parts, Base: base, Sequence: i + 1})
		b.must(err)
		if strings.Contains(factory.Said, "the operating system") {
			b.t.Errorf("build has something to say of the image: %s", factory.Said)
		}
		b.must(os.Rename(bundle, filepath.Join(shelf, filepath.Base(bundle))))
		// Those that fail go back to the good one.
		if version == first || version == good {
			base = filepath.Join(shelf, filepath.Base(bundle))
		}
	}
	key, err := factory.PublicKey()
	b.must(err)
	b.must(os.WriteFile(filepath.Join(shelf, "release.pub"), []byte(key), 0o644))
	b.must(os.WriteFile(filepath.Join(shelf, "site.yaml"), []byte(b.site()), 0o644))
	b.must(run(ctx, "", "cp", "--sparse=always", images[first], filepath.Join(shelf, "root.img")))
	b.stick = b.file("stick.img")
	b.must(bootrig.MakeStick(ctx, b.stick, shelf, 2<<30))
}

// site is a site.yaml with the slots that the section describes.
func (b *book) site() string {
	b.t.Helper()
	slots, err := b.page.Slots(b.loader())
	b.must(err)
	slots = b.real("site", slots) + "  tries: 1\n"
	return site + strings.ReplaceAll("  "+strings.TrimRight(slots, "\n"), "\n", "\n  ") + "\n"
}

// site is a site.yaml without slots.
const site = `apiVersion: sallyport.dev/v1
kind: Site
metadata: {name: book}
spec:
  trust: /etc/sallyport/release.pub
  mirror: {dir: /var/lib/sallyport/mirror, listen: "127.0.0.1:5000"}
  target: {manifestsDir: {path: /var/lib/manifests}}
`

// power switches a machine on, and has it say what it does.
func (b *book) power(m *bootrig.Machine) *guest {
	b.t.Helper()
	r, err := m.Switch(b.t.Context())
	b.must(err)
	begin := time.Now()
	r.Patience = 15 * time.Minute
	r.Say = func(format string, args ...any) {
		b.t.Logf("%6.1f s  "+format, append([]any{time.Since(begin).Seconds()}, args...)...)
	}
	return &guest{b.t, r}
}

// install does what the page says from a live system, on a machine with an empty disk.
func (b *book) install(m *bootrig.Machine) {
	b.t.Helper()
	live, err := b.system.Live(context.WithoutCancel(b.t.Context()), b.w, b.file("live"), "")
	b.must(err)
	g := b.power(live.On(m, b.stick))
	defer g.Off()
	g.boots("", "live")
	g.run("mount -o ro PARTLABEL=stick /srv")
	g.run("cd /srv\n" + b.script("live", b.sections...))
	g.must(g.PowerOff())
}
