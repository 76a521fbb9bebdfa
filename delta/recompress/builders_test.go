package recompress

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// builders are what versions of builders compress layers with unless they are told otherwise, and zstd where
// they offer it: the lines of vectors.txt that stand for it. The versions of klauspost/compress are those of
// their go.mod.
const builders = `
Docker 20.10 to 29, containerd 1.5 to 2.4, BuildKit 0.8 to 0.34, nerdctl: go go1.26.8 6
the same, built by Go 1.27 without a frozen copy: go go1.27.3 6
ko, Kaniko, crane, buildpacks: go go1.26.8 1
the same, built by Go 1.27: go go1.27.3 1
estargz of BuildKit, nerdctl, ko: go go1.26.8 9
rules_docker's helper: go go1.26.8 6
Jib 2 and 3: jib java17 6
umoci 0.4.7 and 0.5: pgzip v1.11.3 5
Podman 2.2, Buildah 1.18: pgzip v1.11.3 5
Podman 3.0, Buildah 1.19: pgzip v1.11.7 5
Podman 3.1, Buildah 1.20: pgzip v1.11.13 5
Podman 3.2, Buildah 1.21: pgzip v1.12.2 5
Podman 3.3, Buildah 1.22: pgzip v1.13.1 5
Podman 3.4, Buildah 1.23: pgzip v1.13.6 5
Podman 4.0, Buildah 1.24: pgzip v1.14.2 5
Podman 4.1, Buildah 1.26: pgzip v1.15.2 5
Podman 4.2, Buildah 1.27: pgzip v1.15.9 5
Podman 4.3, Buildah 1.28: pgzip v1.15.11 5
Podman 4.4, Buildah 1.29: pgzip v1.15.15 5
Podman 4.5, Buildah 1.30: pgzip v1.16.4 5
Podman 4.6 to 4.8: pgzip v1.16.6 5
Podman 4.9, Buildah 1.33: pgzip v1.17.3 5
Podman 5.0, Buildah 1.35: pgzip v1.17.7 5
Podman 5.1, Buildah 1.36: pgzip v1.17.8 5
Podman 5.2, skopeo 1.16: pgzip v1.17.9 5
Podman 5.3 and 5.4: pgzip v1.17.11 5
Podman 5.5 to 5.8: pgzip v1.18.0 5
later containers/storage: pgzip v1.20.3 5
Podman 3.4, zstd: zstd v1.13.6 2
Podman 4.0, zstd: zstd v1.14.2 2
Podman 4.1, zstd: zstd v1.15.2 2
Podman 4.3, zstd: zstd v1.15.11 2
Podman 4.6, zstd: zstd v1.16.6 2
Podman 4.9, zstd: zstd v1.17.3 2
Podman 5.0, zstd: zstd v1.17.7 2
Podman 5.2, zstd: zstd v1.17.9 2
Podman 5.4, zstd: zstd v1.17.11 2
Podman 5.8, zstd: zstd v1.18.0 2
BuildKit 0.10, zstd: zstd v1.15.1 2
BuildKit 0.11, zstd: zstd v1.15.12 2
BuildKit 0.12, zstd: zstd v1.17.2 2
BuildKit 0.13, zstd: zstd v1.17.4 2
BuildKit 0.15, zstd: zstd v1.17.9 2
BuildKit 0.17 to 0.20, zstd: zstd v1.17.11 2
BuildKit 0.23, zstd: zstd v1.18.0 2
BuildKit 0.26, zstd: zstd v1.18.1 2
BuildKit 0.27, zstd: zstd v1.18.2 2
BuildKit 0.28, zstd: zstd v1.18.4 2
BuildKit 0.29, zstd: zstd v1.18.5 2
BuildKit 0.30 to 0.33, zstd: zstd v1.18.6 2
BuildKit 0.34, zstd: zstd v1.20.1 2
containerd 1.6, nerdctl, zstd: zstd v1.15.9 2
containerd 1.7, nerdctl, zstd: zstd v1.16.7 2
containerd 2.0, nerdctl, zstd: zstd v1.17.11 2
containerd 2.4, nerdctl, zstd: zstd v1.20.0 2
ko, Kaniko, crane, zstd: zstd v1.18.0 2
Podman 4.9, zstd:chunked: zstd v1.17.3 4
Podman 5.0, zstd:chunked: zstd v1.17.7 4
Podman 5.1, zstd:chunked: zstd v1.17.8 4
Podman 5.2, zstd:chunked: zstd v1.17.9 4
Podman 5.4, zstd:chunked: zstd v1.17.11 4
Podman 5.8, zstd:chunked: zstd v1.18.0 4
zstd 1.4.1, a file: libzstd-file v1.4.1 3
zstd 1.4.5, a file: libzstd-file v1.4.5 3
zstd 1.5.0, a file: libzstd-file v1.5.0 3
zstd 1.5.2, a file: libzstd-file v1.5.2 3
zstd 1.5.5, a file: libzstd-file v1.5.5 3
zstd 1.5.6, a file: libzstd-file v1.5.6 3
zstd 1.5.7, a file: libzstd-file v1.5.7 3
zstd 1.5.7 -1, a file: libzstd-file v1.5.7 1
zstd 1.5.2, a pipe: libzstd-pipe v1.5.2 3
zstd 1.5.6, a pipe: libzstd-pipe v1.5.6 3
zstd 1.5.7, a pipe: libzstd-pipe v1.5.7 3
bsdtar and Python with libzstd 1.4.5: libzstd-stream v1.4.5 3
bsdtar and Python with libzstd 1.5.0: libzstd-stream v1.5.0 3
bsdtar and Python with libzstd 1.5.2: libzstd-stream v1.5.2 3
bsdtar and Python with libzstd 1.5.6: libzstd-stream v1.5.6 3
bsdtar and Python with libzstd 1.5.7: libzstd-stream v1.5.7 3
Python, all at once, with libzstd 1.5.6: libzstd-whole v1.5.6 3
Python, all at once, with libzstd 1.5.7: libzstd-whole v1.5.7 3
`

// inexact are the lines of vectors.txt that no encoder of ours makes: of gzip there are token differences,
// of zstd none.
var inexact = map[string]bool{
	"pgzip v1.11.13 5": true, "pgzip v1.12.2 5": true, "zstd v1.13.6 2": true, "zstd v1.17.3 4": true, "zstd v1.17.7 4": true,
	"libzstd-file v1.4.1 3": true,
}

// TestBuilders tells of which builders' layers there is an exact recipe. gzip, pigz and zlib, which Bazel's
// rules and `docker save | gzip` run, are in TestTable.
func TestBuilders(t *testing.T) {
	f, err := os.Open(filepath.Join("testdata", "vectors.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := map[string]string{} // digests by the rest of a line
	for s := bufio.NewScanner(f); s.Scan(); {
		at := strings.LastIndexByte(s.Text(), ' ')
		want[s.Text()[:at]] = s.Text()[at+1:]
	}
	made := digests(t, vectorSample())
	exact, rows := 0, strings.Split(strings.TrimSpace(builders), "\n")
	for _, row := range rows {
		at := strings.LastIndex(row, ": ")
		name, line := row[:at], row[at+2:]
		if want[line] == "" {
			t.Errorf("%s: no vector %q", name, line)
			continue
		}
		by, ok := made[want[line]]
		if ok == inexact[line] {
			t.Errorf("%s: made by %q", row, by)
		}
		if ok {
			exact++
		}
		t.Logf("%-75s %-18s %s", name, line, by)
	}
	t.Logf("%d of %d exact", exact, len(rows))
}
