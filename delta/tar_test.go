package delta

import (
	"archive/tar"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/internal/testtools"
)

// TestOwnersCostNothing gives all files to others, in two ways, with new times and without.
func TestOwnersCostNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	for _, change := range []struct {
		name string
		do   func(h *tar.Header)
	}{
		{"one owner", func(h *tar.Header) { h.Uid, h.Gid = 1000, 1001 }},
		{"shifted", func(h *tar.Header) { h.Uid, h.Gid = h.Uid+100_000, h.Gid+100_000 }},
		{"owner and time", func(h *tar.Header) { h.Uid, h.ModTime = h.Uid+5, h.ModTime.Add(time.Hour) }},
	} {
		files := randomFiles(r, 2000)
		for i := range files {
			files[i].header.Uid = i % 3
		}
		before := makeTar(t, files)
		for i := range files {
			change.do(&files[i].header)
		}
		if patch := roundTrip(t, makeTar(t, files), old(before)); len(patch) > 1000 {
			t.Errorf("%s: 2000 files cost %d bytes", change.name, len(patch))
		}
	}
}

// tree makes a folder with whatever a tar may hold, and returns the name of a file in it.
func tree(t *testing.T) (dir, edited string) {
	t.Helper()
	dir = t.TempDir()
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	write := func(name string, body []byte) {
		must(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(os.WriteFile(filepath.Join(dir, name), body, 0o644))
	}
	for i := range 60 {
		write(fmt.Sprintf("usr/lib/part%d/file%d", i%7, i), randomText(uint64(i), 10*i*i))
	}
	long := strings.Repeat("long-folder-name/", 9) + strings.Repeat("x", 60)
	write(long, []byte("two hundred letters"))
	write("latin1-\xe4\xf6\xfc", []byte("not UTF-8"))
	write("日本語", []byte("UTF-8"))
	write("empty", nil)
	must(os.Link(filepath.Join(dir, "empty"), filepath.Join(dir, "hard")))
	must(os.Link(filepath.Join(dir, long), filepath.Join(dir, "hard-long")))
	must(os.Symlink(long, filepath.Join(dir, "symbolic")))
	must(syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	sparse, err := os.Create(filepath.Join(dir, "sparse"))
	must(err)
	for i := range int64(30) { // more holes than a header has room for
		_, err := sparse.WriteAt(randomText(uint64(i), 5000), i*1<<17)
		must(err)
	}
	must(sparse.Truncate(40 << 17))
	must(sparse.Close())
	must(filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.Mode()&os.ModeSymlink != 0 {
			return err
		}
		return os.Chtimes(path, time.Unix(1_700_000_000, 5), time.Unix(1_700_000_000, 123_456_789))
	}))
	return dir, filepath.Join(dir, "usr/lib/part3/file31")
}

// TestTarDialects changes one file in what tar programs write: all others cost nothing.
func TestTarDialects(t *testing.T) {
	dir, edited := tree(t)
	const python = "import sys, tarfile; f = tarfile.open(sys.argv[1], 'w', format=getattr(tarfile, sys.argv[2]), errors='surrogateescape'); f.add('.'); f.close()"
	tarWith := func(options ...string) []string {
		return append([]string{"tar", "-cf", "OUT", "--sort=name"}, append(options, ".")...)
	}
	commands := [][]string{
		tarWith("--format=gnu"), tarWith("--format=oldgnu"), tarWith("--format=v7"), tarWith("--format=ustar"), tarWith("--format=posix"),
		tarWith("--format=posix", "--xattrs", "--acls", "--selinux"), tarWith("--format=gnu", "-S"), tarWith("--format=oldgnu", "-S"),
		tarWith("--format=posix", "-S", "--sparse-version=0.0"), tarWith("--format=posix", "-S", "--sparse-version=0.1"),
		tarWith("--format=posix", "-S", "--sparse-version=1.0"), tarWith("--format=gnu", "--numeric-owner", "-b1"),
		{"python3", "-c", python, "OUT", "USTAR_FORMAT"}, {"python3", "-c", python, "OUT", "GNU_FORMAT"}, {"python3", "-c", python, "OUT", "PAX_FORMAT"},
	}
	for _, command := range commands {
		t.Run(strings.Join(command[len(command)-3:], " "), func(t *testing.T) {
			var tars [2][]byte
			for i := range tars {
				if err := os.WriteFile(edited, randomText(31, 9000+10*i), 0o644); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(edited, time.Unix(1_700_000_000+int64(i), 0), time.Unix(1_700_000_000, 0)); err != nil {
					t.Fatal(err)
				}
				tars[i] = runTar(t, dir, command)
			}
			if n := len(roundTrip(t, tars[1], old(tars[0]))); n > 500 {
				t.Errorf("patch of %d bytes", n)
			}
		})
	}
}

