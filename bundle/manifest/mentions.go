package manifest

import (
	"maps"
	"regexp"
	"slices"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// maxMentions bounds what Mentions returns, maxMentionText how many bytes of one text it looks at.
const (
	maxMentions    = 1000
	maxMentionText = 1 << 20
)

// imageText is what can only be an image in a text: HOST/PATH:TAG or HOST/PATH@sha256:DIGEST, where the host has a dot
// or a port. Addresses of the web are told apart by what stands before them.
var imageText = regexp.MustCompile(`(^|[^A-Za-z0-9._:/@-])((?:[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}(?::\d+)?|[a-z0-9.-]+:\d+)(?:/[a-z0-9._-]+)+(?::[A-Za-z_0-9][A-Za-z0-9._-]{0,127}(?:@sha256:[0-9a-f]{64})?|@sha256:[0-9a-f]{64}))($|[^A-Za-z0-9._:/@-])`)

// Mentions finds text that looks like an image where Images does not look: arguments, the environment, annotations,
// values of ConfigMaps, fields of custom resources. Each image is told once, with the first place.
func (r *Rendered) Mentions() []ImageUse {
	seen := make(map[string]bool)
	var found []ImageUse
	for k := range r.Objects {
		o := &r.Objects[k]
		if o.Kind() == "CustomResourceDefinition" {
			continue
		}
		eachText(o.Fields, nil, func(text string, path kubeyaml.Path) {
			for _, m := range imageText.FindAllStringSubmatch(text[:min(len(text), maxMentionText)], -1) {
				name, err := bundle.ParseReference(m[2])
				if err != nil || seen[name.String()] || len(found) == maxMentions {
					continue
				}
				seen[name.String()] = true
				found = append(found, ImageUse{Name: name, Reference: m[2], Object: o.ID(), Field: path.String(), Place: o.imagePlace(m[2], path)})
			}
		})
	}
	return found
}

// eachText calls f for every text in a value, in a fixed order.
func eachText(v any, path kubeyaml.Path, f func(text string, path kubeyaml.Path)) {
	switch v := v.(type) {
	case string:
		f(v, path)
	case []any:
		for i, item := range v {
			eachText(item, path.With(i), f)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			eachText(v[key], path.With(key), f)
		}
	}
}
