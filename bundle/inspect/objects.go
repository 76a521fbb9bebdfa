package inspect

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"
)

// ObjectID names a Kubernetes object.
type ObjectID struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
}

// String is how people write it: Deployment warehouse/pick-engine.
func (id ObjectID) String() string {
	if id.Namespace == "" {
		return id.Kind + " " + id.Name
	}
	return id.Kind + " " + id.Namespace + "/" + id.Name
}

// object is an object that is read again and decoded only if it turns out to have changed.
type object struct {
	id   ObjectID
	at   int64 // where its YAML stands
	size int
	sum  [sha256.Size]byte
}

// objects are those of a release, whose YAML is in a file: it may be most of what a small site has of memory.
type objects struct {
	file *os.File
	list []object
}

// all are the objects; of a release without any there are none.
func (o *objects) all() []object {
	if o == nil {
		return nil
	}
	return o.list
}

func (o *objects) close() error {
	if o == nil || o.file == nil {
		return nil
	}
	return o.file.Close()
}

const (
	// maxObject bounds one object in bytes: what an API server takes in one request.
	maxObject = 3 << 20
	// maxObjectID bounds what names an object. Kubernetes allows less.
	maxObjectID = 1024
)

// splitObjects takes a multi-document stream of at most limit objects apart. Within a document no line can be "---"
// (YAML 1.2, 9.1.2).
func splitObjects(r io.Reader, limit int) (*objects, error) {
	f, err := os.CreateTemp("", "sallyport-objects-")
	if err != nil {
		return nil, err
	}
	o := &objects{file: f}
	if err := errors.Join(os.Remove(f.Name()), o.split(r, limit)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return o, nil
}

func (o *objects) split(r io.Reader, limit int) error {
	in, out := bufio.NewReaderSize(r, 64<<10), bufio.NewWriterSize(o.file, 64<<10)
	var doc []byte
	at := int64(0)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil && err != io.EOF && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		end := err == io.EOF
		marker := string(bytes.TrimRight(line, " \r\n")) == "---" && (len(doc) == 0 || doc[len(doc)-1] == '\n')
		if !marker {
			doc = append(doc, line...)
		}
		if len(doc) > maxObject {
			return fmt.Errorf("one of them has more than %d bytes", maxObject)
		}
		if !marker && !end {
			continue
		}
		if err := o.add(doc, at, limit); err != nil {
			return err
		}
		if _, err := out.Write(doc); err != nil {
			return err
		}
		at, doc = at+int64(len(doc)), doc[:0]
		if end {
			return out.Flush()
		}
	}
}

// add keeps where an object stands and what it is; empty documents are none.
func (o *objects) add(doc []byte, at int64, limit int) error {
	id, err := identify(doc)
	if err != nil || id.Kind == "" && id.Name == "" {
		return err
	}
	if len(o.list) == limit {
		return fmt.Errorf("there are more than the %d that the release tells of", limit)
	}
	if len(id.APIVersion)+len(id.Kind)+len(id.Namespace)+len(id.Name) > maxObjectID {
		return fmt.Errorf("one of them has a name of more than %d bytes", maxObjectID)
	}
	o.list = append(o.list, object{id: id, at: at, size: len(doc), sum: sha256.Sum256(doc)})
	return nil
}

// smallObject is how many bytes an object may have to be decoded for its name alone. Of larger ones only the lines are that
// name it, in the form in which objects are rendered.
const smallObject = 32 << 10

func identify(doc []byte) (ObjectID, error) {
	if len(doc) > smallObject {
		doc = naming(doc)
	}
	var head struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string `yaml:"kind"`
		Metadata   struct {
			Name      string `yaml:"name"`
			Namespace string `yaml:"namespace"`
		} `yaml:"metadata"`
	}
	if err := yaml.Unmarshal(doc, &head); err != nil {
		return ObjectID{}, err
	}
	return ObjectID{APIVersion: head.APIVersion, Kind: head.Kind, Namespace: head.Metadata.Namespace, Name: head.Metadata.Name}, nil
}

// naming picks the lines that name an object: two fields at the left, and two of metadata's own.
func naming(doc []byte) []byte {
	var out []byte
	indent := -1 // of metadata's fields: -1 outside of them, 0 before the first
	for line := range bytes.Lines(doc) {
		text := bytes.TrimLeft(line, " ")
		depth := len(line) - len(text)
		switch {
		case depth == 0:
			indent = -1
			if bytes.Equal(bytes.TrimRight(line, " \r\n"), []byte("metadata:")) {
				indent = 0
			}
			if indent < 0 && !bytes.HasPrefix(line, []byte("apiVersion:")) && !bytes.HasPrefix(line, []byte("kind:")) {
				continue
			}
		case indent == 0:
			indent = depth
			fallthrough
		default:
			if depth != indent || !bytes.HasPrefix(text, []byte("name:")) && !bytes.HasPrefix(text, []byte("namespace:")) {
				continue
			}
		}
		if len(out)+len(line) > smallObject {
			return nil
		}
		out = append(out, line...)
	}
	return out
}

// maxNodes bounds how many values an object may have to be compared field by field: decoded, each takes hundreds of bytes.
const maxNodes = 40_000

// errDense is for an object that is not decoded.
var errDense = errors.New("it has too many fields, or refers to itself")

// fields decodes an object.
func (o *objects) fields(x object) (map[string]any, error) {
	doc := make([]byte, x.size)
	if _, err := o.file.ReadAt(doc, x.at); err != nil {
		return nil, err
	}
	if nodes(doc) > maxNodes {
		return nil, errDense
	}
	var n yaml.Node
	if err := yaml.Unmarshal(doc, &n); err != nil {
		return nil, fmt.Errorf("%s: %w", x.id, err)
	}
	if aliased(&n) { // what we render has none, and a few bytes of them can stand for millions of values
		return nil, errDense
	}
	var m map[string]any
	if err := n.Decode(&m); err != nil {
		return nil, fmt.Errorf("%s: %w", x.id, err)
	}
	return m, nil
}

// nodes is at least half as much as a document has of values: each but the first needs one of these marks.
func nodes(doc []byte) int {
	n := 0
	for i, c := range doc {
		switch c {
		case '\n', ',', ':', '[', '{', '?':
			n++
		case '-':
			if i+1 < len(doc) && (doc[i+1] == ' ' || doc[i+1] == '\t') {
				n++
			}
		}
	}
	return n
}

func aliased(n *yaml.Node) bool {
	for _, c := range n.Content {
		if c.Kind == yaml.AliasNode || aliased(c) {
			return true
		}
	}
	return false
}
