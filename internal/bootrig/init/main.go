// Init is pid 1 of the boot rig's guests: it mounts what the image wants, plays what the image is to do, and then does what its
// host asks for over the second serial line.
//
// Called as rig-check it is the check of a release: it fails in an image that is sick, and wherever sickFile is. Called as
// rig-manifest it prints the version that the manifests in the folder bear. Called as rig-agent, by the pid 1 of a whole system, it
// only does what its host asks for.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/internal/bootrig/wire"
)

// sickFile makes the check of every release fail, whichever slot runs.
const sickFile = "/var/lib/rig-sick"

func main() {
	image, err := readImage()
	switch filepath.Base(os.Args[0]) {
	case "rig-check":
		os.Exit(check(image, err))
	case "rig-manifest":
		os.Exit(manifest())
	case "rig-agent":
		attend(image, nil)
	}
	if err != nil {
		report(err)
	}
	serve(image)
}

// check is the release's check.
func check(image wire.Image, err error) int {
	switch _, missing := os.Stat(sickFile); {
	case err != nil:
		fmt.Println(err)
	case image.Mode == wire.Sick:
		fmt.Println("image", image.Version, "is sick")
	case missing == nil:
		fmt.Println("the data is sick")
	default:
		return 0
	}
	return 1
}

var versionLine = regexp.MustCompile(`"?version"?: "?([0-9]+[.][0-9]+[.][0-9]+)`)

// manifest prints each version that the manifests bear. Of a whole release it is one.
func manifest() int {
	files, _ := filepath.Glob("/var/lib/manifests/*")
	var versions []string
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		for _, m := range versionLine.FindAllStringSubmatch(string(b), -1) {
			versions = append(versions, m[1])
		}
	}
	fmt.Println(strings.Join(versions, " "))
	return 0
}

func readImage() (image wire.Image, err error) {
	b, err := os.ReadFile(wire.ImageFile)
	if err == nil {
		err = json.Unmarshal(b, &image)
	}
	return image, err
}

// serve never returns: a pid 1 that ends is a kernel panic.
func serve(image wire.Image) {
	if err := mountKernel(); err != nil {
		report(err)
	}
	for _, file := range image.Modules {
		if err := loadModule(file); err != nil {
			report(err)
		}
	}
	if image.Watchdog > 0 {
		if err := watch(time.Duration(image.Watchdog)*time.Second, image.Mode != wire.Hang); err != nil {
			report(err)
		}
	}
	play(image.Mode)
	if image.Initrd {
		report(switchRoot())
		hang()
	}
	if image.Deadline > 0 {
		go overdue(time.Duration(image.Deadline) * time.Second)
	}
	partitions := namePartitions()
	for _, m := range image.Mounts {
		if err := mountPartition(m, partitions); err != nil {
			emergency(m, err)
		}
	}
	network()
	for _, p := range image.Programs {
		go keepUp(p)
	}
	attend(image, partitions)
}

// attend says that userspace runs, and does what the host asks for, for ever.
func attend(image wire.Image, partitions map[string]string) {
	host := openHost()
	host.say(wire.Event{Up: up(image, partitions)})
	if image.Confirm && image.Mode != wire.Mute {
		go confirm(host)
	}
	for {
		host.answer(host.hear())
	}
}

// play does what the image is to do instead of working.
func play(mode wire.Mode) {
	switch mode {
	case wire.Panic:
		panicKernel()
	case wire.Hang:
		hang()
	}
}

// hang lives on and does nothing.
func hang() {
	for {
		time.Sleep(time.Hour)
	}
}

// emergency is what a system does whose disks are not all there: pid 1 lives on, and none of its services starts.
func emergency(m wire.Mount, err error) {
	report(fmt.Errorf("mounting %s: %w", m.Path, err))
	if m.Wanted {
		report(fmt.Errorf("emergency mode"))
		hang()
	}
}

// report writes to the console, where the host keeps it.
func report(err error) { fmt.Println("rig:", err) }
