package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sallyport-dev/sallyport"

// allowed says which packages of ours each room may import directly. A name that ends in /... stands for all below
// it too. Every room may also import itself, what lies below it, and leaves.
var allowed = map[string][]string{
	"main":                {"cmd"},
	"cmd":                 {"bundle/...", "apply/...", "verify", "web", "internal/durable"},
	"web":                 {"apply", "apply/check", "internal/durable"},
	"bundle":              {},
	"bundle/inspect":      {"bundle", "bundle/overlay"},
	"bundle/overlay":      {"bundle"},
	"bundle/image":        {"bundle"},
	"bundle/manifest":     {"bundle", "bundle/overlay"},
	"bundle/sbom":         {"bundle"},
	"bundle/rootfs":       {},
	"bundle/attest":       {"bundle"},
	"bundle/notice":       {"bundle", "bundle/attest"},
	"bundle/sign":         {"bundle", "bundle/attest"},
	"bundle/build":        {"bundle/...", "delta", "verify", "internal/durable"},
	"verify":              {"bundle"},
	"delta":               {"delta/recompress"},
	"delta/recompress":    {},
	"apply":               {"apply/...", "delta", "verify", "bundle", "bundle/notice", "bundle/overlay", "internal/durable"},
	"apply/mirror":        {"bundle", "internal/durable"},
	"apply/kube":          {"bundle", "internal/durable"},
	"apply/check":         {"bundle", "internal/durable"},
	"apply/backup":        {"internal/durable"},
	"apply/window":        {},
	"apply/inbox":         {"bundle", "internal/durable"},
	"apply/vault":         {},
	"apply/slot":          {"bundle", "internal/durable"},
	"apply/metrics":       {},
	"apply/receipt":       {"apply/check", "apply/mirror", "bundle", "bundle/attest", "verify", "internal/durable"},
	"internal/durable":    {},
	"internal/strictyaml": {},
	"internal/kubeyaml":   {},
	"internal/pubkey":     {},
	"internal/oneline":    {},
	"internal/gunzip":     {},
	"internal/pages":      {},
	"internal/ownfile":    {},
	"internal/program":    {},
}

// leaves are small packages that know no other package of ours.
var leaves = []string{"internal/kubeyaml", "internal/strictyaml", "internal/pubkey", "internal/oneline", "internal/gunzip", "internal/pages", "internal/ownfile", "internal/program"}

// forbidden says which modules of others must not even come in indirectly, into either program.
var forbidden = map[string][]string{
	"bundle":         {"k8s.io/", "github.com/google/go-containerregistry", "github.com/anchore/", "github.com/sigstore/"},
	"delta":          {"k8s.io/", "github.com/google/go-containerregistry", "github.com/anchore/", "github.com/sigstore/"},
	"verify":         {"k8s.io/", "github.com/anchore/"},
	"apply/...":      {"github.com/anchore/", "modernc.org/sqlite", "helm.sh/"},
	"bundle/inspect": {"github.com/anchore/", "k8s.io/"},
	"bundle/overlay": {"github.com/anchore/", "k8s.io/", "sigs.k8s.io/kustomize"},
}

type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Imports,Deps"}, args...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var pkgs []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return pkgs
		}
		if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// room cuts the module's name from an import path; the program itself is main.
func room(importPath string) (string, bool) {
	if importPath == module {
		return "main", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

func matches(pattern, name string) bool {
	if below, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == below || strings.HasPrefix(name, below+"/")
	}
	return name == pattern
}

func TestImportsPointDown(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range list(t, "./...") {
		name, ours := room(p.ImportPath)
		if !ours || isAid(name) {
			continue
		}
		rule := name
		for strings.Contains(rule, "/") && allowed[rule] == nil {
			rule = rule[:strings.LastIndex(rule, "/")]
		}
		may, known := allowed[rule]
		if !known {
			t.Errorf("%s stands in no room: add it to the table, with what it may import", name)
			continue
		}
		seen[rule] = true
		may = append(slices.Concat(may, leaves), rule+"/...")
		for _, imported := range p.Imports {
			to, ours := room(imported)
			if ours && !slices.ContainsFunc(may, func(pattern string) bool { return matches(pattern, to) }) {
				t.Errorf("%s must not import %s", name, to)
			}
		}
	}
	for rule := range allowed {
		if !seen[rule] {
			t.Errorf("the table has a room that the house has not: %s", rule)
		}
	}
}

// isAid tells what only tests and demonstrations use: no room of the house.
func isAid(name string) bool {
	return strings.HasPrefix(name, "internal/") && allowed[name] == nil || name == "internal/durable/durabletest" ||
		strings.HasPrefix(name, "apply/slot/") && strings.HasSuffix(name, "test")
}

func TestNothingHeavyComesIn(t *testing.T) {
	for pattern, modules := range forbidden {
		for _, p := range list(t, "./"+pattern) {
			for _, dep := range p.Deps {
				for _, m := range modules {
					if strings.HasPrefix(dep, m) {
						t.Errorf("%s links %s", p.ImportPath, dep)
					}
				}
			}
		}
	}
}

func TestSiteProgramHasNoFactory(t *testing.T) {
	for _, p := range list(t, "-tags", "site", ".") {
		for _, dep := range p.Deps {
			for _, m := range []string{"github.com/anchore/", "modernc.org/sqlite", "helm.sh/",
				module + "/bundle/build", module + "/bundle/manifest", module + "/bundle/sbom", module + "/bundle/sign", module + "/bundle/image", module + "/apply/receipt/report"} {
				if strings.HasPrefix(dep, m) {
					t.Errorf("the site program links %s", dep)
				}
			}
		}
	}
}
