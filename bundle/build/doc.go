// Package build is the factory: it turns a release.yaml, images and what earlier releases delivered into a bundle.
//
// [Load] reads the spec, [Run] does the work:
//
//  1. The manifests are rendered and the images in them found; each is resolved to a digest, which is put
//     beside its tag in the rendered copy.
//  2. The bases are opened. A base is a release that the site is known to hold; several bases mean that the site
//     holds all of them.
//  3. Every blob of the images is given the cheapest form in which a site can get it back bit for bit: not at all
//     (a base has it), a delta, recompressed, or full.
//  4. SBOMs are made, the release is sealed and signed, and the bundle is written beside its lock file.
//
// The same inputs give the same bundle, byte for byte, apart from the signatures. Layers are never held in memory:
// they pass through files in one temporary folder, which is removed whichever way Run ends.
package build
