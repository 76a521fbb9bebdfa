package mirror_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/apply/mirror"
	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// stock starts Debian's registry on a folder with settings of the test's own.
func stock(t *testing.T, dir, settings string) *mirror.Client {
	t.Helper()
	program := testtools.Tool(t, "docker-registry", "docker-registry")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	config := filepath.Join(t.TempDir(), "config.yml")
	text := fmt.Sprintf("version: 0.1\nlog: {level: error}\nhttp: {addr: %q}\nstorage:\n  filesystem: {rootdirectory: %q}\n%s", addr, dir, settings)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "serve", config)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	c := client(t, "http://"+addr)
	for deadline := time.Now().Add(20 * time.Second); c.Ping(t.Context()) != nil; {
		if time.Now().After(deadline) {
			t.Fatal("the registry does not answer")
		}
	}
	return c
}

func TestStockRegistryThatIsReadOnly(t *testing.T) {
	c := stock(t, t.TempDir(), "  maintenance: {readonly: {enabled: true}}\n")
	err := tryLoad(t.Context(), c, newImage(t, "app:1", "base", ""))
	var e reasoned
	if !errors.As(err, &e) || e.Reason() != "mirror" || !strings.Contains(e.Hint(), "read-only") {
		t.Errorf("error %v", err)
	}
}

func TestStockRegistryThatDeletesNothing(t *testing.T) {
	c := stock(t, t.TempDir(), "")
	img := newImage(t, "app:1", "base", "").sign(t, "", "one")
	load(t, c, img)
	load(t, c, img.sign(t, "", "two")) // the list of referrers is replaced, its former version stays
	_, err := mirror.GC(t.Context(), c, mirror.GCConfig{Drop: releases(newImage(t, "app:1", "base", ""))})
	if !errors.Is(err, mirror.ErrDeleteRefused) {
		t.Errorf("error %v", err)
	}
	if err := c.CheckImage(t.Context(), img.Image, nil, img.raw); err != nil {
		t.Error(err)
	}
}

// What a stock registry cannot do is said: it keeps the bytes that it has.
func TestStockRegistryKeepsDamage(t *testing.T) {
	dir := t.TempDir()
	c := stock(t, dir, "  delete: {enabled: true}\n")
	img := newImage(t, "app:1", "base", "")
	load(t, c, img)
	layer := img.blobs[1]
	damage(t, dir, layer.Digest)
	err := c.RepairBlob(t.Context(), "library/app", layer.Descriptor, layer.open)
	if !errors.Is(err, mirror.ErrDamaged) {
		t.Fatalf("repair gave %v", err)
	}
	if err := os.RemoveAll(filepath.Dir(blobFile(dir, layer.Digest))); err != nil { // what the hint says
		t.Fatal(err)
	}
	if err := c.RepairBlob(t.Context(), "library/app", layer.Descriptor, layer.open); err != nil {
		t.Error(err)
	}
}

// The folder of an embedded mirror and that of a stock registry are the same.
func TestFoldersAreExchangeable(t *testing.T) {
	url, dir := serveEmbedded(t)
	img := newImage(t, "team/app:1", "base", "").sign(t, "", "s")
	load(t, client(t, url), img)
	c := stock(t, dir, "")
	if report, err := mirror.Fsck(t.Context(), c, releases(img)); err != nil || len(report.Problems) != 0 {
		t.Errorf("the stock registry finds %+v, %v", report, err)
	}
}
