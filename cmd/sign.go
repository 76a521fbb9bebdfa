//go:build !site

package cmd

import (
	"context"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/sign"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

func (p *program) signVerb() *cobra.Command {
	var keys []string
	c := &cobra.Command{
		Use:   "sign BUNDLE --key KEY",
		Short: "Add a signature to a bundle",
		Long: `Add one more signature to a bundle, for sites that want several signers. The release stays the same: so do
its digest and the signatures that are there. The key signs the provenance that the bundle carries, too. The file is
replaced in one step.`,
		Example: "  sallyport sign store-platform-2.4.0.tar --key second.key",
		Args:    args("BUNDLE"),
		RunE:    func(c *cobra.Command, a []string) error { return p.signBundle(c.Context(), a[0], keys) },
	}
	p.stallFlag(c)
	c.Flags().StringArrayVar(&keys, "key", nil, "a private key that sallyport or cosign made; may be given several times")
	return exits(c, ofBundle...)
}

func (p *program) signBundle(ctx context.Context, path string, keys []string) error {
	if len(keys) == 0 {
		return &usageError{"no key to sign with", "name one: --key release.key"}
	}
	signers, err := p.signers(keys)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || strings.HasSuffix(path, ".001") {
		return &usageError{path + " is not a bundle in one file", "name the file itself; join parts first: cat FILE.[0-9][0-9][0-9] > FILE"}
	}
	in, err := p.openBundle(ctx, path, "signing")
	if err != nil {
		return err
	}
	defer in.Close()
	r, err := bundle.NewReader(in)
	if err != nil {
		return in.blame(err)
	}
	sigs, err := sign.Release(ctx, r.Desc(), r.Signatures(), signers...)
	if err != nil {
		return blame(path, err)
	}
	if err := replace(ctx, path, r, sigs); err != nil {
		return blame(path, err)
	}
	for _, s := range signers {
		p.ui.say("signed", "%s by %s (%s)", path, s.Name(), s.KeyID())
	}
	if !p.flags.json {
		return nil
	}
	added := make([]signature, len(signers))
	for i, s := range signers {
		added[i] = signature{s.KeyID(), s.Name()}
	}
	return p.object(map[string]any{"apiVersion": bundle.APIVersion, "kind": "Signed", "file": path, "signatures": added})
}

// signature is one that sign has added, as inspect shows it.
type signature struct {
	KeyID  string `json:"keyID"`
	Signer string `json:"signer"`
}

// replace writes the bundle with sigs beside itself and puts that in its place.
func replace(ctx context.Context, path string, r *bundle.Reader, sigs []bundle.Signature) error {
	pr, pw := io.Pipe()
	go func() { pw.CloseWithError(r.Resign(ctx, pw, sigs)) }()
	_, err := durable.WriteFrom(path, pr, 0o644)
	pr.CloseWithError(err)
	return err
}
