package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"filippo.io/age"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sallyport-dev/sallyport/apply"
	"github.com/sallyport-dev/sallyport/apply/vault"
	"github.com/sallyport-dev/sallyport/bundle"
)

// recoverFlags are the flags of sallyport recover.
type recoverFlags struct {
	apply.RecoverOptions
	yes    bool
	backup string
	key    vaultKey
}

// vaultKey is what opens a backup.
type vaultKey struct{ identity, passphrase string }

func (k *vaultKey) flags(c *cobra.Command) {
	c.Flags().StringVar(&k.identity, "identity", "", "the private key that opens the backup, a file of age-keygen")
	c.Flags().StringVar(&k.passphrase, "passphrase-file", "", "a file with the passphrase that opens the backup")
}

func (p *program) recoverVerb() *cobra.Command {
	var f recoverFlags
	c := &cobra.Command{
		Use:   "recover BUNDLE...",
		Short: "Rebuild a site that has lost its mirror, state, slots or objects",
		Long: `Rebuild a site from full bundles: one whose mirror, state folder, slots, objects on the target, or all of that are gone,
and one that is new. What is left is found out by reading it and comparing digests; then a plan is shown. A release that is known to
have run is brought back as it was; where nothing tells any more what ran, the newest release among the bundles is installed, and
its checks decide as in apply. In the end mirror, slot and target are read again, to prove it.

BUNDLE is a file, its first part (FILE.001), - for standard input, or a directory that holds bundles. Several may be given: a bundle
that is built against another release is enough, if one of that release is there too.

--backup takes a file of sallyport backup: what is missing of site.yaml, trust, keys, tokens and settings is put back first, and how far
the site had come is known. On a terminal you are asked before anything is changed; elsewhere, and with --yes, the plan is printed and done.`,
		Example: `  sallyport recover --dry-run /media/stick
  sallyport recover store-platform-2.4.0-full.tar`,
		Args: func(c *cobra.Command, a []string) error {
			if len(a) == 0 {
				return args("BUNDLE")(c, a)
			}
			return nil
		},
		RunE: func(c *cobra.Command, a []string) error { return p.recover(c.Context(), a, f) },
	}
	c.Flags().BoolVar(&f.DryRun, "dry-run", false, "say what is lost and what would be done, and change nothing")
	c.Flags().BoolVar(&f.yes, "yes", false, "do not ask")
	c.Flags().Uint64Var(&f.Index, "accept-index", 0, "the sequence that this site is known to have reached: no older release is taken")
	c.Flags().BoolVar(&f.NewState, "new-state", false, "the disk that held the state folder is lost for good: begin a new one")
	c.Flags().BoolVar(&f.Retry, "retry", false, "take a release that failed here before")
	c.Flags().StringVar(&f.K3s, "k3s", "", "write k3s' registries.yaml there, as sallyport mirror config does")
	c.Flags().StringVar(&f.Containerd, "containerd", "", "write containerd's settings below that folder, as sallyport mirror config does")
	c.Flags().StringVar(&f.backup, "backup", "", "a file of sallyport backup")
	f.key.flags(c)
	p.stallFlag(c)
	p.rebootFlag(c)
	return exits(c, ofSite...)
}

// recover rebuilds the site.
func (p *program) recover(ctx context.Context, paths []string, f recoverFlags) error {
	if err := p.openBackup(&f); err != nil {
		return err
	}
	return p.onSite(ctx, func(s *apply.Site) (*apply.Result, error) {
		if err := p.putBack(s, f.Backup, f.DryRun); err != nil {
			return nil, err
		}
		all, err := p.supplies(ctx, paths)
		if err != nil {
			return nil, err
		}
		f.Agree = func(plan *apply.Recovery) error { return p.agree(plan, f.yes) }
		res, plan, err := s.Recover(ctx, all, f.RecoverOptions)
		switch {
		case plan == nil || res != nil:
		case f.DryRun && p.flags.json:
			return nil, p.objectWithError(recoveryError{plan, newErrorObject(err)}, err)
		case f.DryRun || err != nil && !p.flags.json:
			p.sayPlan(plan)
			if f.DryRun && err == nil {
				p.ui.fine("\nThis was a dry run: nothing has changed.\n")
			}
		}
		return res, err
	})
}

// recoveryError is a plan, and what speaks against it.
type recoveryError struct {
	*apply.Recovery
	Error *errorObject `json:"error,omitempty"`
}

