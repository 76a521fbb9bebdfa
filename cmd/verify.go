package cmd

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/verify"
)

func (p *program) verifyVerb() *cobra.Command {
	var key, trust string
	c := &cobra.Command{
		Use:   "verify BUNDLE (--trust FILE | --key PUB)",
		Short: "Check every byte of a bundle and say who signed it",
		Long: `Check a bundle without any network: that an accepted key signed the release, that the release has not expired, that
every byte of it is what was signed, and that what it carries of attestations speaks of this release. Images' own
signatures travel along; whoever builds a release checks those.`,
		Example: `  sallyport verify store-platform-2.4.0.tar --key release.pub
  sallyport verify /media/stick --trust /etc/sallyport/release.pub --json`,
		Args: args("BUNDLE"),
		RunE: func(c *cobra.Command, a []string) error {
			if (key == "") == (trust == "") {
				return &usageError{"verify takes one of --key and --trust", "name the factory's public key: --key release.pub"}
			}
			return p.verify(c.Context(), a[0], key+trust)
		},
	}
	p.stallFlag(c)
	c.Flags().StringVar(&key, "key", "", "the public key that must have signed")
	c.Flags().StringVar(&trust, "trust", "", "a file of public keys, one of which must have signed")
	return exits(c, ofBundle...)
}

func (p *program) verify(ctx context.Context, path, keys string) error {
	frugal()
	trust, err := verify.LoadTrust(keys)
	if err != nil {
		return err
	}
	in, err := p.openBundle(ctx, path, "verifying")
	if err != nil {
		return err
	}
	defer in.Close()
	report, err := verifyAll(ctx, in, trust)
	if err != nil {
		return in.blame(err)
	}
	if p.flags.json {
		return p.object(struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
			Verified   bool   `json:"verified"`
			verify.Report
		}{bundle.APIVersion, "Verification", true, report})
	}
	p.ui.say("release", "%s %s (sequence %d), %s", report.Release.Name, report.Release.Version, report.Release.Sequence,
		short(report.Release.Digest, false))
	for _, s := range report.Signers {
		p.ui.say("signed", "%s", s)
	}
	for _, c := range report.Checks {
		p.ui.say(fmt.Sprintf("%-10s", c.Name), "%-4s  %s", c.Verdict, c.Message)
	}
	p.ui.print("%s\n", goodBundle(in.Name(), report))
	return nil
}

// goodBundle is the sentence that people take home. It claims what was checked, and names what travels along unchecked.
func goodBundle(name string, r verify.Report) string {
	var signers, unchecked []string
	for _, s := range r.Signers {
		signers = append(signers, s.Name)
	}
	n := map[string]int{}
	for _, c := range r.Checks {
		if c.Verdict == verify.Warn {
			n[c.Name]++
		}
		if c.Name == verify.CheckImages {
			unchecked = append(unchecked, "the images' own signatures and attestations")
		}
	}
	if others := n[verify.CheckProvenance] + n[verify.CheckAttestation]; others > 0 {
		unchecked = append(unchecked, plural(others, "attestation")+" by keys that are not accepted here")
	}
	if others := n[verify.CheckSignature]; others > 0 {
		unchecked = append(unchecked, plural(others, "signature")+" of a kind that this program does not know")
	}
	text := fmt.Sprintf("%s is good: %s signed the release, and every byte of it is what was signed.", name, strings.Join(signers, " and "))
	if len(unchecked) > 0 {
		text += " Not checked: " + strings.Join(unchecked, "; ") + "."
	}
	return text
}

// verifyAll reads a bundle to its end.
func verifyAll(ctx context.Context, in *input, trust *verify.Trust) (verify.Report, error) {
	r, err := bundle.NewReader(in)
	if err != nil {
		return verify.Report{}, err
	}
	b, err := verify.Open(r, verify.Policy{Trust: trust})
	if err != nil {
		return verify.Report{}, err
	}
	if err := b.Drain(ctx); err != nil {
		return verify.Report{}, err
	}
	return b.Report(), nil
}
