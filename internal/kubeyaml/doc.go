// Package kubeyaml reads Kubernetes objects from YAML and JSON, and writes them. The factory and the site use this one
// reader, so what the factory signs the site takes.
//
// # What is read
//
// Values are those that kubectl reads (YAML 1.1 as sigs.k8s.io/yaml has it: yes is a boolean, 2001-01-01 is text), from
//
//   - UTF-8, and UTF-16 and UTF-32 with a byte order mark; a mark may also stand in front of a later document
//   - documents parted by ---, ended by ..., with %YAML directives and with line ends of any system
//   - JSON, one or several values in a row, with its own escapes
//   - lists (kind List of v1, and the typed lists of Kubernetes' own groups), which are taken apart. A custom resource
//     with a field named items, or of a kind that ends in List, is an object like any other
//
// # What is refused, with the line
//
// What kubectl would drop or change without a word: text after a document's end, keys that stand twice or that YAML
// takes for something else than they say, a merge key after a key that it would override again, halves of surrogate
// pairs, values of labels and annotations that are no text. Also tags of one's own, which kubectl reads in ways of its
// own, and what would make more than it is (aliases of aliases).
package kubeyaml
