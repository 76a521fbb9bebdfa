package manifest

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// maxMentions bounds what Mentions returns, maxMentionText how many bytes of one text it looks at, maxBefore how many
// bytes before a word it looks at for what names it.
const (
	maxMentions    = 1000
	maxMentionText = 1 << 20
	maxBefore      = 128
)

var (
	// word is what an image is written in.
	word = regexp.MustCompile(`[A-Za-z0-9._:/@-]+`)
	// imageText can only be an image wherever it stands: HOST/PATH:TAG or HOST/PATH@sha256:DIGEST, where the host has a
	// dot or a port. Addresses of the web are told apart by what stands before them.
	imageText = regexp.MustCompile(`^(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}(?::\d+)?|[a-z0-9.-]+:\d+)(?:/[a-z0-9._-]+)+(?::[A-Za-z_0-9][A-Za-z0-9._-]{0,127}(?:@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64})$`)
	// imageKey is a field, variable or flag that says that its value is an image.
	imageKey = regexp.MustCompile(`(?i)images?[_-]?(?:name|ref|reference)?$|RELATED_IMAGE_`)
	// keyBefore is what names the word after it: KEY=, "KEY": or --FLAG.
	keyBefore = regexp.MustCompile(`([A-Za-z0-9_./-]+)["']?[ \t]*[:=][ \t]*["']?$|(?:^|[ \t])(--?[A-Za-z0-9_.-]+)[ \t]+["']?$`)
)

// Mentions finds what looks like an image where Images does not look: arguments, the environment, annotations, ConfigMaps,
// fields of custom resources. Each image is told once, with the first place.
func (r *Rendered) Mentions() []ImageUse {
	m := &mentions{seen: make(map[string]bool)}
	for k := range r.Objects {
		if m.object = &r.Objects[k]; m.object.Kind() != "CustomResourceDefinition" {
			m.walk(m.object.Fields, nil, false)
		}
	}
	return m.found
}

// mentions collects images from one object after another.
type mentions struct {
	object *Object
	within int // how many texts what is walked is written in
	seen   map[string]bool
	found  []ImageUse
}

// walk looks at a value, in a fixed order. named is whether what holds it says that it is an image, or several.
func (m *mentions) walk(v any, path kubeyaml.Path, named bool) {
	switch v := v.(type) {
	case string:
		m.text(v[:min(len(v), maxMentionText)], path, named)
	case []any:
		for i, item := range v {
			flag := ""
			if i > 0 {
				flag, _ = v[i-1].(string)
			}
			m.walk(item, m.step(path, i), named || strings.HasPrefix(flag, "-") && imageKey.MatchString(flag))
		}
	case map[string]any:
		split := m.split(v, path, named)
		name, _ := v["name"].(string)
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if key != split {
				m.walk(v[key], m.step(path, key), imageKey.MatchString(key) || imageKey.MatchString(name) && (key == "value" || key == "default"))
			}
		}
	}
}

// step leads to a field. Fields that are written in a text have the text's path.
func (m *mentions) step(path kubeyaml.Path, to any) kubeyaml.Path {
	if m.within > 0 {
		return path
	}
	return path.With(to)
}

// split finds an image whose parts are fields of their own, and tells in which of them its repository is.
func (m *mentions) split(fields map[string]any, path kubeyaml.Path, named bool) string {
	registry, tag, hash := first(fields, "registry"), first(fields, "tag", "newTag"), first(fields, "digest", "sha")
	if tag == "" && hash == "" {
		return ""
	}
	for _, key := range []string{"repository", "image", "baseImage", "newName", "name"} {
		repository, ok := fields[key].(string)
		sure := named || imageKey.MatchString(key) || registry != "" || hasHost(repository)
		if !ok || repository == "" || !sure || key == "name" && !named {
			continue
		}
		ref := repository
		if registry != "" {
			ref = registry + "/" + ref
		}
		if tag != "" {
			ref += ":" + tag
		}
		if hash != "" {
			ref += "@sha256:" + strings.TrimPrefix(hash, "sha256:")
		}
		if m.add(ref, repository, m.step(path, key)) {
			return key
		}
	}
	return ""
}

// first gives the first of the fields that is set; a tag such as 15 is a number where nobody put quotes around it.
func first(fields map[string]any, keys ...string) string {
	for _, key := range keys {
		switch v := fields[key].(type) {
		case string, int, int64, float64:
			if s := fmt.Sprint(v); s != "" {
				return s
			}
		}
	}
	return ""
}

// text looks at a text: as the image that it is said to be, as the file that it may be, or word by word.
func (m *mentions) text(text string, path kubeyaml.Path, named bool) {
	if named && hasHost(text) && !strings.Contains(text[strings.LastIndex(text, "/"):], ".") && word.FindString(text) == text {
		m.add(text, text, path)
		return
	}
	if docs := documents(text); docs != nil {
		m.within++
		for _, doc := range docs {
			m.walk(doc, path, false)
		}
		m.within--
		return
	}
	for _, at := range word.FindAllStringIndex(text, -1) {
		ref := strings.TrimRight(text[at[0]:at[1]], ".:")
		said := named && at[1]-at[0] == len(text)
		for _, scheme := range []string{"docker://", "oci://"} {
			if rest, ok := strings.CutPrefix(ref, scheme); ok {
				ref, said = rest, true
			}
		}
		if key := keyBefore.FindStringSubmatch(text[max(0, at[0]-maxBefore):at[0]]); key != nil {
			said = said || imageKey.MatchString(key[1]+key[2])
		}
		if imageText.MatchString(ref) || said && shortImage(ref) {
			m.add(ref, ref, path)
		}
	}
}

// documents decodes the YAML or JSON files that stand in values of ConfigMaps. It is nil for any other text.
func documents(text string) []any {
	if !strings.ContainsAny(text, "\n{") {
		return nil
	}
	var docs []any
	for d := yaml.NewDecoder(strings.NewReader(text)); ; {
		var v any
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			return docs
		}
		if err != nil {
			return nil
		}
		switch v.(type) {
		case map[string]any, []any:
			docs = append(docs, v)
		case nil:
		default:
			return nil
		}
	}
}

// shortImage tells whether NAME:TAG or NAME@DIGEST can be an image where one is said to be: a name without a path that has
// dots is a host with its port.
func shortImage(ref string) bool {
	repository := repositoryOf(ref)
	return repository != ref && (strings.Contains(repository, "/") || repository != "localhost" && !strings.Contains(repository, "."))
}

// hasHost tells whether a repository is written with the registry's host.
func hasHost(repository string) bool {
	host, _, ok := strings.Cut(repository, "/")
	return ok && strings.ContainsAny(host, ".:") && !strings.HasPrefix(host, ".")
}

// add notes an image, unless ref is none. written is what stands at the path.
func (m *mentions) add(ref, written string, path kubeyaml.Path) bool {
	name, err := bundle.ParseReference(ref)
	if err != nil {
		return false
	}
	if !m.seen[name.String()] && len(m.found) < maxMentions {
		m.seen[name.String()] = true
		m.found = append(m.found, ImageUse{Name: name, Reference: ref, Object: m.object.ID(), Field: path.String(), Place: m.object.imagePlace(written, path)})
	}
	return true
}
