// Package sbom writes the software bills of materials of container images, and of file systems: SPDX 2.3 and CycloneDX,
// both JSON.
//
// It works offline and its documents are reproducible: the identifiers and times that syft would draw from chance
// and the clock come from the image instead. Documents list packages and how they depend on each other, not files;
// each package tells in which files it was found.
//
// This is the only package that may import syft.
package sbom
