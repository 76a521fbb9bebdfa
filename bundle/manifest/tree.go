package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/provider"

	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

const (
	// maxTreeFiles bounds the files of one kustomization, maxTreeNodes what their aliases can blow them up to.
	maxTreeFiles = 10_000
	maxTreeNodes = 1_000_000
)

// tree is the files that a kustomization is made of, read before it is built: to refuse what would be fetched, and
// to find in them what the build's output came from.
type tree struct {
	files []treeFile
	seen  map[treeKey]bool
	nodes int // followed so far
}

// treeFile is one file of a tree.
type treeFile struct {
	path    string
	role    role
	raw     []byte
	objects []Object // of files that hold objects
}

type treeKey struct {
	path string
	role role
}

// role is what a file is to kustomize.
type role int

const (
	roleOther         role = iota // data
	roleResource                  // objects
	rolePatch                     // changes of objects
	roleKustomization             // a kustomization
	roleConfig                    // the configuration of a built-in generator, transformer or validator
)

// remoteForm is what kustomize takes for something to fetch: by HTTP, or by git, which also knows user@host:path and
// hosts without a scheme.
var remoteForm = regexp.MustCompile(`(?i)^(git::)?((https?|ssh|file):|[a-z][a-z0-9-]*@|github\.com[/:])`)

// pathKeys are the keys of kustomizations, and of the configurations of built-in generators and transformers, whose
// values are paths.
func pathKeys() []string {
	return []string{"bases", "components", "configurations", "crds", "env", "envs", "files", "generators", "patches",
		"patchesJson6902", "patchesStrategicMerge", "path", "paths", "resources", "transformers", "validators"}
}

// configKeys are those of pathKeys that lead to configurations.
func configKeys() []string { return []string{"generators", "transformers", "validators"} }

// freeKeys lead to names and values of the user's own.
func freeKeys() []string {
	return []string{"annotations", "commonAnnotations", "commonLabels", "labels", "literals", "metadata"}
}

// readTree reads a folder's kustomization and all that it refers to.
func readTree(dir string) (*tree, error) {
	t := &tree{seen: make(map[treeKey]bool)}
	return t, t.addFolder(dir, false)
}

// addFolder reads a folder's kustomization; config tells that what it lists are configurations.
func (t *tree) addFolder(dir string, config bool) error {
	path := kustomization(dir)
	if path == "" {
		return nil // kustomize will say so
	}
	return t.addFile(path, roleKustomization, config)
}

// addFile reads a file once, and what it refers to.
func (t *tree) addFile(path string, r role, config bool) error {
	path = filepath.Clean(path)
	if t.seen[treeKey{path, r}] {
		return nil
	}
	t.seen[treeKey{path, r}] = true
	if len(t.files) == maxTreeFiles {
		return &Error{Place: Place{File: path}, Problem: fmt.Sprintf("the kustomization has more than %d files", maxTreeFiles)}
	}
	raw, err := readFile(path)
	if err != nil {
		return err
	}
	f := treeFile{path: path, role: r, raw: raw}
	if r == roleKustomization || r == roleConfig {
		t.files = append(t.files, f)
		return t.followDocuments(raw, reference{Place: Place{File: path}, role: r, config: config})
	}
	f.objects, err = parse(path, raw)
	switch {
	case err == nil && r != roleOther:
		err = checkRead(raw, f.objects)
	case r != roleResource:
		err = nil // neither patches nor data need be objects
	}
	t.files = append(t.files, f)
	return err
}

// checkRead refuses a file of which kustomize would not read every object, and say nothing: it takes only the first of
// several JSON values, or of several documents in UTF-16.
func checkRead(raw []byte, objects []Object) error {
	read, err := provider.NewDefaultDepProvider().GetResourceFactory().SliceFromBytes(raw)
	if err != nil {
		return nil //nolint:nilerr // kustomize will say so itself
	}
	type name struct{ kind, name string }
	have := make(map[name]bool, len(read))
	for _, r := range read {
		have[name{r.GetKind(), r.GetName()}] = true
	}
	for k := range objects {
		if o := &objects[k]; !have[name{o.Kind(), o.Name()}] {
			return &Error{Place: o.Place, Problem: fmt.Sprintf("kustomize does not read %s in this file", o.ID()),
				Advice: "save the file as UTF-8, and begin each object with --- on a line of its own"}
		}
	}
	return nil
}

