// Package strictyaml decodes a YAML document into a Go struct and refuses whatever the struct does not have.
//
// People write these files by hand, so a mistake must be named where it was made: file, line, dotted field and,
// where one is near, the name that was meant. Every rule below exists because the usual decoders pass over it
// in silence:
//
//   - one document of at most MaxSize bytes, and not an empty one
//   - an unknown or repeated field is an error, at any depth
//   - text is text: a number or a boolean in a text field is an error that asks for quotes (version: 1.10 would
//     otherwise become 1.1 in one tool and stay 1.10 in another)
//   - whole numbers are decimal and must fit the field
//   - an empty value (null) leaves the field unset, whatever its type; an empty list item is an error unless the
//     items may be anything
//   - anchors and aliases work, merge keys (<<) do not; a document that grows past a fixed number of nodes by its
//     aliases, or that holds itself, is refused
//
// Fields are named by their yaml tag, else their json tag, else their Go name with a small first letter. A tag "-"
// hides a field. Untagged embedded structs are inlined. A type with UnmarshalText is given the scalar as written.
package strictyaml
