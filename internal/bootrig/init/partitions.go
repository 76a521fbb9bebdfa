package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// namePartitions makes /dev/disk/by-partlabel and by-partuuid as udev does, and returns the devices by the partition's name.
func namePartitions() map[string]string {
	names := map[string]string{}
	files, _ := filepath.Glob("/sys/class/block/*/partition")
	for _, file := range files {
		dir := filepath.Dir(file)
		device := filepath.Base(dir)
		if name := partitionName(dir); name != "" {
			names[name] = "/dev/" + device
			link("by-partlabel", name, device)
		}
		id, err := partitionUUID(dir)
		if err != nil {
			report(fmt.Errorf("%s: %w", device, err))
			continue
		}
		link("by-partuuid", id, device)
	}
	return names
}

func link(kind, name, device string) {
	dir := filepath.Join("/dev/disk", kind)
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = os.Symlink("../../"+device, filepath.Join(dir, name))
	}
	if err != nil && !errors.Is(err, os.ErrExist) {
		report(err)
	}
}

// partitionName is what the GPT calls a partition.
func partitionName(dir string) string {
	b, _ := os.ReadFile(filepath.Join(dir, "uevent"))
	for line := range strings.Lines(string(b)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "PARTNAME="); ok {
			return name
		}
	}
	return ""
}

// The GPT that sgdisk makes: 128 bytes a partition from the third sector on, its GUID after that of its type.
const (
	entriesAt = 2 * 512
	entrySize = 128
	guidAt    = 16
)

// partitionUUID reads a partition's GUID from the GPT of its disk.
func partitionUUID(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, "partition"))
	if err != nil {
		return "", err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return "", err
	}
	whole, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	disk, err := os.Open("/dev/" + filepath.Base(filepath.Dir(whole)))
	if err != nil {
		return "", err
	}
	defer disk.Close()
	var g [16]byte
	if _, err := disk.ReadAt(g[:], entriesAt+(n-1)*entrySize+guidAt); err != nil {
		return "", err
	}
	le := binary.LittleEndian
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", le.Uint32(g[:]), le.Uint16(g[4:]), le.Uint16(g[6:]), g[8:10], g[10:]), nil
}