// reference is where in a tree a path is written.
type reference struct {
	Place         // before it is used, the line is the number of lines before the text
	role   role   // of the file
	config bool   // what the file lists are configurations
	key    string // one of pathKeys, or empty
	depth  int    // of the node in its document
}

// followDocuments looks for paths in YAML.
func (t *tree) followDocuments(raw []byte, ref reference) error {
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	for {
		var root yaml.Node
		if err := dec.Decode(&root); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return kubeyaml.SyntaxError(ref.File, ref.Line, err)
		}
		if err := t.follow(root.Content[0], ref); err != nil {
			return err
		}
	}
}

func (t *tree) follow(n *yaml.Node, ref reference) error {
	ref.depth++
	if t.nodes++; t.nodes > maxTreeNodes || ref.depth > maxDepth {
		return &Error{Place: Place{File: ref.File}, Problem: "the kustomization is too large by its aliases"}
	}
	switch n.Kind {
	case yaml.AliasNode:
		return t.follow(n.Alias, ref)
	case yaml.MappingNode:
		return t.followFields(n, ref)
	case yaml.SequenceNode:
		for _, item := range n.Content {
			if err := t.follow(item, ref); err != nil {
				return err
			}
		}
	case yaml.ScalarNode:
		if ref.key != "" {
			ref.Line += n.Line
			return t.refer(n.Value, ref)
		}
	}
	return nil
}

// followFields follows what stands under the keys that lead to paths. Kustomize takes keys in any case.
func (t *tree) followFields(n *yaml.Node, ref reference) error {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if ref.role == roleKustomization && strings.HasPrefix(strings.ToLower(key.Value), "helm") {
			return &Error{Place: Place{File: ref.File, Line: ref.Line + key.Line},
				Problem: fmt.Sprintf("this kustomization uses Helm charts (%s), which a build does not fetch", key.Value),
				Advice:  "name the chart under spec.manifests, with helm beside it"}
		}
		if slices.Contains(freeKeys(), key.Value) {
			continue
		}
		inner := ref
		inner.key = findFold(pathKeys(), key.Value)
		if err := t.follow(value, inner); err != nil {
			return err
		}
	}
	return nil
}

// findFold gives the one of keys that equals a key in any case, or "".
func findFold(keys []string, key string) string {
	for _, k := range keys {
		if strings.EqualFold(k, key) {
			return k
		}
	}
	return ""
}

// refer follows one reference to a file or folder. What is not there is left for kustomize to name.
func (t *tree) refer(value string, ref reference) error {
	config := ref.config || slices.Contains(configKeys(), ref.key)
	if strings.Contains(value, "\n") { // written in place
		if !config {
			return nil
		}
		return t.followDocuments([]byte(value), reference{Place: Place{File: ref.File, Line: ref.Line}, role: roleConfig})
	}
	for _, path := range []string{value, afterKey(value)} {
		if remoteForm.MatchString(path) {
			return &Error{Place: ref.Place, Problem: fmt.Sprintf("%s would be fetched, which a build does not do", path),
				Advice: "copy it into the release's folder and name the copy"}
		}
	}
	if ref.role != roleKustomization {
		return nil // only a kustomization leads to more files that matter here
	}
	path := filepath.Join(filepath.Dir(ref.File), afterKey(value))
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return &Error{Place: ref.Place, Problem: value + " cannot be read", Err: err}
	}
	switch {
	case info.IsDir():
		return t.addFolder(path, config)
	case config:
		return t.addFile(path, roleConfig, false)
	}
	return t.addFile(path, roleOf(ref.key), false)
}

// roleOf tells what a file is by the key that leads to it.
func roleOf(key string) role {
	switch key {
	case "bases", "resources":
		return roleResource
	case "patches", "patchesStrategicMerge", "path":
		return rolePatch
	}
	return roleOther
}

// afterKey takes the key off KEY=PATH, as generators have it.
func afterKey(ref string) string {
	if _, path, ok := strings.Cut(ref, "="); ok {
		return path
	}
	return ref
}
