package bundle

import (
	"fmt"
	"regexp"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

var platformSyntax = regexp.MustCompile(`^([a-z0-9]{1,32})/([a-z0-9_]{1,32})(?:/([a-z0-9._]{1,32}))?$`)

// ParsePlatform reads OS/ARCH or OS/ARCH/VARIANT, as in linux/arm/v7.
func ParsePlatform(s string) (ocispec.Platform, error) {
	m := platformSyntax.FindStringSubmatch(s)
	if m == nil {
		return ocispec.Platform{}, fmt.Errorf("%q is not a platform such as linux/amd64 or linux/arm/v7", s)
	}
	return ocispec.Platform{OS: m[1], Architecture: m[2], Variant: m[3]}, nil
}

// FormatPlatform is the inverse of ParsePlatform.
func FormatPlatform(p ocispec.Platform) string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}
