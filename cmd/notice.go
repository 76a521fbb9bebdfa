//go:build !site

package cmd

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/bundle/notice"
	"github.com/sallyport-dev/sallyport/bundle/sign"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

// noticeOptions are the flags of freeze that make it write a notice for sites.
type noticeOptions struct {
	file, name, safe, key string
	sites                 []string
	liftedBy              uint64
	lifts                 bool
}

func (o *noticeOptions) asked() bool {
	return o.file != "" || o.name != "" || o.safe != "" || o.key != "" || len(o.sites) > 0 || o.liftedBy != 0 || o.lifts
}

// noticeFlags adds what the program for sites does not have.
func (p *program) noticeFlags(c *cobra.Command, o *noticeOptions) {
	c.Long += `

At the factory, --notice writes a signed notice that does this on other sites: it travels beside bundles, on sticks and in inboxes, in a
file whose name ends in .freeze.json. A site takes it if it runs releases of that name and trusts the key, whatever its windows, and
keeps to the one of them that was issued last. There sallyport unfreeze does not lift it: what does is its --until, the commit of a
release with at least the sequence --lifted-by, or a notice with --lifts. With --safe sallyport run goes back to that release at once,
where the site still holds it.`
	c.Example += `
  sallyport freeze --notice stop.freeze.json --name store-platform --lifted-by 43 --reason "2.4.0 loses orders" --key release.key`
	c.Flags().StringVar(&o.file, "notice", "", "write a signed notice for sites to this `FILE`; freeze nothing here")
	c.Flags().StringVar(&o.name, "name", "", "the name of the releases that the notice holds")
	c.Flags().StringArrayVar(&o.sites, "for", nil, "a `SITE` that is meant; may be repeated; without it all are")
	c.Flags().Uint64Var(&o.liftedBy, "lifted-by", 0, "the sequence from which on a release passes, and ends the notice")
	c.Flags().StringVar(&o.safe, "safe", "", "the `BUNDLE` of the release to run meanwhile")
	c.Flags().BoolVar(&o.lifts, "lifts", false, "end the notices that were issued before this one")
	c.Flags().StringVar(&o.key, "key", "", "the private key to sign with")
}

// writeNotice writes a signed freeze notice.
func (p *program) writeNotice(ctx context.Context, o *noticeOptions, reason, until string) error {
	if o.file == "" || o.key == "" {
		return &usageError{"a notice wants a file and a key", "sallyport freeze --notice stop.freeze.json --name NAME --until TIME --key release.key"}
	}
	if !strings.HasSuffix(o.file, notice.Suffix) {
		return &usageError{o.file + ": sites look for names that end in " + notice.Suffix, "name it so"}
	}
	n, err := p.newNotice(ctx, o, reason, until)
	if err != nil {
		return err
	}
	statement, err := n.Statement()
	if err != nil {
		return &usageError{"this is no notice that a site would take: " + err.Error(), "sallyport freeze --help has an example"}
	}
	signers, err := p.signers([]string{o.key})
	if err != nil {
		return err
	}
	return p.sealNotice(ctx, o.file, n, statement, signers[0])
}

func (p *program) sealNotice(ctx context.Context, file string, n *notice.Notice, statement []byte, signer *sign.Signer) error {
	signed, err := signer.SignStatement(ctx, statement)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(file, append(signed, '\n'), 0o644); err != nil {
		return err
	}
	if p.flags.json {
		return p.object(struct {
			APIVersion string         `json:"apiVersion"`
			Kind       string         `json:"kind"`
			File       string         `json:"file"`
			Notice     *notice.Notice `json:"notice"`
		}{bundle.APIVersion, "FreezeNotice", file, n})
	}
	what := "holds"
	if n.Lifts {
		what = "lifts what holds"
	}
	p.ui.closing("%s %s %s, signed by %s (%s). Lay it beside the bundles on the sticks and in the inboxes.", file, what, n.Name, signer.Name(), signer.KeyID())
	return nil
}

func (p *program) newNotice(ctx context.Context, o *noticeOptions, reason, until string) (*notice.Notice, error) {
	now := time.Now().UTC().Truncate(time.Second)
	n := &notice.Notice{Name: o.name, Sites: o.sites, Reason: reason, Issued: now, LiftedBy: o.liftedBy, Lifts: o.lifts}
	at, length, err := moment(until)
	if err != nil {
		return nil, err
	}
	if length > 0 {
		end := now.Add(length)
		at = &end
	}
	if at != nil {
		end := at.UTC().Truncate(time.Second)
		n.Until = &end
	}
	if o.safe == "" {
		return n, nil
	}
	in, err := p.openBundle(ctx, o.safe, "")
	if err != nil {
		return nil, err
	}
	defer in.Close()
	r, err := bundle.NewReader(in)
	if err != nil {
		return nil, in.blame(err)
	}
	d := r.Descriptor()
	if n.Name == "" {
		n.Name = d.Name
	}
	if n.Name != d.Name {
		return nil, &usageError{o.safe + " is a bundle of " + d.Name + ", and the notice is about " + n.Name, "name one of the same product"}
	}
	n.Safe = &notice.Safe{Version: d.Version, Identity: d.Identity()}
	return n, nil
}
