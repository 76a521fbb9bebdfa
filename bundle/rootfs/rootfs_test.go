package rootfs_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/bundle/rootfs"
)

// files is a small system; what begins with -> is a symbolic link.
var files = map[string]string{
	"usr/lib/os-release":          "ID=debian\nVERSION_ID=\"12\"\n",
	"etc/os-release":              "->../usr/lib/os-release",
	"usr/bin/large":               strings.Repeat("0123456789abcdef", 40_000),
	"bin":                         "->usr/bin",
	"etc/loop":                    "->loop",
	"etc/absolute":                "->/usr/lib",
	"etc/up":                      "->../../../../usr/lib/os-release",
	"etc/nowhere":                 "->/data/site.yaml",
	"usr/lib/many/" + longName(1): "1",
	"usr/lib/many/" + longName(2): "2",
}

func longName(n int) string { return strings.Repeat(string(rune('a'+n)), 200) }

// images makes an image of each kind by the tools that make them.
func images(t *testing.T) map[string]string {
	t.Helper()
	dir, out := t.TempDir(), t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(text, "->"); ok {
			err = os.Symlink(target, path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 300 {
		if err := os.WriteFile(filepath.Join(dir, "usr/lib/many", "file"+strings.Repeat("x", i%50)+string(rune('a'+i%26))+string(rune('a'+i/26))), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	list := map[string]string{}
	for _, kind := range []string{"ext2", "ext3", "ext4"} {
		list[kind] = filepath.Join(out, kind)
		run(t, "mke2fs", "-q", "-t", kind, "-d", dir, list[kind], "8m")
	}
	list["ext4 of small blocks"] = filepath.Join(out, "small")
	run(t, "mke2fs", "-q", "-t", "ext4", "-b", "1024", "-O", "^metadata_csum,^64bit", "-d", dir, list["ext4 of small blocks"], "8m")
	for _, packed := range []string{"gzip", "xz", "zstd"} {
		list["squashfs "+packed] = filepath.Join(out, packed)
		run(t, "mksquashfs", dir, list["squashfs "+packed], "-comp", packed, "-quiet", "-no-progress")
	}
	return list
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		name = path
	} else {
		name = "/usr/sbin/" + name
	}
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s (internal/testtools/setup test installs it): %v\n%s", name, err, out)
	}
}

func open(t *testing.T, path string) (*rootfs.FS, error) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return rootfs.Open(f, st.Size())
}

// TestReadImages reads what the real tools wrote.
func TestReadImages(t *testing.T) {
	for name, path := range images(t) {
		t.Run(name, func(t *testing.T) {
			f, err := open(t, path)
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range map[string]string{
				"/etc/os-release": files["usr/lib/os-release"], "etc/absolute/os-release": files["usr/lib/os-release"],
				"/etc/up": files["usr/lib/os-release"], "/bin/large": files["usr/bin/large"], "/usr/lib/many/" + longName(2): "2",
			} {
				if b, err := f.ReadFile(name); err != nil || string(b) != want {
					t.Errorf("%.40s: %d bytes, %v", name, len(b), err)
				}
			}
			if at, e, err := f.Find("/bin/../bin/./large"); err != nil || at != "usr/bin/large" || !e.Type().IsRegular() {
				t.Errorf("large is found as %s, %v", at, err)
			}
			for _, name := range []string{"/etc/nowhere", "/none", "/usr/bin/large/none", "/etc"} {
				if _, err := f.ReadFile(name); err == nil {
					t.Errorf("%s is read", name)
				}
			}
			if _, _, err := f.Find("/etc/nowhere"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a link to nowhere: %v", err)
			}
			if _, _, err := f.Find("/etc/loop"); err == nil || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a link to itself: %v", err)
			}
			if names, err := f.List("/usr/lib/many"); err != nil || len(names) != 302 {
				t.Errorf("%d files, %v", len(names), err)
			}
			if names, err := f.List("/none"); err != nil || names != nil {
				t.Errorf("a folder that is not there has %v, %v", names, err)
			}
			checkTar(t, f)
		})
	}
}

func checkTar(t *testing.T, f *rootfs.FS) {
	t.Helper()
	var b bytes.Buffer
	unread, err := f.WriteTar(t.Context(), &b, 100_000)
	if err != nil || len(unread) != 1 || unread[0] != "usr/bin/large: it has 640000 bytes" {
		t.Fatalf("unread %q, %v", unread, err)
	}
	got := map[string]string{}
	for r := tar.NewReader(&b); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got[h.Name] = string(text)
		if h.Typeflag == tar.TypeSymlink {
			got[h.Name] = "->" + h.Linkname
		}
	}
	for name, want := range files {
		if name == "usr/bin/large" {
			want = ""
		}
		if got[name] != want {
			t.Errorf("%.40s is %.40q in the tar", name, got[name])
		}
	}
}

// TestWhatIsNotRead names what an image holds that this package does not read.
func TestWhatIsNotRead(t *testing.T) {
	write := func(size int, at int, mark string) string {
		b := make([]byte, size)
		copy(b[at:], mark)
		path := filepath.Join(t.TempDir(), "image")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, test := range []struct {
		path, want string
		none       bool
	}{
		{write(1<<20, 0x400, "\xe2\xe1\xf5\xe0"), "its file system is erofs, which cannot be looked into", false},
		{write(1<<20, 0x10040, "_BHRfS_M"), "is btrfs", false},
		{write(1<<20, 82, "FAT32"), "is FAT", false},
		{write(1<<20, 512, "EFI PART"), "a disk with partitions", false},
		{write(1<<20, 0, "MZ"), "no file system", true},
		{write(10, 0, "MZ"), "no file system", true},
		{write(1<<20, 0x438, "\x53\xef"), "its ext4 cannot be read", false},
		{write(0x440, 0x438, "\x53\xef"), "its ext4 cannot be read", false},
		{write(1<<20, 0, "hsqs"), "its squashfs cannot be read", false},
		{write(5, 0, "hsqs"), "its squashfs cannot be read", false},
	} {
		_, err := open(t, test.path)
		if err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, rootfs.ErrNone) != test.none {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}

// TestDamagedImages opens and reads images of which bytes were changed: nothing panics, and all of it ends.
func TestDamagedImages(t *testing.T) {
	list := images(t)
	for _, name := range []string{"ext4", "squashfs zstd"} {
		good, err := os.ReadFile(list[name])
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range damage(good) {
			b := slices.Clone(good)
			for i := at; i < min(at+4, len(b)); i++ {
				b[i] = 0xff
			}
			f, err := rootfs.Open(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				continue
			}
			if _, err := f.WriteTar(t.Context(), io.Discard, 1<<20); err != nil {
				t.Errorf("%s, byte %d: %v", name, at, err)
			}
			_, _ = f.ReadFile("/etc/os-release") // whatever comes
		}
	}
}

// damage gives places in an image: in its superblock one after another, and elsewhere where there are bytes.
func damage(b []byte) []int {
	var list []int
	for i := 0; i < 0x600; i += 12 {
		list = append(list, i)
	}
	for i := 0x1000; i < len(b); i += 509 {
		if b[i] != 0 {
			list = append(list, i)
		}
	}
	return list[:min(len(list), 250)]
}

func FuzzOpen(f *testing.F) {
	ext := make([]byte, 0x1000)
	copy(ext[0x438:], "\x53\xef")
	f.Add(ext)
	f.Add(append([]byte("hsqs"), make([]byte, 200)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := rootfs.Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		if _, err := x.WriteTar(t.Context(), io.Discard, 1<<20); err != nil {
			t.Error(err)
		}
	})
}
