package bootrig

import (
	"fmt"

	"github.com/sallyport-dev/sallyport/internal/bootrig/wire"
)

// Where a machine has what; all of it is on the data partition, which both slots mount.
const (
	siteFolder   = "/var/lib/etc"
	siteFile     = siteFolder + "/site.yaml"
	manifestFile = "/var/lib/manifests"
	stickFolder  = "/media/stick"
)

// siteYAML is the site's configuration; slots is what stands below spec.slots beside the two slots.
func siteYAML(slots string) string {
	return fmt.Sprintf(`apiVersion: sallyport.dev/v1
kind: Site
metadata: {name: rig}
spec:
  state: /var/lib/sallyport
  trust: %s/release.pub
  mirror: {dir: /var/lib/mirror, listen: "127.0.0.1:5000"}
  target: {manifestsDir: {path: %s}}
  slots:
    %s
    deadline: 60s
    a: {boot: A, parts: {root: /dev/disk/by-partlabel/%s}}
    b: {boot: B, parts: {root: /dev/disk/by-partlabel/%s}}
`, siteFolder, manifestFile, slots, labelRootA, labelRootB)
}

// mounts are the partitions that every image mounts, where they are: what stands before the slots is the loader's matter.
func mounts() []wire.Mount {
	return []wire.Mount{
		{Label: labelData, Path: "/var/lib", Type: "ext4", Wanted: true},
		{Label: labelBoot, Path: "/boot", Type: "ext4"},
		{Label: labelESP, Path: "/efi", Type: "vfat"},
		{Path: "/sys/firmware/efi/efivars", Type: "efivarfs"},
		{Label: "stick", Path: stickFolder, Type: "ext4", ReadOnly: true},
	}
}
