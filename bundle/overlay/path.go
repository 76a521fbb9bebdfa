package overlay

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/sallyport-dev/sallyport/internal/kubeyaml"
)

// Key names an object, whatever the version of its API. The namespace default is no namespace.
type Key struct {
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// KeyOf gives an object's key.
func KeyOf(o *kubeyaml.Object) Key {
	k := o.Key()
	if k[2] == "default" {
		k[2] = ""
	}
	return Key{k[0], k[1], k[2], k[3]}
}

// String is how people write it: Deployment warehouse/pick-engine.
func (k Key) String() string {
	if k.Namespace == "" {
		return k.Kind + " " + k.Name
	}
	return k.Kind + " " + k.Namespace + "/" + k.Name
}

func (k Key) compare(o Key) int {
	return cmp.Or(strings.Compare(k.Group, o.Group), strings.Compare(k.Kind, o.Kind),
		strings.Compare(k.Namespace, o.Namespace), strings.Compare(k.Name, o.Name))
}

// Step is one step into a value: the Key of a map, or where Field is set, the item of a list that has the Value (string or
// int64) in that field. In JSON it is the key, or an object with the one field.
type Step struct {
	Key   string
	Field string
	Value any
}

// MarshalJSON writes "key" or {"field":value}.
func (s Step) MarshalJSON() ([]byte, error) {
	if s.Field == "" {
		return plain(s.Key)
	}
	return plain(map[string]any{s.Field: s.Value})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Step) UnmarshalJSON(b []byte) error {
	*s = Step{}
	if bytes.HasPrefix(b, []byte{'"'}) {
		return json.Unmarshal(b, &s.Key)
	}
	v, err := kubeyaml.DecodeJSON(b)
	if err != nil {
		return err
	}
	m, _ := v.(map[string]any)
	for s.Field, s.Value = range m {
		if len(m) == 1 && s.Field != "" && tells(s.Value) {
			return nil
		}
	}
	return errors.New("a step is neither a key nor an item's one field")
}

// tells reports whether items of lists can be told by a value.
func tells(v any) bool {
	switch v.(type) {
	case string, int64:
		return true
	}
	return false
}

// Path leads into an object.
type Path []Step

// String is spec.containers[name=web].image.
func (p Path) String() string {
	var b strings.Builder
	for _, s := range p {
		switch {
		case s.Field != "":
			fmt.Fprintf(&b, "[%s=%v]", s.Field, s.Value)
		case strings.ContainsAny(s.Key, ".[]/"):
			fmt.Fprintf(&b, "[%s]", s.Key)
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.Key)
		}
	}
	return b.String()
}

// with gives a longer path; the old one may be used again.
func (p Path) with(s Step) Path { return append(p[:len(p):len(p)], s) }

// covers tells whether p is q, or leads to what q is in.
func (p Path) covers(q Path) bool {
	if len(p) > len(q) {
		return false
	}
	for i, s := range p {
		if s != q[i] {
			return false
		}
	}
	return true
}

// plain encodes without escapes that JSON does not need, and without a line end.
func plain(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), err
}
