package bootrig

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/sallyport-dev/sallyport/internal/bootrig/wire"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// initrdModules are what Debian's kernel for any machine needs to see its disk and its root file system, and the drivers of the
// watchdogs that QEMU has: a PCI card, and a board's management controller.
var initrdModules = []string{"crypto/crct10dif_common.ko", "crypto/crct10dif_generic.ko", "lib/crc-t10dif.ko", "lib/crc64.ko",
	"crypto/crc64_rocksoft_generic.ko", "lib/crc64-rocksoft.ko", "block/t10-pi.ko", "drivers/nvme/host/nvme-core.ko", "drivers/nvme/host/nvme.ko",
	"lib/crc16.ko", "fs/mbcache.ko", "crypto/crc32c_generic.ko", "fs/jbd2/jbd2.ko", "fs/ext4/ext4.ko",
	"drivers/watchdog/watchdog.ko", "drivers/watchdog/i6300esb.ko",
	"drivers/char/ipmi/ipmi_msghandler.ko", "drivers/char/ipmi/ipmi_si.ko", "drivers/char/ipmi/ipmi_watchdog.ko"}

// Generic is the same workshop with Debian's kernel for any machine, whose images have an initrd. The watchdog is left to sallyport
// there: no image holds it.
func (w *Workshop) Generic(ctx context.Context) (*Workshop, error) {
	g := *w
	var err error
	g.kernel, err = testtools.WholeKernel(ctx)
	g.initrd = initrdModules
	return &g, err
}

// noRoot is the root of a system whose initrd is to find none.
const noRoot = "set sallyport_root=PARTUUID=00000000-0000-4000-8000-000000000000\n"

// early gives an image what it has before its root file system is mounted.
func (y *Yard) early(ctx context.Context, dir, version string, r *Root) (err error) {
	file := filepath.Join(dir, "early-"+version)
	switch version {
	case NoRoot:
		r.Files["boot/sallyport-slot.cfg"] += noRoot
		r.Initrd = file
		return dracut(ctx, file)
	case NoRootEither:
		r.Files["boot/sallyport-slot.cfg"] += noRoot
		r.Initrd = file
		return initramfsTools(ctx, dir, file)
	case Halts:
		r.Kernel = file
		if err := halted(y.vmlinuz(), file); err != nil {
			return err
		}
	}
	if y.initrd == nil {
		return nil
	}
	r.Image.Watchdog = 0
	r.Image.Modules = slices.DeleteFunc(r.Image.Modules, func(m string) bool { return filepath.Dir(m) == "drivers/watchdog" })
	first := wire.Image{Version: version, Mode: wire.Well, Initrd: true}
	if version == HangsEarly {
		first.Mode, first.Watchdog = wire.Hang, watchdogSeconds
	}
	r.Initrd = file + ".img"
	return y.makeInitrd(r.Initrd, first)
}

// makeInitrd makes an initrd whose first process is the rig's.
func (w *Workshop) makeInitrd(file string, image wire.Image) error {
	files := map[string]string{"init": w.Init, "sysroot": "", wire.ImageFile[1:]: file + ".json"}
	for _, m := range w.initrd {
		name := "modules/" + filepath.Base(m)
		files[name] = filepath.Join(w.kernel, "modules", m)
		image.Modules = append(image.Modules, "/"+name)
	}
	text, err := json.Marshal(image)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".json", text, 0o600); err != nil {
		return err
	}
	archive, err := testtools.Initramfs(files)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err = z.Write(archive)
	if err := errors.Join(err, z.Close()); err != nil {
		return err
	}
	return os.WriteFile(file, packed.Bytes(), 0o600)
}

// Where the boot protocol of Linux on x86 says how many sectors come before the kernel proper (Documentation/x86/boot.rst).
const (
	setupSectors        = 0x1f1
	defaultSetupSectors = 4
)

// halted makes a kernel that the loader starts, and that stops the processor at once: what Linux has to end a hang is not there yet.
func halted(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if len(b) <= setupSectors {
		return fmt.Errorf("%s is no kernel", from)
	}
	n := int(b[setupSectors])
	if n == 0 {
		n = defaultSetupSectors
	}
	copy(b[(n+1)*sectorSize:], "\xfa\xf4\xeb\xfc") // cli, hlt, and once more
	return os.WriteFile(to, b, 0o600)
}

// dracut makes an initrd with systemd, without a single module.
func dracut(ctx context.Context, file string) error {
	_, err := tool(ctx, "", "dracut", "--force", "--quiet", "--no-kernel", "--no-hostonly", "--no-hostonly-cmdline", "--no-early-microcode", "--xz",
		"--kver", "rig", "--modules", "bash systemd systemd-initrd dracut-systemd udev-rules rootfs-block base fs-lib shutdown", file)
	return err
}

// mkinitramfs runs Debian's program, which looks for the kernel's configuration in /boot only, with another folder for that.
const mkinitramfs = `sed "s|/boot/config-|$PWD/config-|" /usr/sbin/mkinitramfs >mkinitramfs && sh ./mkinitramfs -d "$PWD" -o "$1" rig`

// initramfsTools makes the initrd that Debian has by default, without a single module.
func initramfsTools(ctx context.Context, dir, file string) error {
	dir = filepath.Join(dir, "initramfs-tools")
	for name, text := range map[string]string{"initramfs.conf": "MODULES=list\nBUSYBOX=y\nCOMPRESS=gzip\n", "modules": "", "config-rig": "CONFIG_RD_GZIP=y\n",
		"conf.d/none": "", "hooks/none": "", "scripts/none": ""} {
		if err := writeFile(filepath.Join(dir, name), text); err != nil {
			return err
		}
	}
	_, err := tool(ctx, dir, "sh", "-c", mkinitramfs, "sh", file)
	return err
}
