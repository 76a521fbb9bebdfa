package rauc

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/sallyport-dev/sallyport/internal/durable"
)

// note says which bundle RAUC has put into a slot, and what RAUC said of the slot then. It stands beside the bundle. RAUC counts its
// installations, so the note is void once anybody has installed anything else.
type note struct {
	Bundle    string `json:"bundle"` // SHA-256 of the file
	Slot      string `json:"slot"`
	Installed string `json:"installed"`
	Count     uint32 `json:"count"`
}

const maxNote = 4096

func notePath(bundle string) string { return bundle + ".installed" }

// void is of a slot of which RAUC remembers no installation, because none ended well or its system.conf names no statusfile.
func (n note) void() bool { return n.Installed == "" }

// kept tells whether the note beside the bundle says the same. In doubt it does not: installing once more does no harm.
func (n note) kept(bundle string) bool {
	f, err := os.Open(notePath(bundle))
	if err != nil {
		return false
	}
	defer f.Close()
	var is note
	b, err := io.ReadAll(io.LimitReader(f, maxNote))
	return err == nil && json.Unmarshal(b, &is) == nil && is == n && !n.void()
}

// keep writes the note.
func (n note) keep(disk durable.Disk, bundle string) error {
	if n.void() {
		return nil
	}
	b, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return disk.WriteFile(notePath(bundle), append(b, '\n'), 0o644)
}

// digestOf is the SHA-256 of a file.
func digestOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the bundle: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("cannot read the bundle: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
