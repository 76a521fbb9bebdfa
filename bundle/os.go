package bundle

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/opencontainers/go-digest"
)

// MediaTypePart is a part of an operating system: the raw bytes that go to a partition or a file.
const MediaTypePart = "application/vnd.sallyport.os.part.v1"

// Limits of an operating system.
const (
	// MaxOSParts is how many parts it may have.
	MaxOSParts = 16
	// MaxOSVersion bounds its version, in bytes.
	MaxOSVersion = 128
)

// OS is the operating system that a release brings: images of the parts that one of a site's two sets of partitions gets.
type OS struct {
	// Version is the system's own, for people; it has no order.
	Version string `json:"version,omitempty"`
	// Parts are in the order of their names.
	Parts []OSPart `json:"parts"`
}

// OSPart is one part. Its bytes are a blob of Descriptor.Blobs.
type OSPart struct {
	Name   string        `json:"name"` // what site.yaml calls the part's place: root, kernel, verity
	Digest digest.Digest `json:"digest"`
	Size   int64         `json:"size"`
}

var partSyntax = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)

// ValidPartName tells whether s can name a part of an operating system: lower-case letters, digits and hyphens, 32 characters at most.
func ValidPartName(s string) error {
	if !partSyntax.MatchString(s) {
		return fmt.Errorf("%q is not the name of a part: use lower-case letters, digits and hyphens, as in root", s)
	}
	return nil
}

// operatingSystem checks the parts, and that each is a blob of its own kind.
func (v *validator) operatingSystem() error {
	o := v.d.OS
	if o == nil {
		return nil
	}
	if err := text("the version of the operating system", o.Version, MaxOSVersion); err != nil {
		return err
	}
	if len(o.Parts) == 0 || len(o.Parts) > MaxOSParts {
		return fmt.Errorf("the operating system has %d parts, not 1 to %d", len(o.Parts), MaxOSParts)
	}
	for i, p := range o.Parts {
		if err := ValidPartName(p.Name); err != nil {
			return err
		}
		if i > 0 && strings.Compare(o.Parts[i-1].Name, p.Name) >= 0 {
			return fmt.Errorf("part %s of the operating system is not in the order of names", p.Name)
		}
		b := v.blobs[p.Digest]
		if b == nil || b.MediaType != MediaTypePart || b.Size != p.Size || p.Size == 0 {
			return fmt.Errorf("part %s of the operating system is not a blob of its type and size", p.Name)
		}
		v.used[p.Digest] = true
	}
	return nil
}
