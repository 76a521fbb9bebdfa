package inspect

import (
	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
)

// File is a blob as it stands in the bundle, in the order of the bundle.
type File struct {
	Digest    digest.Digest `json:"digest"`
	Size      int64         `json:"size"`
	MediaType string        `json:"mediaType"`
	Metadata  bool          `json:"metadata"`
	// Blob is what a delta or a recompressed blob turns into; empty for all else.
	Blob digest.Digest `json:"blob,omitempty"`
}

// Files lists the blobs that follow the signatures.
func Files(r *bundle.Reader) []File {
	restored := map[digest.Digest]digest.Digest{}
	for _, b := range r.Descriptor().Blobs {
		if b.Payload != nil && b.Form != bundle.FormFull {
			restored[b.Payload.Digest] = b.Digest
		}
	}
	files := []File{}
	for i, l := range r.Layers() {
		files = append(files, File{Digest: l.Digest, Size: l.Size, MediaType: l.MediaType, Metadata: i < r.MetadataCount(),
			Blob: restored[l.Digest]})
	}
	return files
}
