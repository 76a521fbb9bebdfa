package bundle

import (
	"fmt"
	"regexp"

	"github.com/containerd/platforms"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

var platformSyntax = regexp.MustCompile(`^([A-Za-z0-9]{1,32})/([A-Za-z0-9_-]{1,32})(?:/([A-Za-z0-9._]{1,32}))?$`)

// ParsePlatform reads OS/ARCH or OS/ARCH/VARIANT, as in linux/arm/v7, and normalises it as containerd does:
// linux/aarch64 and linux/arm64/v8 are linux/arm64, linux/arm is linux/arm/v7.
func ParsePlatform(s string) (ocispec.Platform, error) {
	m := platformSyntax.FindStringSubmatch(s)
	if m == nil {
		return ocispec.Platform{}, fmt.Errorf("%q is not a platform such as linux/amd64 or linux/arm/v7", s)
	}
	return platforms.Normalize(ocispec.Platform{OS: m[1], Architecture: m[2], Variant: m[3]}), nil
}

// FormatPlatform writes a platform as OS/ARCH or OS/ARCH/VARIANT, normalised: the one form that a descriptor has.
// What runs nowhere is unknown/unknown, as BuildKit writes it.
func FormatPlatform(p ocispec.Platform) string {
	if p.OS == "" {
		return "unknown/unknown"
	}
	p = platforms.Normalize(p)
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}
