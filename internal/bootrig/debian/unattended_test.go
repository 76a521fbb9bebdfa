//go:build boot

package debian

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/internal/bootrig"
)

// theSite is what a site without slots has before docs/operations.md makes it run unattended.
const theSite = `cp -rL dist root/root/
install -m 755 dist/sallyport-site-linux-amd64 root/usr/local/bin/sallyport
install -m 644 dist/systemd/sallyport-mirror.service root/etc/systemd/system/
systemctl --root="$PWD/root" -q enable sallyport-mirror.service
mkdir -p root/etc/sallyport root/var/lib/manifests root/var/lib/sallyport/inbox
cp ../shelf/site.yaml ../shelf/release.pub root/etc/sallyport/
`

// aStick is a removable disk in the guest's memory, which keeps what is on it while it is pulled; plug plugs it in again.
const (
	aStick = `modprobe scsi_debug removable=1 dev_size_mb=200
udevadm settle
mkfs.vfat -n SALLYPORT1 /dev/sda
mount /dev/sda /mnt
cp /srv/rig-2.0.0.tar /mnt/
umount /mnt
` + pull
	pull = `echo 1 >/sys/block/sda/device/delete
udevadm settle
`
	plug = `for host in /sys/class/scsi_host/*/scan; do echo "- - -" >$host; done
`
)

// A machine with a real systemd and udev runs unattended, by the commands that docs/operations.md has: its timer takes what lies in
// the inbox, and a stick is taken when it is plugged in, and can be pulled then.
func TestUnattended(t *testing.T) {
	t.Parallel()
	b := open(t, "operations.md", setUp{sections: []string{"Unattended"}})
	ctx, shelf := t.Context(), b.file("shelf")
	b.must(os.Mkdir(shelf, 0o755))
	factory, err := bootrig.NewFactory(ctx, b.w, b.file("factory"))
	b.must(err)
	base := ""
	for _, version := range []string{first, good} {
		bundle, err := factory.Build(ctx, bootrig.Release{Version: version, Base: base})
		b.must(err)
		base = filepath.Join(shelf, filepath.Base(bundle))
		b.must(os.Rename(bundle, base))
	}
	key, err := factory.PublicKey()
	b.must(err)
	b.must(os.WriteFile(filepath.Join(shelf, "release.pub"), []byte(key), 0o644))
	b.must(os.WriteFile(filepath.Join(shelf, "site.yaml"), []byte(site+"  inbox: [/var/lib/sallyport/inbox]\n"), 0o644))
	stick := b.file("stick.img")
	b.must(bootrig.MakeStick(ctx, stick, shelf, 64<<20))
	live, err := b.system.Live(context.WithoutCancel(ctx), b.w, b.file("live"), theSite)
	b.must(err)
	m, err := Blank(ctx, b.dir, "64M")
	b.must(err)
	g := b.power(live.On(m, stick))
	defer g.Off()
	g.boots("", "live")
	g.run("mount -o ro PARTLABEL=stick /srv\n" + aStick)
	g.run("cd /root\n" + b.script("machine", b.sections...))
	g.run("systemd-analyze verify --man=no /etc/systemd/system/sallyport-*")
	g.run("cp /srv/rig-1.0.0.tar /var/lib/sallyport/inbox/")
	g.becomes(first)
	g.run(plug)
	g.becomes(good)
	g.gone("sallyport-usb@sda.service")
	// The next one that gets its name is looked at, too.
	const passes = "journalctl --no-pager -u sallyport-usb@sda.service | grep -c Finished\n"
	g.run(pull + plug)
	for end := time.Now().Add(5 * time.Minute); g.run(passes) != "2\n"; time.Sleep(3 * time.Second) {
		if time.Now().After(end) {
			t.Fatalf("the stick that was plugged in again is not looked at\n%s", g.journal("sallyport-*"))
		}
	}
	g.gone("sallyport-usb@sda.service")
	g.run("systemctl is-active sallyport-run.timer")
}

// becomes waits until a release runs.
func (g *guest) becomes(version string) {
	g.t.Helper()
	for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); time.Sleep(3 * time.Second) {
		s, err := g.Status()
		g.must(err)
		if s.Current != nil && s.Current.Version == version && s.Phase == "idle" {
			g.Say("%s runs", version)
			return
		}
	}
	g.t.Fatalf("%s does not come to run\n%s", version, g.journal("sallyport-*"))
}

// gone waits until a unit is at its end, and wants nothing of it to be mounted any more.
func (g *guest) gone(unit string) {
	g.t.Helper()
	g.unit(unit, "0")
	a, err := g.Run("findmnt", "--noheadings", "--output", "TARGET", "--list")
	g.must(err)
	if strings.Contains(a.Out, "sallyport-media") {
		g.t.Errorf("the stick is still mounted: %s", a.Out)
	}
}
