package cmd

import (
	"errors"
	"io"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/sallyport-dev/sallyport/apply"
	"github.com/sallyport-dev/sallyport/apply/vault"
	"github.com/sallyport-dev/sallyport/internal/durable"
)

func (p *program) backupVerb() *cobra.Command {
	var file, passphrase string
	var recipients []string
	c := &cobra.Command{
		Use:   "backup -o FILE",
		Short: "Write what a recovery wants beside the bundles, encrypted",
		Long: `Write what a recovery wants beside the bundles and finds nowhere else: site.yaml, trust, the site's own checks, its key and the
mirror's credentials; the server token, node password and settings of k3s or RKE2, without which a datastore that is restored stays
locked; and how far the site had come. The site's data are not in it (spec.data in site.yaml is for those).

The file is encrypted, by age, to the recipients or by a passphrase. Keep it away from this machine.`,
		Example: "  sallyport backup --recipient age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p -o store-0142.backup",
		Args:    args(),
		RunE: func(*cobra.Command, []string) error {
			if file == "" {
				return &usageError{"-o FILE is missing", "name the file to write"}
			}
			to, err := sealedTo(recipients, passphrase)
			if err != nil {
				return err
			}
			return p.backup(file, to)
		},
	}
	c.Flags().StringVarP(&file, "output", "o", "", "the file to write")
	c.Flags().StringArrayVar(&recipients, "recipient", nil, "a public key that opens it, age1…; may be given several times")
	c.Flags().StringVar(&passphrase, "passphrase-file", "", "a file with the passphrase that opens it")
	return exits(c, exit{exitNotApplicable, "a file is too large for a backup"}, exit{exitLocked, ""})
}

// sealedTo are those who may read the backup.
func sealedTo(recipients []string, passphrase string) ([]age.Recipient, error) {
	if passphrase == "" {
		return vault.Recipients(recipients)
	}
	if len(recipients) > 0 {
		return nil, &usageError{"--recipient and --passphrase-file exclude each other", "choose one of them"}
	}
	words, err := vault.Passphrase(passphrase)
	if err != nil {
		return nil, err
	}
	r, err := vault.PassphraseRecipient(words)
	return []age.Recipient{r}, err
}

func (p *program) backup(file string, to []age.Recipient) error {
	s, err := p.openSite()
	if err != nil {
		return err
	}
	read, write := io.Pipe()
	var b *apply.Backup
	var failed error
	done := make(chan struct{})
	go func() {
		defer close(done)
		b, failed = s.BackUp(write, to...)
		_ = write.CloseWithError(failed) // never fails
	}()
	n, err := durable.WriteFrom(file, read, 0o600)
	_ = read.CloseWithError(err) // never fails
	<-done
	if failed != nil && errors.Is(err, failed) {
		err = failed
	}
	if err != nil {
		return err
	}
	if p.flags.json {
		return p.object(struct {
			*apply.Backup
			File  string `json:"file"`
			Bytes int64  `json:"bytes"`
		}{b, file, n})
	}
	for _, f := range b.Files {
		p.ui.say(f.What, "%s", f.Path)
	}
	p.ui.print("%s written: %s of %s, encrypted. Keep it away from this machine.\n", file, plural(len(b.Files), "file"), s.Config().Metadata.Name)
	return nil
}
