package bootrig

import (
	"fmt"
	"path"

	"github.com/sallyport-dev/sallyport/internal/bootrig/wire"
)

// Where a machine has what; all of it is on the data partition, which both slots mount.
const (
	siteFolder   = "/var/lib/etc"
	siteFile     = siteFolder + "/site.yaml"
	manifestFile = "/var/lib/manifests"
	stickFolder  = "/media/stick"
	espFolder    = "/efi"
)

// siteYAML is the site's configuration on a machine of a loader; c is its cluster, nil for none.
func siteYAML(l Loader, c *Cluster) string {
	return fmt.Sprintf(`apiVersion: sallyport.dev/v1
kind: Site
metadata: {name: rig}
spec:
  state: /var/lib/sallyport
  trust: %s/release.pub
  mirror: {dir: /var/lib/mirror, listen: "127.0.0.1:5000"}
  target: %s
  slots:
    %s
    deadline: %s
    a: {boot: A, parts: {%s}}
    b: {boot: B, parts: {%s}}
`, siteFolder, c.target(), l.Slots, c.deadline(), places(l, "A"), places(l, "B"))
}

// places are where the parts of a slot go.
func places(l Loader, slot string) string {
	text := "root: /dev/disk/by-partlabel/" + rootLabel(slot)
	if l.Kernel.Make != nil {
		text += ", kernel: " + path.Join(espFolder, l.Kernel.Path(slot))
	}
	return text
}

func rootLabel(slot string) string { return map[string]string{"A": labelRootA, "B": labelRootB}[slot] }

// mounts are the partitions that every image mounts, where they are: what stands before the slots is the loader's matter.
func mounts() []wire.Mount {
	return []wire.Mount{
		{Label: labelData, Path: "/var/lib", Type: "ext4", Wanted: true},
		{Label: labelBoot, Path: "/boot", Type: "ext4"},
		{Label: labelESP, Path: espFolder, Type: "vfat"},
		{Path: "/sys/firmware/efi/efivars", Type: "efivarfs"},
		{Label: "stick", Path: stickFolder, Type: "ext4", ReadOnly: true},
	}
}
