// Package image reads container images from where they are: a registry, an OCI image layout (a folder or a tar of
// one), or what docker save and podman save write.
//
// Everything comes out as it went in: manifests, indexes and configs as their raw bytes, blobs as their stored bytes,
// so that digests, and with them the images' own signatures, stay good. Every read is checked against the digest and
// the size that named it; a blob that is not what was asked for ends in an error in place of io.EOF.
//
// # References
//
// An image has a name, by which manifests know it, and a source, where its bytes are:
//
//	registry.example.com/app:1.2        the registry (also docker://registry.example.com/app:1.2)
//	oci:DIR[:NAME]                      an OCI image layout
//	oci-archive:FILE.tar[:NAME]         a tar of one, read in place
//	docker-archive:FILE.tar[:NAME]      the output of docker save
//
// NAME picks one of several images: by the annotation org.opencontainers.image.ref.name (or that of containerd), or
// by repository tag. Without it the only image is taken, or the one that carries the image's own name.
//
// # Platforms
//
// From a multi-platform index, the best manifest for each wanted platform is taken, by containerd's rules
// (linux/arm/v7 also takes arm/v6). A platform that an image does not have is an error. Attestations that BuildKit
// files in an index as "platforms" unknown/unknown belong to the manifest that they name.
//
// # Attached artifacts
//
// Signatures, attestations and SBOMs that belong to the index or to one of its manifests come along: cosign's tags
// (sha256-<hex>.sig, .att, .sbom), OCI referrers (by the registry's API or the fallback tag), and BuildKit's
// attestations. In a layout they are found by the same tags, or by their subject.
//
// All of that may be absent, in whatever way a registry says so: what cannot be read stays behind, and Image.Notes says
// why. Faults of the moment are no such answer, because what they cost would be there in the next build.
//
// # Registries that fail
//
// A request that meets a fault of the moment (no connection, no answer, a busy or broken server, bytes that stop coming) is
// sent again a few times, when the registry says or after growing pauses. If it stays, the error is a *NetworkError; what
// trying again will not mend is an *Error. Downloads are limited by standstill, not by the time that they take.
//
// # docker-archive
//
// The classic format has no manifest, so one is made, always the same for the same input: an OCI image manifest with
// the archive's config and layers, byte for byte, in their order, without annotations. That is what newer Docker
// versions write by themselves; where an archive holds an OCI index, that is used instead.
package image
