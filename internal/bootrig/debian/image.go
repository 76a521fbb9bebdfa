package debian

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/sallyport-dev/sallyport/internal/bootrig"
	"github.com/sallyport-dev/sallyport/internal/bootrig/wire"
)

// agentUnit starts the agent in every system, whatever becomes of it.
const agentUnit = `[Unit]
DefaultDependencies=no
IgnoreOnIsolate=yes
[Service]
ExecStart=/usr/local/bin/rig-agent
[Install]
WantedBy=sysinit.target emergency.target rescue.target
`

// withRig is the first part of every image's script: the rig's own programs go into the tree, and dist beside it is what make dist
// makes of what a site needs. A machine without hardware help is slow: systemd has patience with it, and is spared what it does after
// an update of /usr.
func withRig(w *bootrig.Workshop, version string) string {
	return fmt.Sprintf(`mkdir dist root/media/stick
ln -s %[1]s/docs/systemd %[1]s/docs/boot dist/
ln -s %[2]s dist/sallyport-site-linux-amd64
install -m 755 %[3]s root/usr/local/bin/rig-agent
for name in rig-check rig-manifest; do ln -s rig-agent root/usr/local/bin/$name; done
cat >root%[4]s <<'EOF'
%[5]sEOF
cat >root/etc/systemd/system/rig-agent.service <<'EOF'
%[6]sEOF
systemctl --root="$PWD/root" -q enable rig-agent.service
mkdir root/etc/systemd/system.conf.d
printf '[Manager]\nDefaultTimeoutStartSec=15min\n' >root/etc/systemd/system.conf.d/rig.conf
touch root/etc/.updated root/var/.updated
`, w.Source, w.Site, w.Init, wire.ImageFile, Version(version), agentUnit)
}

// Version is what says to the rig which version an image is; it stands in wire.ImageFile.
func Version(version string) string {
	return fmt.Sprintf("{\"version\": %q, \"mode\": %q}\n", version, wire.Well)
}

// Image makes an image of a version by a script, which runs in a folder that holds the tree of the system as root, and dist.
func (s *System) Image(ctx context.Context, w *bootrig.Workshop, dir, version, script string) error {
	return s.script(ctx, dir, withRig(w, version)+script)
}

// Live is a live system, from which a machine can be set up.
type Live struct{ dir string }

// Live makes a live system, to which a script adds what it shall have besides.
func (s *System) Live(ctx context.Context, w *bootrig.Workshop, dir, script string) (*Live, error) {
	return &Live{dir}, s.Image(ctx, w, dir, "live", script+"cp -L root/vmlinuz root/initrd.img .\nmke2fs -q -t ext4 -d root live.img 1G\n")
}

// devices are what every machine has: memory in MiB, processors, and a screen, which GRUB writes to.
var devices = []string{"-m", "1024", "-smp", "2", "-device", "VGA"}

// Blank is a machine with an empty disk.
func Blank(ctx context.Context, dir, size string) (*bootrig.Machine, error) {
	m := &bootrig.Machine{Disk: filepath.Join(dir, "disk.img"), Devices: devices}
	return m, run(ctx, dir, "truncate", "-s", size, m.Disk)
}

// On is a machine that the live system is booted on. What is on the stick is in /srv there, once mounted by PARTLABEL=stick.
func (l *Live) On(m *bootrig.Machine, stick string) *bootrig.Machine {
	booted := *m
	booted.Devices = append([]string{
		"-kernel", filepath.Join(l.dir, "vmlinuz"), "-initrd", filepath.Join(l.dir, "initrd.img"),
		"-append", "root=/dev/vda rw " + bootrig.ConsoleArgs,
		"-drive", "if=virtio,format=raw,snapshot=on,file=" + filepath.Join(l.dir, "live.img"),
		"-drive", "if=virtio,format=raw,readonly=on,file.locking=off,file=" + stick}, devices...)
	return &booted
}
