package build

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle/image"
	"github.com/sallyport-dev/sallyport/verify"
)

// checkKeys checks that each image of the spec with a key is signed by that key.
func (b *builder) checkKeys(ctx context.Context, needs []*wanted) error {
	for i, w := range needs {
		if w.Key == "" {
			continue
		}
		trust, err := verify.LoadTrust(w.Key)
		if err != nil {
			return err
		}
		signer, err := signerOf(ctx, b.release.images[i].Image, trust)
		if err != nil {
			return at(reasonOf(err, "image"), w.Place, hintOf(err, ""), fmt.Errorf("image %s: %w%s", w.Name, err, leftBehind(b.release.images[i].Image)))
		}
		b.say("verified", "%s is signed by %s", w.Name, signer)
	}
	return nil
}

// leftBehind tells what of an image could not be had, where that may be why a signature is missing.
func leftBehind(img *image.Image) string {
	if len(img.Notes) == 0 {
		return ""
	}
	return " (" + strings.Join(img.Notes, "; ") + ")"
}

// signerOf gives the key that signed what the image's name resolves to; if nobody has, the one that signed each of its
// platforms.
func signerOf(ctx context.Context, img *image.Image, trust *verify.Trust) (verify.Signer, error) {
	signer, err := verify.ImageSignature(ctx, img.Root.Desc.Digest, artifactsOf(img, img.Root.Desc.Digest), trust)
	if err == nil || reasonOf(err, "") != verify.ReasonUnsigned || img.Manifests[0].Desc.Digest == img.Root.Desc.Digest {
		return signer, err
	}
	for _, m := range img.Manifests {
		var missing error
		if signer, missing = verify.ImageSignature(ctx, m.Desc.Digest, artifactsOf(img, m.Desc.Digest), trust); missing != nil {
			return signer, err
		}
	}
	return signer, nil
}

// artifactsOf lists what is attached to one digest of an image.
func artifactsOf(img *image.Image, subject digest.Digest) []verify.Artifact {
	var list []verify.Artifact
	for _, a := range img.Attached {
		if a.Subject.Digest != subject {
			continue
		}
		list = append(list, verify.Artifact{Manifest: a.Raw, Open: func(ctx context.Context, d digest.Digest) (io.ReadCloser, error) {
			for _, l := range append([]ocispec.Descriptor{a.Config}, a.Layers...) {
				if l.Digest == d {
					return img.OpenBlob(ctx, l)
				}
			}
			return nil, fmt.Errorf("the artifact has no blob %s", d)
		}})
	}
	return list
}