// openBackup reads the backup that was given, and puts back site.yaml if that is missing.
func (p *program) openBackup(f *recoverFlags) error {
	if f.backup == "" {
		if f.key != (vaultKey{}) {
			return &usageError{"--identity and --passphrase-file go with --backup", "name the backup that they open"}
		}
		return nil
	}
	ids, err := f.key.open()
	if err != nil {
		return err
	}
	file, err := os.Open(f.backup)
	if errors.Is(err, fs.ErrNotExist) {
		return &usageError{"there is no " + f.backup, "check the name, and that the medium is mounted"}
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if f.Backup, err = apply.OpenBackup(f.backup, file, ids...); err != nil {
		return err
	}
	p.ui.say("backup", "of %s, made %s", f.Backup.Site, f.Backup.Made.Format("2006-01-02 15:04 MST"))
	if _, err := os.Stat(p.flags.site); !errors.Is(err, fs.ErrNotExist) || f.DryRun {
		return nil
	}
	if err := f.Backup.PutBackConfig(p.flags.site); err != nil {
		return err
	}
	p.ui.say("mended", "%s, from the backup", p.flags.site)
	return nil
}

// open reads the key.
func (k vaultKey) open() ([]age.Identity, error) {
	switch {
	case k.identity != "" && k.passphrase != "":
		return nil, &usageError{"--identity and --passphrase-file exclude each other", "give the one to which the backup was made"}
	case k.identity != "":
		return vault.Identities(k.identity)
	case k.passphrase == "":
		return nil, &usageError{"nothing opens the backup", "give --identity FILE or --passphrase-file FILE"}
	}
	words, err := vault.Passphrase(k.passphrase)
	if err != nil {
		return nil, err
	}
	id, err := vault.PassphraseIdentity(words)
	return []age.Identity{id}, err
}

// putBack brings back what is missing of the files in a backup, and says what of it may be out of date.
func (p *program) putBack(s *apply.Site, b *apply.Backup, dryRun bool) error {
	if b == nil || dryRun {
		return nil
	}
	back, differs, err := s.PutBack(b)
	trust := s.Config().Spec.Trust
	for _, path := range back {
		p.ui.say("mended", "%s, from the backup", path)
		if path == trust {
			if older := s.TrustOlder(b); older != "" {
				p.ui.warn("%s; sallyport doctor names the keys", older)
			}
		}
	}
	for _, path := range differs {
		p.ui.say("note", "%s is not as in the backup, and stays", path)
	}
	return err
}

// supplies lists the bundles that were given; of a directory all that are in it.
func (p *program) supplies(ctx context.Context, paths []string) (all []apply.Candidate, err error) {
	for _, path := range paths {
		found, err := patiently(ctx, p.stall, path, func() ([]string, error) {
			if st, err := os.Stat(path); err != nil || !st.IsDir() {
				return []string{path}, nil // opening it tells
			}
			return bundle.FindBundles(path)
		})
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, &usageError{path + " holds no bundle", "name the folder of a stick, or a bundle file"}
		}
		for _, name := range found {
			all = append(all, apply.Candidate{Name: name, Open: func() (io.ReadCloser, error) { return p.openBundle(ctx, name, "") }})
		}
	}
	return all, nil
}

// sayPlan tells what is lost and what will be done.
func (p *program) sayPlan(plan *apply.Recovery) {
	ran := "nothing tells what ran here"
	switch {
	case plan.First:
		ran = "nothing ever ran here"
	case plan.Ran != nil:
		ran = plan.Ran.String() + " ran here"
	}
	p.ui.line("release", "%s; %s", plan.Release, ran)
	for _, l := range plan.Lost {
		p.ui.line("lost", "%s: %s", l.Part, l.Text)
	}
	if i := plan.Index; i.Known {
		p.ui.line("index", "%d, by %s: nothing older is taken", i.Value, i.From)
	}
	for _, b := range plan.Bundles {
		p.ui.line("bundle", "%s", b)
	}
	for n, step := range plan.Steps {
		p.ui.line(fmt.Sprintf("%d.", n+1), "%s", step)
	}
	for _, n := range plan.Notes {
		p.ui.line("note", "%s", n)
	}
}

// agree shows the plan and asks, on a terminal, whether to do it.
func (p *program) agree(plan *apply.Recovery, yes bool) error {
	if !p.ui.quiet && !p.flags.json {
		p.sayPlan(plan)
	}
	if !plan.Index.Known && !plan.First {
		p.ui.warn("nothing tells how far this site had come: an older release than %s is not refused any more", plan.Release)
	}
	in, ok := p.stdin.(*os.File)
	if yes || !ok || !term.IsTerminal(int(in.Fd())) || !p.ui.seen() || len(plan.Steps) == 0 {
		return nil
	}
	p.ui.print("\nDo this? [y/N] ")
	answer, err := bufio.NewReader(io.LimitReader(in, 100)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return &declinedError{}
}

// declinedError is a person's No.
type declinedError struct{}

func (*declinedError) Error() string  { return "nothing was done, as you said" }
func (*declinedError) Reason() string { return "interrupted" }
func (*declinedError) Hint() string   { return "run the same command again when it is to be done" }
