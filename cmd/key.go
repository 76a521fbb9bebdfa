//go:build !site

package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sallyport-dev/sallyport/bundle/sign"
	"github.com/sallyport-dev/sallyport/internal/durable"
	"github.com/sallyport-dev/sallyport/internal/oneline"
)

func (p *program) keyVerb() *cobra.Command {
	var prefix string
	generate := &cobra.Command{
		Use:   "generate [--output-key-prefix PREFIX]",
		Short: "Make a key pair as cosign does: PREFIX.key and PREFIX.pub",
		Long: `Make a key pair in cosign's own format: PREFIX.key, encrypted with a password, and PREFIX.pub.
The password is taken from COSIGN_PASSWORD, or asked for on a terminal.

Keep PREFIX.key at the factory. Put PREFIX.pub on every site and name it in site.yaml under spec.trust.`,
		Example: "  sallyport key generate --output-key-prefix release",
		Args:    args(),
		RunE:    func(*cobra.Command, []string) error { return p.generateKey(prefix) },
	}
	generate.Flags().StringVar(&prefix, "output-key-prefix", "sallyport", "the files' names without .key and .pub")
	return group(&cobra.Command{
		Use:     "key",
		Short:   "Make key pairs",
		Long:    "Make key pairs.",
		Example: "  sallyport key generate --output-key-prefix release",
	}, exits(generate))
}

func (p *program) generateKey(prefix string) error {
	for _, file := range []string{prefix + ".key", prefix + ".pub"} {
		if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
			return &usageError{file + " is there already", "a key that signed releases cannot be made again: choose another prefix, or move it away"}
		}
	}
	password, err := p.newPassword()
	if err != nil {
		return err
	}
	private, public, err := sign.GenerateKeyPair(password)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(prefix+".key", private, 0o600); err != nil {
		return err
	}
	if err := durable.WriteFile(prefix+".pub", public, 0o644); err != nil {
		return err
	}
	p.ui.say("private", "%s.key: keep it secret, and where build runs", prefix)
	p.ui.say("public", "%s.pub: goes to every site, as spec.trust of site.yaml", prefix)
	if p.flags.json {
		return p.object(map[string]string{"kind": "KeyPair", "private": prefix + ".key", "public": prefix + ".pub"})
	}
	return nil
}

// password is that of an existing key: from COSIGN_PASSWORD, or asked for on a terminal.
func (p *program) password(prompt string) ([]byte, error) {
	if v, ok := os.LookupEnv("COSIGN_PASSWORD"); ok {
		return []byte(v), nil
	}
	f, ok := p.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, &usageError{"there is no password for the key and no terminal to ask on", "set COSIGN_PASSWORD"}
	}
	fmt.Fprint(p.err, oneline.Escape(prompt))
	b, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(p.err)
	return b, err
}

// newPassword asks twice.
func (p *program) newPassword() ([]byte, error) {
	first, err := p.password("Password for the private key: ")
	if err != nil {
		return nil, err
	}
	if _, ok := os.LookupEnv("COSIGN_PASSWORD"); ok {
		return first, nil
	}
	again, err := p.password("The same again: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(first, again) {
		return nil, &usageError{"the two passwords differ", "try again"}
	}
	return first, nil
}

// signers opens the keys of a command line.
func (p *program) signers(keys []string) ([]*sign.Signer, error) {
	var signers []*sign.Signer
	for _, k := range keys {
		s, err := sign.LoadSigner(k, func() ([]byte, error) { return p.password("Password for " + k + ": ") })
		if err != nil {
			return nil, err
		}
		signers = append(signers, s)
	}
	return signers, nil
}
