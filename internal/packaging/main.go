// Command packaging makes packages of what make dist has made: deb, rpm and apk for each architecture, of the whole program and of
// the program for sites, which brings its units. The same files give the same bytes.
//
//	go run . -dist ../../dist -version 1.2.3 [-epoch SECONDS]
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goreleaser/nfpm/v2"
	_ "github.com/goreleaser/nfpm/v2/apk"
	_ "github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
	_ "github.com/goreleaser/nfpm/v2/rpm"
)

func main() {
	dist := flag.String("dist", "../../dist", "the folder that make dist has made; the packages go there, too")
	version := flag.String("version", "dev", "what git describe says")
	epoch := flag.String("epoch", os.Getenv("SOURCE_DATE_EPOCH"), "the time of all files, in seconds since 1970")
	flag.Parse()
	seconds, err := strconv.ParseInt(*epoch, 10, 64)
	if err == nil {
		err = all(*dist, *version, time.Unix(seconds, 0).UTC())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "packaging:", err)
		os.Exit(1)
	}
}

// flavour is one of the two programs as a package.
type flavour struct {
	name, other string // the package, and the one that it cannot stand beside
	file        string // of dist, before the architecture
	description string
	units       bool
	archs       map[string]string // of the package, by that of the file
}

var flavours = []flavour{
	{"sallyport", "sallyport-site", "sallyport-linux-", "Carries software releases into places with no network.\nThe whole program: it builds and signs bundles, and applies them.",
		false, map[string]string{"amd64": "amd64", "arm64": "arm64"}},
	{"sallyport-site", "sallyport", "sallyport-site-linux-", "Applies software releases at sites with no network.\nThe program for sites, with units for unattended passes, sticks, boots and the mirror.",
		true, map[string]string{"amd64": "amd64", "arm64": "arm64", "armv7": "arm7"}},
}

var formats = []string{"deb", "rpm", "apk"}

// all makes every package.
func all(dist, version string, at time.Time) error {
	work, err := os.MkdirTemp("", "sallyport-packaging-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	for _, f := range flavours {
		for arch, packaged := range f.archs {
			for _, format := range formats {
				if err := f.make(dist, work, arch, packaged, format, packageVersion(version), at); err != nil {
					return fmt.Errorf("%s of %s for %s: %w", format, f.name, arch, err)
				}
			}
		}
	}
	return nil
}

var semver = regexp.MustCompile(`^v?([0-9]+\.[0-9]+\.[0-9]+)(.*)$`)

// packageVersion makes a version that every format takes of what git describe says: 1.2.3 of v1.2.3, and of what stands between two
// releases, or has none before it, one that is older than the next release.
func packageVersion(described string) string {
	m := semver.FindStringSubmatch(described)
	clean := regexp.MustCompile(`[^A-Za-z0-9]+`)
	switch {
	case m == nil:
		return "0.0.0~git." + clean.ReplaceAllString(described, ".")
	case m[2] == "":
		return m[1]
	}
	return m[1] + "+git." + strings.Trim(clean.ReplaceAllString(m[2], "."), ".")
}

func (f flavour) make(dist, work, arch, packaged, format, version string, at time.Time) error {
	contents, err := f.contents(dist, work, arch, at)
	if err != nil {
		return err
	}
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: f.name, Arch: packaged, Platform: "linux", Version: version, VersionSchema: "none", Release: "1",
		Section: "admin", Priority: "optional", Maintainer: "Sallyport developers <dev@sallyport.dev>",
		Description: f.description, Homepage: "https://sallyport.dev", License: "Apache-2.0", MTime: at,
		Overridables: nfpm.Overridables{
			Contents: contents, Conflicts: []string{f.other}, Umask: 0o022,
			Deb: nfpm.Deb{Compression: "gzip"}, // every dpkg reads it
			RPM: nfpm.RPM{Compression: "zstd", BuildHost: "sallyport.dev"},
		},
	})
	if f.units {
		info.Scripts = nfpm.Scripts{PostInstall: "scripts/after-install", PreRemove: "scripts/before-remove", PostRemove: "scripts/after-remove"}
	}
	p, err := nfpm.Get(format)
	if err != nil {
		return err
	}
	out, err := os.Create(filepath.Join(dist, p.ConventionalFileName(info)))
	if err != nil {
		return err
	}
	return errors.Join(p.Package(info, out), out.Close())
}

// contents are the files of a package: the program, its manual pages, and for sites the units, which name the program where the
// package puts it.
func (f flavour) contents(dist, work, arch string, at time.Time) (files.Contents, error) {
	all := files.Contents{file(filepath.Join(dist, f.file+arch), "/usr/bin/sallyport", 0o755, at)}
	pages, err := filepath.Glob(filepath.Join(dist, "man", "*.1"))
	if err != nil || len(pages) == 0 {
		return nil, fmt.Errorf("no manual pages in %s: %w", dist, err)
	}
	for _, page := range pages {
		all = append(all, file(page, "/usr/share/man/man1/"+filepath.Base(page), 0o644, at))
	}
	if !f.units {
		return all, nil
	}
	units, err := filepath.Glob(filepath.Join(dist, "systemd", "*"))
	if err != nil || len(units) == 0 {
		return nil, fmt.Errorf("no units in %s: %w", dist, err)
	}
	for _, unit := range units {
		b, err := os.ReadFile(unit)
		if err != nil {
			return nil, err
		}
		name := filepath.Base(unit)
		moved := filepath.Join(work, name)
		text := strings.ReplaceAll(string(b), "/usr/local/bin/sallyport", "/usr/bin/sallyport")
		if err := os.WriteFile(moved, []byte(text), 0o644); err != nil {
			return nil, err
		}
		to := "/usr/lib/systemd/system/" + name
		if strings.HasSuffix(name, ".rules") {
			to = "/usr/lib/udev/rules.d/" + name
		}
		all = append(all, file(moved, to, 0o644, at))
	}
	for _, folder := range []string{"boot", "monitoring", "schema"} {
		err := filepath.Walk(filepath.Join(dist, folder), func(path string, info os.FileInfo, err error) error {
			if err != nil || info.IsDir() {
				return err
			}
			rel, err := filepath.Rel(dist, path)
			all = append(all, file(path, "/usr/share/sallyport/"+filepath.ToSlash(rel), info.Mode().Perm()&0o755, at))
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func file(from, to string, mode os.FileMode, at time.Time) *files.Content {
	return &files.Content{Source: from, Destination: to, FileInfo: &files.ContentFileInfo{Mode: mode, MTime: at, Owner: "root", Group: "root"}}
}
