package apply

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/sallyport-dev/sallyport/bundle"
	"github.com/sallyport-dev/sallyport/internal/ownfile"
	"github.com/sallyport-dev/sallyport/internal/strictyaml"
)

// seenFiles remembers which of the files in the inboxes were of no use to the site as it was, so that a pass that has nothing to
// do reads none of them.
type seenFiles struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Context is another one as soon as a file could be judged differently.
	Context string `json:"context"`
	// Files are sums of the IDs, one after the other.
	Files []byte `json:"files"`

	sums map[[sumBytes]byte]bool
}

const (
	seenKind = "Seen"
	sumBytes = 12
	maxSeen  = 200_000
)

func newSeen(context string) *seenFiles {
	return &seenFiles{APIVersion: bundle.APIVersion, Kind: seenKind, Context: context, sums: map[[sumBytes]byte]bool{}}
}

func sumOf(id string) (sum [sumBytes]byte) {
	whole := sha256.Sum256([]byte(id))
	copy(sum[:], whole[:])
	return sum
}

func (s *seenFiles) has(id string) bool { return s.sums[sumOf(id)] }

func (s *seenFiles) add(id string) {
	if len(s.sums) < maxSeen {
		s.sums[sumOf(id)] = true
	}
}

func (s *Site) seenPath() string { return s.path("inbox.json") }

// loadSeen reads what was seen before. What is damaged, or was seen by another light, counts for nothing.
func (u *unattended) loadSeen() *seenFiles {
	now := newSeen(u.context())
	var before seenFiles
	if err := loadSmall(u.seenPath(), &before); err != nil || before.Context != now.Context {
		return now
	}
	for sum := range slices.Chunk(before.Files, sumBytes) {
		if len(sum) == sumBytes {
			now.sums[[sumBytes]byte(sum)] = true
		}
	}
	return now
}

// saveSeen writes what was seen, unless the file says so already.
func (u *unattended) saveSeen() error {
	if maps.Equal(u.before.sums, u.seen.sums) {
		return nil
	}
	for sum := range u.seen.sums {
		u.seen.Files = append(u.seen.Files, sum[:]...)
	}
	return u.saveSmall(u.seenPath(), verbRun, u.seen)
}

// context sums up what a judgement of a file depends on beside the file: what the site has and had, whom it trusts, how it is
// set up, and the day, for bundles expire.
func (u *unattended) context() string {
	j := u.journal
	var staged *Release
	if u.staged != nil {
		staged = &u.staged.release
	}
	approved, errApproved := u.approved()
	trust, errTrust := ownfile.Read(u.cfg.Spec.Trust, strictyaml.MaxSize)
	site, errSite := ownfile.Read(u.cfg.path, strictyaml.MaxSize)
	about, err := json.Marshal([]any{u.deps.Now().UTC().Format("2006-01-02"), j.Current, j.Previous, staged, j.Names, j.Bad, j.PutBack,
		approved, fmt.Sprint(errApproved), trust, fmt.Sprint(errTrust), site, fmt.Sprint(errSite)})
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%x", sha256.Sum256(about))
}
