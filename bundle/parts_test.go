package bundle_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/bundletest"
)

// split writes a bundle in parts and gives the path of the whole, which is not there.
func split(t *testing.T, file []byte, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.tar")
	w, err := bundle.NewPartWriter(path, size)
	if err != nil {
		t.Fatal(err)
	}
	// Odd chunks, so that parts end within a write.
	for chunk := range slices.Chunk(file, 777) {
		if _, err := w.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func openAll(path string) ([]byte, error) {
	f, err := bundle.OpenFile(path, nil)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return b, err
}

func TestSplitAndJoin(t *testing.T) {
	file := bundletest.Minimal().Bytes(t)
	for _, size := range []int64{1000, 1024, int64(len(file)) - 1, int64(len(file)), int64(len(file)) + 1} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			whole := split(t, file, size)
			var joined []byte
			n := (len(file) + int(size) - 1) / int(size)
			for i := range n {
				b, err := os.ReadFile(fmt.Sprintf("%s.%03d", whole, i+1))
				if err != nil {
					t.Fatal(err)
				}
				joined = append(joined, b...)
			}
			if !bytes.Equal(joined, file) {
				t.Error("the parts together are not the whole")
			}
			if got := names(t, filepath.Dir(whole)); len(got) != n+1 {
				t.Errorf("%d parts and their list make %v", n, got)
			}
			for _, path := range []string{whole + ".001", whole, filepath.Dir(whole)} {
				if got, err := openAll(path); err != nil || !bytes.Equal(got, file) {
					t.Errorf("%s opens as something else: %v", path, err)
				}
			}
		})
	}
}

