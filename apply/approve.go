package apply

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/sallyport-dev/sallyport/bundle"
)

// approvals are the releases that hold for a person, and for which one has spoken.
type approvals struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Releases   []digest.Digest `json:"releases"` // identities, oldest first
}

const (
	approvalsKind = "Approvals"
	maxApprovals  = 64
)

func (s *Site) approvalsPath() string { return s.path("approved.json") }

// Approve lets the site switch unattended to the release that is staged, although that holds for a person. version, if it is
// not empty, has to be that release's. It takes no lock.
func (s *Site) Approve(version string) (*Release, error) {
	j, err := s.readJournal()
	if err != nil {
		return nil, err
	}
	if j.Phase != Written {
		return nil, errorf("usage", "sallyport stage BUNDLE or sallyport run brings one", "no release is staged that could be approved")
	}
	staged := *j.Staged
	if version != "" && version != staged.Version {
		return nil, errorf("usage", "sallyport status says what is staged", "%s is staged, not %s", staged, version)
	}
	a, err := s.approved()
	if err != nil {
		return nil, err
	}
	if slices.Contains(a, staged.tried()) {
		return &staged, nil
	}
	a = append(a, staged.tried())
	if over := len(a) - maxApprovals; over > 0 {
		a = slices.Delete(a, 0, over)
	}
	return &staged, s.saveSmall(s.approvalsPath(), "approve", approvals{bundle.APIVersion, approvalsKind, a})
}

// approved are the identities of the releases that people have approved. A file that tells nothing approves nothing.
func (s *Site) approved() ([]digest.Digest, error) {
	var a approvals
	err := loadSmall(s.approvalsPath(), &a)
	if errors.Is(err, fs.ErrNotExist) || err != nil && !errors.Is(err, fs.ErrPermission) {
		return nil, nil //nolint:nilerr // a person approves again
	}
	if err != nil {
		return nil, stateError(privately(s.approvalsPath(), err))
	}
	return a.Releases, nil
}