// runTar returns what a command that writes the file OUT makes of a folder. Names that a dialect has no
// room for are left out with a warning.
func runTar(t *testing.T, dir string, command []string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.tar")
	args := append([]string(nil), command...)
	for i := range args {
		args[i] = strings.Replace(args[i], "OUT", out, 1)
	}
	c := exec.CommandContext(t.Context(), testtools.Tool(t, args[0], args[0]), args[1:]...)
	c.Dir = dir
	message, err := c.CombinedOutput()
	b, missing := os.ReadFile(out)
	if missing != nil || len(b) == 0 {
		t.Fatalf("%s: %v\n%s", args[0], err, message)
	}
	return b
}

// headersOf are entries as libarchive, BuildKit and Docker write them.
func headersOf(attributes string) []file {
	at := time.Unix(1_700_000_000, 123_456_000)
	pax := map[string]string{"SCHILY.xattr.user.note": attributes, "SCHILY.dev": "2049", "SCHILY.ino": "77", "LIBARCHIVE.creationtime": "1699999999.5"}
	entry := func(kind byte, name string, change func(*tar.Header), body string) file {
		h := tar.Header{Typeflag: kind, Name: name, Mode: 0o755, ModTime: at, AccessTime: at, ChangeTime: at, Format: tar.FormatPAX, PAXRecords: pax}
		if change != nil {
			change(&h)
		}
		return file{h, []byte(body)}
	}
	device := func(h *tar.Header) { h.Devmajor, h.Devminor = 8, 1 }
	long := strings.Repeat("n/", 200) + "end"
	return []file{
		entry(tar.TypeDir, "dir/", nil, ""), entry(tar.TypeChar, "null", device, ""), entry(tar.TypeBlock, "disk", device, ""),
		entry(tar.TypeFifo, "pipe", nil, ""), entry(tar.TypeReg, long, nil, "body of a file with a long name"),
		entry(tar.TypeLink, "hard", func(h *tar.Header) { h.Linkname = long }, ""), entry(tar.TypeSymlink, "soft", func(h *tar.Header) { h.Linkname = long }, ""),
		entry(tar.TypeReg, "big-owner", func(h *tar.Header) { h.Uid, h.Gid = 1<<30, 1<<31; h.Format = tar.FormatGNU; h.PAXRecords = nil }, "x"),
		entry(tar.TypeReg, "old", func(h *tar.Header) { h.ModTime = time.Unix(-1000, 0) }, "before 1970"),
	}
}

func TestTarExtensions(t *testing.T) {
	before := makeTar(t, headersOf("binary \x00\xff note"))
	for _, change := range []string{"binary \x00\xff note", "binary \x00\xfe note", "another note that is longer"} {
		if n := len(roundTrip(t, makeTar(t, headersOf(change)), old(before))); n > 600 {
			t.Errorf("patch of %d bytes", n)
		}
	}
}

// TestTarEnds restores tars that end in their own ways, and finds the files of each in the others.
func TestTarEnds(t *testing.T) {
	var files []file
	for i := range 30 {
		files = append(files, file{tar.Header{Name: fmt.Sprint("f", i), Mode: 0o644}, randomText(uint64(i), 1000+i)})
	}
	whole := makeTar(t, files)
	end := len(whole) - 2*tarBlock
	ends := [][]byte{
		whole, whole[:end], whole[:end+tarBlock], whole[:end-100], whole[:end-tarBlock+40],
		append(bytes.Clone(whole), make([]byte, 8192)...), append(bytes.Clone(whole), "garbage"...),
		append(bytes.Clone(whole), whole...), append(bytes.Clone(whole[:end]), "no header, but more than a block of text"...),
		append(bytes.Clone(whole[:end]), bytes.Repeat([]byte{255}, 3*tarBlock)...),
	}
	for i, blob := range ends {
		for _, j := range []int{0, (i + 3) % len(ends)} {
			if n := len(roundTrip(t, blob, old(ends[j]))); n > 500 {
				t.Errorf("%d from %d: patch of %d bytes", i, j, n)
			}
		}
	}
}