func TestWholeFile(t *testing.T) {
	file := bundletest.Minimal().Bytes(t)
	path := split(t, file, 0)
	if got := names(t, filepath.Dir(path)); !slices.Equal(got, []string{"store.tar"}) {
		t.Errorf("one file was written as %v", got)
	}
	f, err := bundle.OpenFile(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if f.Size() != int64(len(file)) || f.Name() != path {
		t.Errorf("opened as %s of %d bytes", f.Name(), f.Size())
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestPartsRenamedTogether(t *testing.T) {
	file := bundletest.Minimal().Bytes(t)
	whole := split(t, file, 5000)
	for _, name := range names(t, filepath.Dir(whole)) {
		to := strings.Replace(name, "store.tar", "renamed.tar", 1)
		if err := os.Rename(filepath.Join(filepath.Dir(whole), name), filepath.Join(filepath.Dir(whole), to)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := openAll(strings.Replace(whole, "store.tar", "renamed.tar.001", 1))
	if err != nil || !bytes.Equal(got, file) {
		t.Errorf("renamed parts open as something else: %v", err)
	}
}

func TestDamagedParts(t *testing.T) {
	file := bundletest.Minimal().Bytes(t)
	change := func(f func(t *testing.T, part string)) func(t *testing.T, whole string) {
		return func(t *testing.T, whole string) { f(t, whole+".002") }
	}
	write := func(t *testing.T, path string, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	copyOf := func(from, to string) func(t *testing.T, whole string) {
		return func(t *testing.T, whole string) {
			b, err := os.ReadFile(whole + from)
			if err != nil {
				t.Fatal(err)
			}
			write(t, whole+to, b)
		}
	}
	noList := func(f func(t *testing.T, whole string)) func(t *testing.T, whole string) {
		return func(t *testing.T, whole string) { remove(t, whole+".parts.json"); f(t, whole) }
	}
	swap := func(t *testing.T, whole string) {
		write(t, whole+".001", file[5000:10000])
		write(t, whole+".002", file[:5000])
	}
	other := bundletest.Release{Name: "another", Images: bundletest.Minimal().Images, Objects: bundletest.Minimal().Objects}.Bytes(t)
	mixed := func(t *testing.T, whole string) { write(t, whole+".002", other[5000:10000]) }
	tests := []struct {
		name   string
		spoil  func(t *testing.T, whole string)
		reason string
		want   string
		file   string // that is named as the faulty one
	}{
		{"missing", change(func(t *testing.T, part string) { remove(t, part) }), "truncated", "1 of its 3 parts", ""},
		{"short", change(func(t *testing.T, part string) { write(t, part, file[5000:9000]) }), "truncated", "4000 of its 5000 bytes", ".002"},
		{"long", change(func(t *testing.T, part string) { write(t, part, file[4000:10000]) }), "format", "has 6000 bytes", ".002"},
		{"flipped at its end", change(func(t *testing.T, part string) { write(t, part, flip(file[5000:10000], 4999)) }), "digest", "store.tar.002 is damaged", ".002"},
		{"flipped early on", change(func(t *testing.T, part string) { write(t, part, flip(file[5000:10000], 5)) }), "digest", "store.tar.002 is damaged", ".002"},
		{"first flipped", func(t *testing.T, whole string) { write(t, whole+".001", flip(file[:5000], 600)) }, "digest", "store.tar.001 is damaged", ".001"},
		{"repeated", copyOf(".001", ".002"), "digest", "store.tar.002 is a copy of store.tar.001", ".002"},
		{"swapped", swap, "digest", "store.tar.001 is a copy of store.tar.002", ".001"},
		{"of another bundle", mixed, "digest", "store.tar.002 is damaged, or belongs to another bundle", ".002"},
		{"no list, a part missing", noList(func(t *testing.T, whole string) { remove(t, whole+".003") }), "truncated", "store.tar.002 is the last part here", ".002"},
		{"no list, flipped", noList(change(func(t *testing.T, part string) { write(t, part, flip(file[5000:10000], 5)) })), "digest", "is damaged: its bytes", ".002"},
		{"no list, repeated", noList(copyOf(".001", ".002")), "digest", "store.tar.002 begins as store.tar.001 does", ".002"},
		{"no list, of another bundle", noList(mixed), "digest", "store.tar.002: blob", ".002"},
		{"list spoilt", func(t *testing.T, whole string) { write(t, whole+".parts.json", []byte(`{}`)) }, "format", "list of parts", ""},
		{"list too large", func(t *testing.T, whole string) { write(t, whole+".parts.json", make([]byte, 2<<20)) }, "format", "more than", ""},
		{"list of a part elsewhere", func(t *testing.T, whole string) {
			b, err := os.ReadFile(whole + ".parts.json")
			if err != nil {
				t.Fatal(err)
			}
			write(t, whole+".parts.json", bytes.ReplaceAll(b, []byte(`"store.tar.002"`), []byte(`"../store.tar.002"`)))
		}, "format", "part 2", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			whole := split(t, file, 5000)
			tt.spoil(t, whole)
			f, err := bundle.OpenFile(whole+".001", nil)
			if err == nil {
				_, _, err = readAll(f)
				err = f.Locate(err)
				if cerr := f.Close(); cerr != nil {
					t.Error(cerr)
				}
			}
			wantReason(t, err, tt.reason, tt.want)
			var fault *bundle.Error
			if named := whole + tt.file; !errors.As(err, &fault) || fault.File() != named && (tt.file != "" || fault.File() != "") {
				t.Errorf("the fault is in %q, want %s", fault.File(), named)
			}
		})
	}
}

// TestCopyOfTheFirstPart: a folder whose second part is a copy of the first holds one bundle, not two.
func TestCopyOfTheFirstPart(t *testing.T) {
	file := bundletest.Minimal().Bytes(t)
	whole := split(t, file, 5000)
	if err := os.WriteFile(whole+".002", file[:5000], 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := bundle.FindBundles(filepath.Dir(whole)); err != nil || !slices.Equal(found, []string{whole + ".001"}) {
		t.Errorf("found %v, %v", found, err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func TestPartsWithoutListStillOpen(t *testing.T) {
	file := bundletest.Minimal().Bytes(t)
	whole := split(t, file, 5000)
	remove(t, whole+".parts.json")
	if got, err := openAll(whole + ".001"); err != nil || !bytes.Equal(got, file) {
		t.Errorf("parts without their list open as something else: %v", err)
	}
}

func TestOpenSecondPart(t *testing.T) {
	whole := split(t, bundletest.Minimal().Bytes(t), 5000)
	_, err := bundle.OpenFile(whole+".002", nil)
	wantReason(t, err, "usage", "part 2 of a bundle")
}

func TestPartWriterLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	w, err := bundle.NewPartWriter(filepath.Join(dir, "store.tar"), 10)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 35)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); len(got) != 0 {
		t.Errorf("Close without Commit leaves %v", got)
	}
}

func TestPartWriterRefuses(t *testing.T) {
	t.Run("too many parts", func(t *testing.T) {
		w, err := bundle.NewPartWriter(filepath.Join(t.TempDir(), "store.tar"), 1)
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Write(make([]byte, 1000))
		wantReason(t, err, "usage", "more than 999 parts")
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("negative size", func(t *testing.T) {
		_, err := bundle.NewPartWriter(filepath.Join(t.TempDir(), "store.tar"), -1)
		wantReason(t, err, "usage", "-1 bytes")
	})
	t.Run("parts of an earlier bundle", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "store.tar")
		if err := os.WriteFile(path+".003", []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		w, err := bundle.NewPartWriter(path, 10)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, 20)); err != nil {
			t.Fatal(err)
		}
		wantReason(t, w.Commit(), "usage", "left of an earlier bundle")
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
}

func FuzzParsePartList(f *testing.F) {
	f.Add([]byte(goodList))
	f.Add([]byte(strings.Replace(goodList, "v1", "v2", 1)))
	f.Add([]byte(`{"parts":[{},{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := bundle.ParsePartList(b)
		if err != nil {
			return
		}
		again, err := l.Marshal()
		if err != nil || !bytes.Equal(b, again) {
			t.Errorf("a list of parts with two byte forms: %v", err)
		}
	})
}

const (
	zeroDigest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	goodList   = `{"apiVersion":"sallyport.dev/v1","kind":"Parts","file":"a.tar","size":15,"digest":"` + zeroDigest + `","partSize":10,"parts":[` +
		`{"file":"a.tar.001","size":10,"digest":"` + zeroDigest + `"},{"file":"a.tar.002","size":5,"digest":"` + zeroDigest + `"}]}` + "\n"
)

func TestParsePartList(t *testing.T) {
	if _, err := bundle.ParsePartList([]byte(goodList)); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, old, new, reason, want string }{
		{"kind", `"Parts"`, `"Part"`, "format", "kind"},
		{"later version", `dev/v1`, `dev/v2`, "newer", "sallyport.dev/v2"},
		{"path", `"a.tar"`, `"../a.tar"`, "format", "not a file name"},
		{"part elsewhere", `a.tar.002`, `../b.002`, "format", "part 2"},
		{"part out of order", `a.tar.002`, `a.tar.003`, "format", "part 2"},
		{"sum", `"size":15`, `"size":16`, "format", "15 bytes together"},
		{"short part first", `.001","size":10`, `.001","size":9`, "format", "a.tar.001 has 9"},
		{"long part last", `.002","size":5`, `.002","size":11`, "format", "a.tar.002 has 11"},
		{"empty part", `.002","size":5`, `.002","size":0`, "format", "a.tar.002 has 0"},
		{"part size", `"partSize":10`, `"partSize":0`, "format", "part size"},
		{"digest", `"digest":"sha256:`, `"digest":"sha512:`, "format", "not a sha256 digest"},
		{"unknown field", `{"apiVersion"`, `{"x":1,"apiVersion"`, "format", "one byte form"},
		{"no line end", "\n", "", "format", "one byte form"},
		{"not JSON", `{"apiVersion"`, `"apiVersion"`, "format", "parse"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := bundle.ParsePartList([]byte(strings.Replace(goodList, tt.old, tt.new, 1)))
			wantReason(t, err, tt.reason, tt.want)
		})
	}
}
