// Package vault keeps a few small files in one encrypted file: a tar, encrypted as age does (age-encryption.org/v1), so that
// stock age and tar open it, too. The first file of the tar, ContentsName, says what the others are. Recipients are X25519 keys (age1…)
// or a passphrase; plugins, which age finds by a recipient's name, are never run.
package vault

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"filippo.io/age"
)

// ContentsName is the file of the tar that says what the others are.
const ContentsName = "contents.json"

const (
	// MaxSize bounds what is kept, in bytes: tokens, keys and settings are small.
	MaxSize = 64 << 20
	// maxFiles bounds how many files are kept.
	maxFiles = 4096
	// maxSecret bounds a passphrase or a file of identities, in bytes.
	maxSecret = 64 << 10
	// workFactor is the logarithm of scrypt's cost for a passphrase: 64 MiB of memory, which a small machine has beside the site.
	workFactor = 16
	// maxWorkFactor is what is accepted, so that what age makes by itself is read, and no hostile file keeps a site busy for hours.
	maxWorkFactor = 18
)

// File is one file that is kept.
type File struct {
	Name string
	Data []byte
}

// Error is a vault that cannot be opened, or a key that is none.
type Error struct {
	word, text, advice string
	err                error
}

func (e *Error) Error() string {
	if e.err == nil {
		return e.text
	}
	return e.text + ": " + e.err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.err }

// Reason is the stable word for scripts: "usage" or "sealed".
func (e *Error) Reason() string { return e.word }

// Hint says what to do next.
func (e *Error) Hint() string { return e.advice }

// Recipients reads recipients, age1… each.
func Recipients(keys []string) (all []age.Recipient, err error) {
	for _, k := range keys {
		r, err := age.ParseX25519Recipient(k)
		if err != nil {
			return nil, &Error{"usage", fmt.Sprintf("%.80q is no recipient", k), "give the public key that age-keygen prints, age1…", nil}
		}
		all = append(all, r)
	}
	return all, nil
}

// Passphrase reads a passphrase, the first line of a file.
func Passphrase(path string) (string, error) {
	b, err := readSmall(path)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	if line = strings.TrimRight(line, "\r"); line == "" {
		return "", &Error{"usage", path + " holds no passphrase", "write it into the first line", nil}
	}
	return line, nil
}

// PassphraseRecipient is whoever knows the passphrase.
func PassphraseRecipient(passphrase string) (age.Recipient, error) {
	r, err := age.NewScryptRecipient(passphrase)
	if err == nil {
		r.SetWorkFactor(workFactor)
	}
	return r, err
}

// PassphraseIdentity opens what was kept by a passphrase.
func PassphraseIdentity(passphrase string) (age.Identity, error) {
	i, err := age.NewScryptIdentity(passphrase)
	if err == nil {
		i.SetMaxWorkFactor(maxWorkFactor)
	}
	return i, err
}

// Identities reads the private keys in a file as age-keygen writes it.
func Identities(path string) (all []age.Identity, err error) {
	b, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		i, err := age.ParseX25519Identity(line)
		if err != nil {
			return nil, &Error{"usage", path + " holds something that is no private key", "give the file that age-keygen wrote", nil}
		}
		all = append(all, i)
	}
	if len(all) == 0 {
		return nil, &Error{"usage", path + " holds no private key", "give the file that age-keygen wrote", nil}
	}
	return all, nil
}

func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err == nil && len(b) > maxSecret {
		err = &Error{"usage", fmt.Sprintf("%s is larger than %d bytes", path, maxSecret), "name a file with a passphrase or a private key", nil}
	}
	return b, err
}

// Seal writes the files, encrypted to the recipients. The first is ContentsName.
func Seal(w io.Writer, files []File, to ...age.Recipient) error {
	enc, err := age.Encrypt(w, to...)
	if err != nil {
		return err
	}
	t := tar.NewWriter(enc)
	for _, f := range files {
		if err := t.WriteHeader(&tar.Header{Name: f.Name, Mode: 0o600, Size: int64(len(f.Data)), Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		if _, err := t.Write(f.Data); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), enc.Close())
}

// Unseal reads all that Seal wrote, and nothing else.
func Unseal(name string, r io.Reader, ids ...age.Identity) ([]File, error) {
	dec, err := age.Decrypt(r, ids...)
	if err != nil {
		var wrong *age.NoIdentityMatchError
		if errors.As(err, &wrong) {
			return nil, &Error{"sealed", name + " cannot be opened by the key or passphrase that was given",
				"give the one to which the backup was made: --identity FILE or --passphrase-file FILE", nil}
		}
		return nil, broken(name, err)
	}
	plain, err := io.ReadAll(io.LimitReader(dec, MaxSize+1))
	if err != nil {
		return nil, broken(name, err)
	}
	if len(plain) > MaxSize {
		return nil, broken(name, fmt.Errorf("it holds more than %d bytes", MaxSize))
	}
	files, err := untar(plain)
	if err != nil {
		return nil, broken(name, err)
	}
	return files, nil
}

func broken(name string, err error) error {
	return &Error{"sealed", name + " is not a whole backup", "give another copy of it, or an older backup", err}
}

func untar(plain []byte) (files []File, err error) {
	t := tar.NewReader(bytes.NewReader(plain))
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		switch {
		case err != nil:
			return nil, err
		case h.Typeflag != tar.TypeReg:
			return nil, fmt.Errorf("%.80q in it is no file", h.Name)
		case len(files) >= maxFiles:
			return nil, fmt.Errorf("it holds more than %d files", maxFiles)
		}
		data, err := io.ReadAll(t)
		if err != nil {
			return nil, err
		}
		files = append(files, File{h.Name, data})
	}
	if len(files) == 0 || files[0].Name != ContentsName {
		return nil, errors.New("it does not begin with " + ContentsName)
	}
	return files, nil
}
