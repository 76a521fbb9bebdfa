package build

import (
	"archive/tar"
	"bytes"
	"fmt"
	"testing"

	"github.com/opencontainers/go-digest"
)

// list lists a tar of files with these names and sizes.
func list(t *testing.T, files map[string]int) listing {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, size := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(size), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := listTar(t.Context(), bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if len(l.files) != len(files) {
		t.Fatalf("%d files of %d", len(l.files), len(files))
	}
	return l
}

func TestChoose(t *testing.T) {
	candidates := []map[string]int{
		{"etc/passwd": 100},
		{"usr/bin/app": 900_000, "etc/app.conf": 10},
		{"opt/app": 10},
		{"usr/lib/libx.so": 400_000},
	}
	for name, c := range map[string]struct {
		target map[string]int
		want   string
	}{
		"same path":                    {map[string]int{"usr/bin/app": 900_000}, "[1]"},
		"leading dot":                  {map[string]int{"./usr/bin/app": 900_000}, "[1]"},
		"two, the larger part first":   {map[string]int{"usr/bin/app": 500_000, "usr/lib/libx.so": 800_000}, "[3 1]"},
		"same name in another folder":  {map[string]int{"bin/libx.so": 1000}, "[3]"},
		"a path goes before a name":    {map[string]int{"opt/app": 10}, "[2]"},
		"what adds little is left out": {map[string]int{"usr/bin/app": 900_000, "etc/passwd": 100}, "[1]"},
		"nothing alike":                {map[string]int{"new/thing": 5000}, "[]"},
		"no files":                     {map[string]int{}, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			var olds []*old
			for i, files := range candidates {
				olds = append(olds, &old{digest: digest.Digest(fmt.Sprint(i)), list: list(t, files)})
			}
			got := []string{}
			chosen, _ := choose(list(t, c.target), olds)
			for _, o := range chosen {
				got = append(got, string(o.digest))
			}
			if fmt.Sprint(got) != c.want {
				t.Errorf("chose %v, want %s", got, c.want)
			}
		})
	}
}

func TestChooseTakesFew(t *testing.T) {
	target := map[string]int{}
	var olds []*old
	for i := range 2 * maxOlds {
		name := fmt.Sprintf("usr/bin/%d", i)
		target[name] = 1000
		olds = append(olds, &old{list: list(t, map[string]int{name: 1000})})
	}
	if got, lacking := choose(list(t, target), olds); len(got) != maxOlds || lacking != 1000*maxOlds {
		t.Errorf("chose %d, want %d, which lack %.0f bytes", len(got), maxOlds, lacking)
	}
}

func TestListTarOfNoTar(t *testing.T) {
	l, err := listTar(t.Context(), bytes.NewReader(bytes.Repeat([]byte("no tar "), 1000)))
	if err != nil || len(l.files) != 0 {
		t.Errorf("got %d files, %v", len(l.files), err)
	}
}
