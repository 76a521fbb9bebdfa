package bootrig

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Labels of the partitions that every machine has.
const (
	labelRootA = "root-a"
	labelRootB = "root-b"
	labelData  = "data"
	labelBoot  = "boot"
	labelESP   = "esp"
)

// Machine is a machine that is switched off.
type Machine struct {
	Disk   string
	Layout *Layout
	// Vars is the file of UEFI's variables; empty for a BIOS.
	Vars string
	// Stick is the disk that bundles come on; empty for none.
	Stick string
	// Devices are more of QEMU's arguments.
	Devices []string
	// Keeps tells that a reset leaves the devices running that are none of the processor's, such as a board's management controller.
	Keeps bool
	// Fails are places on the disk, in bytes. Each is one write to the sector there that fails, counted anew when the machine is
	// switched on or booted again.
	Fails []int64
	// Cluster is its Kubernetes API; nil for none.
	Cluster *Cluster
}

// Loader makes the parts of a machine that depend on its boot loader.
type Loader struct {
	// Name is the loader's, as tests print it.
	Name string
	// Slots is what stands in site.yaml below spec.slots for it.
	Slots string
	// Partitions makes what stands before the slots on the disk.
	Partitions func(ctx context.Context, w *Workshop, dir string) ([]Partition, error)
	// Install writes what lies outside of partitions, and gives the machine its firmware.
	Install func(m *Machine, dir string) error
	// SetUp makes the machine, which has booted slot A, one that its loader boots by sallyport's script.
	SetUp func(r *Running) error
	// Kernel is the part that a release brings beside the root; its Make is nil where the loader finds the kernel in the root.
	Kernel KernelPart
}

// KernelPart is the program of a slot that the firmware or the loader starts from the ESP.
type KernelPart struct {
	// Make makes the program in a folder, or names one that is there.
	Make func(ctx context.Context, w *Workshop, dir string) (string, error)
	// Path is where it lies on the ESP, by the name of the slot.
	Path func(slot string) string
}

// New makes a machine whose slot a holds root, and whose slot b holds what other says: empty leaves zeros.
// data are files of the data partition, by their path below /var/lib.
func (w *Workshop) New(ctx context.Context, dir string, l Loader, rootA, rootB string, data map[string]string) (*Machine, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	first, err := l.Partitions(ctx, w, dir)
	if err != nil {
		return nil, err
	}
	dataFile, err := w.data(ctx, dir, data)
	if err != nil {
		return nil, err
	}
	m := &Machine{Disk: filepath.Join(dir, "disk.img"), Devices: w.Cluster.hardware(), Cluster: w.Cluster}
	m.Layout, err = makeDisk(ctx, m.Disk, append(first,
		Partition{Label: labelRootA, Type: "8300", MiB: RootMiB, File: rootA},
		Partition{Label: labelRootB, Type: "8300", MiB: RootMiB, File: rootB},
		Partition{Label: labelData, Type: "8300", MiB: w.Cluster.dataMiB(), File: dataFile}))
	if err != nil {
		return nil, err
	}
	return m, l.Install(m, dir)
}

// data makes the image of the data partition.
func (w *Workshop) data(ctx context.Context, dir string, files map[string]string) (string, error) {
	tree, file := filepath.Join(dir, "data.d"), filepath.Join(dir, "data.img")
	defer os.RemoveAll(tree)
	if err := copyFile(w.Site, filepath.Join(tree, "bin/sallyport")); err != nil {
		return "", err
	}
	if err := os.Mkdir(filepath.Join(tree, "manifests"), 0o755); err != nil {
		return "", err
	}
	for path, text := range files {
		if err := writeFile(filepath.Join(tree, path), text); err != nil {
			return "", err
		}
	}
	if err := w.Cluster.install(tree); err != nil {
		return "", err
	}
	return file, ext4(ctx, file, tree, labelData, w.Cluster.dataMiB()*mib)
}

// MakeStick makes the disk that bundles come on.
func MakeStick(ctx context.Context, file, folder string, size int64) error {
	image := file + ".fs"
	defer os.Remove(image)
	if err := ext4(ctx, image, folder, "stick", size, "-O", "^has_journal", "-m", "0"); err != nil {
		return err
	}
	_, err := makeDisk(ctx, file, []Partition{{Label: "stick", Type: "8300", MiB: size / mib, File: image}})
	return err
}

// Clone makes another machine of the same disk, in a folder of its own, as cheaply as the file system can.
func (m *Machine) Clone(ctx context.Context, dir string) (*Machine, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	c := *m
	c.Disk = filepath.Join(dir, "disk.img")
	if _, err := tool(ctx, "", "cp", "--sparse=always", "--reflink=auto", m.Disk, c.Disk); err != nil {
		return nil, err
	}
	if m.Vars != "" {
		c.Vars = filepath.Join(dir, varsName)
		return &c, copyFile(m.Vars, c.Vars)
	}
	return &c, nil
}

// Start switches the machine on. log is where QEMU records the disk's writes; empty for nowhere.
func (m *Machine) Start(ctx context.Context, log string) (*VM, error) {
	return Start(ctx, filepath.Join(filepath.Dir(m.Disk), "console.log"), func(boot int) []string { return m.args(log, boot > 0) })
}

// args are QEMU's arguments. A recording goes on over a reboot.
func (m *Machine) args(log string, appends bool) []string {
	args := []string{"-M", "pc", "-blockdev", "driver=raw,node-name=disk," + m.file()}
	if !m.Keeps {
		args = append(args, "-no-reboot")
	}
	if m.Vars != "" {
		args = append(args, firmwareArgs(m.Vars)...)
	}
	node := "disk"
	if log != "" {
		node = "logged"
		args = append(args, "-blockdev", "driver=raw,node-name=log,file.driver=file,file.filename="+log,
			"-blockdev", fmt.Sprintf("driver=blklogwrites,node-name=logged,file=disk,log=log,log-append=%t", appends))
	}
	args = append(args, "-device", "nvme,serial=disk,bootindex=1,drive="+node) // 0 is a kernel that QEMU is given
	if m.Stick != "" {
		args = append(args, "-blockdev", "driver=raw,node-name=stick,read-only=on,file.driver=file,file.locking=off,file.filename="+m.Stick,
			"-device", "nvme,serial=stick,drive=stick")
	}
	return append(args, m.Devices...)
}

// file is where QEMU has the disk's content, and what of it fails.
func (m *Machine) file() string {
	if len(m.Fails) == 0 {
		return "file.driver=file,file.filename=" + m.Disk
	}
	text := "file.driver=blkdebug,file.image.driver=file,file.image.filename=" + m.Disk
	for i, at := range m.Fails {
		text += fmt.Sprintf(",file.inject-error.%d.event=none,file.inject-error.%[1]d.iotype=write,file.inject-error.%[1]d.once=on,"+
			"file.inject-error.%[1]d.sector=%d", i, at/sectorSize)
	}
	return text
}
