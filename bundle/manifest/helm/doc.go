// Package helm renders Helm charts as helm template does, with the engine of Helm itself, and only at the factory.
//
// # What a chart gives
//
// The objects of its templates and of those of its subcharts, the files in crds/, and its hooks with their annotations,
// in Helm's order: what helm template NAME CHART --include-crds --skip-tests prints. Notes are left out.
//
// # What is refused
//
// A bundle is built once, and is the same for every site and in every build. So a template must not ask a cluster
// (lookup), and must not give something else each time: a chart is rendered again, with another clock and another
// chance, and an object that differs is an error. What a chart would give to a cluster with other APIs, or at an
// upgrade, is no error; it is told as a note.
package helm
