package replay

import (
	"bytes"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// fileSystem makes an ext4 file system as the rig does, with a small file, a large one and many in one folder.
func fileSystem(t testing.TB) (image string, large []byte) {
	t.Helper()
	dir := t.TempDir()
	large = make([]byte, 700<<10)
	rand.Read(large)
	files := map[string][]byte{"grub/grubenv": bytes.Repeat([]byte("#"), 1024), "large": large}
	for i := range 200 {
		files["many/a-name-that-is-not-short-"+string(rune('a'+i%26))+string(rune('a'+i/26))] = []byte{byte(i)}
	}
	for name, b := range files {
		path := filepath.Join(dir, "tree", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	image = filepath.Join(dir, "fs")
	cmd := exec.Command("/usr/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-d", filepath.Join(dir, "tree"), image, "8M")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return image, large
}

// What we read is what GRUB's own driver reads.
func TestExt2ReadsWhatGRUBReads(t *testing.T) {
	fstest := testtools.Tool(t, "grub-fstest", "grub-common")
	image, large := fileSystem(t)
	f, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	e, err := NewExt2(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/grub/grubenv", "/large", "/many/a-name-that-is-not-short-ha"} {
		got, err := e.ReadFile(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		want, err := exec.Command(fstest, image, "cat", "(loop0)"+path).Output()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, GRUB reads %d: %v", path, len(got), len(want), err)
		}
		if path == "/large" && !bytes.Equal(got, large) {
			t.Error("the large file is another one")
		}
	}
	if _, err := e.ReadFile("/grub/nothing"); err == nil {
		t.Error("read a file that is not there")
	}
}

func FuzzExt2(f *testing.F) {
	image, _ := fileSystem(f)
	b, err := os.ReadFile(image)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint32(1024), []byte{0xff})
	f.Add(uint32(superAt+88), []byte{0, 1, 2, 3})
	f.Fuzz(func(t *testing.T, at uint32, change []byte) {
		damaged := bytes.Clone(b)
		copy(damaged[int(at)%len(damaged):], change)
		if e, err := NewExt2(bytes.NewReader(damaged)); err == nil {
			if got, err := e.ReadFile("/large"); err == nil && len(got) > maxFile {
				t.Errorf("%d bytes", len(got))
			}
		}
	})
}
