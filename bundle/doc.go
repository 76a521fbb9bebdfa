// Package bundle is what a release is and how its bytes are laid out.
//
// A bundle is one tar file that is an OCI image layout. docs/format.md is normative; in short:
//
//   - Every entry is a regular file with one fixed USTAR header form. A reader compares each header block with the
//     one that the writer makes, so no byte of a bundle can vary.
//   - Entries come in one order: oci-layout, index.json, the release manifest, the release descriptor, the
//     signatures, the metadata blobs, the payload blobs. Two zero blocks and the end of the file follow.
//   - The descriptor decides everything else: oci-layout, index.json and the release manifest are functions of it (and
//     of the signatures). A reader makes them again and compares.
//   - JSON has one byte form: unknown, repeated, reordered or oddly spelt keys are refused.
//   - Each blob is compared with its digest as it is read; a reader sees an error in place of the end.
//
// [Seal] and [Sealed.Write] make a bundle, [NewReader] reads one front to back, from a pipe too. What a Reader gives is
// unverified: its digests are right, but who made it is for package verify to say.
package bundle
