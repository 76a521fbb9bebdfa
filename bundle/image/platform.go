package image

import (
	"encoding/json"
	"fmt"

	"github.com/containerd/platforms"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/sallyport-dev/sallyport/bundle"
)

// unknown is what BuildKit and others write where a platform is asked for and there is none.
const unknown = "unknown"

// choose gives the indexes of the candidates that are the best for each wanted platform, in the candidates' order.
// A candidate without a platform suits all. Without wishes, all are taken.
func choose(wanted, candidates []ocispec.Platform) ([]int, error) {
	taken := make([]bool, len(candidates))
	missing := &MissingError{}
	for _, w := range wanted {
		if best := bestMatch(w, candidates); best >= 0 {
			taken[best] = true
		} else {
			missing.Wanted = append(missing.Wanted, bundle.FormatPlatform(w))
		}
	}
	if len(missing.Wanted) > 0 {
		for _, c := range candidates {
			missing.Has = append(missing.Has, bundle.FormatPlatform(c))
		}
		return nil, missing
	}
	var chosen []int
	for i := range candidates {
		if taken[i] || len(wanted) == 0 {
			chosen = append(chosen, i)
		}
	}
	return chosen, nil
}

// bestMatch gives the index of the first candidate that containerd would prefer on a platform, or -1.
func bestMatch(w ocispec.Platform, candidates []ocispec.Platform) int {
	match := platforms.Only(w)
	best := -1
	for i, c := range candidates {
		if c.OS == "" {
			if best < 0 {
				best = i
			}
			continue
		}
		c = platforms.Normalize(c)
		if !match.Match(c) {
			continue
		}
		if best < 0 || candidates[best].OS == "" || match.Less(c, platforms.Normalize(candidates[best])) {
			best = i
		}
	}
	return best
}

// configPlatform gives the platform that an image config names; empty for configs of other kinds.
func configPlatform(config Manifest) (ocispec.Platform, error) {
	if mt := config.Desc.MediaType; mt != ocispec.MediaTypeImageConfig && mt != dockerConfig {
		return ocispec.Platform{}, nil
	}
	var p ocispec.Platform
	if err := json.Unmarshal(config.Raw, &p); err != nil {
		return p, &Error{Problem: fmt.Sprintf("config %s is not JSON of the right form", config.Desc.Digest), Err: err}
	}
	if p.OS == "" || p.Architecture == "" {
		return ocispec.Platform{}, nil
	}
	return p, nil
}
