// Package overlay is what the overlays of a release do to its rendered objects. The factory renders each overlay and keeps
// what it changes as edits ([Diff]); factory and site put the edits of the overlays that a site takes on the objects
// ([Combine]). docs/format.md is normative.
//
// # Edits
//
// An edit adds or replaces an object, deletes one, sets a field or removes one. It has the path of what it changes: nothing
// for an object as a whole, else keys of maps and items of lists. Items are told by a field of theirs that no two of them
// share, such as the name of a container; lists without such a field are set as a whole. Edits say what shall be, not what
// was: doing one twice changes nothing.
//
// # Which edits count
//
// A site takes every overlay whose labels it has all of. Edits are done in one order, that of bundle.CompareOverlays: less
// specific overlays first. An edit does not count where a more specific overlay that the site takes too has one at the same
// path, or above it. So nothing depends on the order in which overlays are written, read or rendered.
//
// Two overlays of which neither is the more specific one fight if a site can take both and they have edits at the same path, or
// one above the other's, that are not the same edit; unless a third, whose labels are exactly those of both together, has one
// there ([Fights]). A release with a fight is not built, and not taken.
package overlay
