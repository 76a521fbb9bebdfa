package embedded

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

// User is the name with which whoever knows the secret logs in to push: by HTTP's Basic authentication.
const User = "sallyport"

// secretBytes is how much chance is in a secret; its file holds them as hexadecimal digits.
const secretBytes = 32

// ErrNoSecret means that the process which serves the folder does not know the secret.
var ErrNoSecret = errors.New("it does not know this site's secret")

// SecretError is a file of the secret that cannot be trusted or read.
type SecretError struct {
	File string
	Err  error
	Mend string
}

func (e *SecretError) Error() string {
	return fmt.Sprintf("%s, which lets sallyport push to the mirror, %v", e.File, e.Err)
}

func (e *SecretError) Unwrap() error { return e.Err }

// Reason is "mirror".
func (e *SecretError) Reason() string { return "mirror" }

// Hint says how to mend it.
func (e *SecretError) Hint() string { return e.Mend }

// Secret returns what lets one push to a mirror that is served with Config.Secret set to the same file: the password of
// User. If there is no such file one is made, out of chance, that only its owner can read. One that others could have
// read or written is refused by a *SecretError.
func Secret(ctx context.Context, file string) (string, error) {
	secret, err := readSecret(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	if err := durable.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", secretError(file, err)
	}
	// Two that find none at the same time must end up with the same one.
	lock, err := lockFile(ctx, file+".lock", unix.LOCK_EX)
	if err != nil {
		return "", secretError(file, err)
	}
	defer lock.Close()
	if secret, err = readSecret(file); !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	var chance [secretBytes]byte
	_, _ = rand.Read(chance[:]) // never fails
	secret = hex.EncodeToString(chance[:])
	if err := durable.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		return "", secretError(file, err)
	}
	return secret, nil
}

// readSecret reads the secret's file. The error is fs.ErrNotExist if there is none.
func readSecret(file string) (string, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err != nil {
		return "", secretError(file, err)
	}
	defer f.Close()
	if err := onlyOurs(f); err != nil {
		return "", secretError(file, err)
	}
	b, err := io.ReadAll(io.LimitReader(f, 2*secretBytes+2))
	if err != nil {
		return "", secretError(file, err)
	}
	digits := bytes.TrimSuffix(b, []byte{'\n'})
	if _, err := hex.Decode(make([]byte, secretBytes), digits); err != nil || len(digits) != 2*secretBytes {
		return "", secretError(file, errors.New("is damaged"))
	}
	return string(digits), nil
}

// onlyOurs makes sure that nobody but the user who runs this can have read or written the file.
func onlyOurs(f *os.File) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	owner, ok := fi.Sys().(*syscall.Stat_t)
	switch {
	case !fi.Mode().IsRegular():
		return errors.New("is no plain file")
	case fi.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("has mode %#o: others may have read it", fi.Mode().Perm())
	case !ok || int(owner.Uid) != os.Geteuid():
		return fmt.Errorf("belongs to user %d, and not to the one who runs this (%d)", owner.Uid, os.Geteuid())
	}
	return nil
}

func secretError(file string, err error) error {
	var path *fs.PathError
	mend := fmt.Sprintf("remove %s: the next sallyport that pushes makes a new one, and whoever serves the mirror reads it then", file)
	switch {
	case errors.Is(err, unix.ELOOP):
		err = errors.New("is a link")
	case errors.As(err, &path):
		mend = "run sallyport and sallyport mirror serve as the user whose file it is: root, on most sites"
		err = fmt.Errorf("cannot be used: %w", path.Err)
	}
	return &SecretError{File: file, Err: err, Mend: mend}
}

// sameSecret compares without telling by its time how much is right.
func sameSecret(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// proof answers a challenge in a way that only who knows the secret can.
func proof(secret, challenge string) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte("sallyport mirror\n" + challenge))
	return hex.EncodeToString(h.Sum(nil))
}
