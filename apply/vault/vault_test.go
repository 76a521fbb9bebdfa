package vault

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"
)

func identity(t testing.TB) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func sealedFor(t testing.TB, id *age.X25519Identity, files ...File) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Seal(&b, files, id.Recipient()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func reason(err error) string {
	var r interface{ Reason() string }
	if errors.As(err, &r) {
		return r.Reason()
	}
	return ""
}

func TestSealAndUnseal(t *testing.T) {
	id := identity(t)
	files := []File{{ContentsName, []byte("{}")}, {"files/0", []byte("secret token")}, {"files/1", nil}}
	b := sealedFor(t, id, files...)
	if bytes.Contains(b, []byte("secret")) {
		t.Error("it is readable")
	}
	got, err := Unseal("x", bytes.NewReader(b), id)
	if err != nil || len(got) != 3 || string(got[1].Data) != "secret token" || got[2].Name != "files/1" {
		t.Errorf("%v %v", got, err)
	}
	if _, err := Unseal("x", bytes.NewReader(b), identity(t)); reason(err) != "sealed" {
		t.Errorf("another key: %v", err)
	}
	for n := range len(b) {
		if _, err := Unseal("x", bytes.NewReader(b[:n]), id); reason(err) != "sealed" {
			t.Fatalf("%d of %d bytes: %v", n, len(b), err)
		}
	}
	b[len(b)-20] ^= 1
	if _, err := Unseal("x", bytes.NewReader(b), id); reason(err) != "sealed" {
		t.Errorf("a bit is another one: %v", err)
	}
	if _, err := Unseal("x", bytes.NewReader(sealedFor(t, id, File{"other", nil})), id); reason(err) != "sealed" {
		t.Errorf("without contents: %v", err)
	}
}

func TestPassphrase(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	words, err := Passphrase(write("words", "correct horse\r\nnot this\n"))
	if err != nil || words != "correct horse" {
		t.Errorf("%q %v", words, err)
	}
	if _, err := Passphrase(write("empty", "\n")); reason(err) != "usage" {
		t.Error(err)
	}
	if _, err := Identities(write("none", "# nothing\n")); reason(err) != "usage" {
		t.Error(err)
	}
	id := identity(t)
	ids, err := Identities(write("key", "# created: today\n"+id.String()+"\n"))
	if err != nil || len(ids) != 1 {
		t.Errorf("%v %v", ids, err)
	}
}

// A file that asks for hours of scrypt is refused at once.
func TestHostileWorkFactor(t *testing.T) {
	r, err := age.NewScryptRecipient("words")
	if err != nil {
		t.Fatal(err)
	}
	r.SetWorkFactor(10)
	var b bytes.Buffer
	if err := Seal(&b, []File{{ContentsName, nil}}, r); err != nil {
		t.Fatal(err)
	}
	i, err := PassphraseIdentity("words")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Unseal("x", bytes.NewReader(b.Bytes()), i); err != nil {
		t.Error(err)
	}
	hostile := bytes.Replace(b.Bytes(), []byte(" 10\n"), []byte(" 30\n"), 1)
	if bytes.Equal(hostile, b.Bytes()) {
		t.Fatal("the work factor stands elsewhere")
	}
	if _, err := Unseal("x", bytes.NewReader(hostile), i); reason(err) != "sealed" {
		t.Error(err)
	}
}

// age GHSA-32gq-x56h-299c: the name of a recipient's plugin is a path, and something runs.
func TestRecipientRunsNothing(t *testing.T) {
	for _, r := range []string{"age1x/../evil/x1qqqq", "age1yubikey1qwerty", "ssh-ed25519 AAAA", "", "age1"} {
		if _, err := Recipients([]string{r}); reason(err) != "usage" {
			t.Errorf("%q: %v", r, err)
		}
	}
}

func FuzzUnseal(f *testing.F) {
	id := identity(f)
	f.Add(sealedFor(f, id, File{ContentsName, []byte("{}")}))
	f.Add([]byte("age-encryption.org/v1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := Unseal("x", io.LimitReader(bytes.NewReader(b), 1<<20), id); err != nil && reason(err) != "sealed" {
			t.Error(err)
		}
	})
}
